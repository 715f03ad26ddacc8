# Our options as NixOS' manual documents them: evaluated without a configuration, and without packages. A default that
# would need either has to say in words what it is (defaultText), as nixpkgs demands of its own modules.
{ libPath }:
let
  lib = import libPath;
  full = import ./packages.nix { inherit lib; };

  documented =
    module:
    (lib.evalModules {
      specialArgs = {
        config = { };
        pkgs = {
          inherit (full) lib formats;
        };
      };
      modules = [
        module
        { _module.check = false; }
      ];
    }).options;
in
lib.filter (one: one.visible && !one.internal) (
  lib.optionAttrSetToDocList {
    inherit (documented ../../nix/module) services;
    inherit (documented ../../nix/home-manager) programs;
  }
)
