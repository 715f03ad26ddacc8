# What testers.runNixOSTest is here: the test's nodes are evaluated, with their assertions; nothing is started.
{
  lib,
  package,
  pkgs,
}:
test:
let
  inherit
    (lib.evalModules {
      modules = [
        test
        {
          config._module.check = false;
          options = {
            name = lib.mkOption { type = lib.types.str; };
            nodes = lib.mkOption { type = lib.types.lazyAttrsOf lib.types.deferredModule; };
            defaults = lib.mkOption {
              type = lib.types.deferredModule;
              default = { };
            };
            testScript = lib.mkOption {
              type = lib.types.either lib.types.str (lib.types.functionTo lib.types.str);
            };
          };
        }
      ];
    })
    config
    ;

  nodes = lib.mapAttrs (
    _: node:
    (import ./system.nix { inherit lib pkgs; } [
      config.defaults
      node
      { _module.check = false; }
    ]).config
  ) config.nodes;
in
package {
  name = "vm-test-run-${config.name}";
  passthru = {
    inherit nodes;
    testScript =
      if lib.isFunction config.testScript then
        config.testScript { inherit nodes; }
      else
        config.testScript;
  };
}
