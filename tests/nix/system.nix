# A system of the parts of NixOS that are declared here: evalModules of nixpkgs' lib over them and the modules given.
{
  lib,
  pkgs ? import ./packages.nix { inherit lib; },
}:
modules:
lib.evalModules {
  class = "nixos";
  modules = [
    ./nixos
    { _module.args = { inherit pkgs; }; }
  ]
  ++ modules;
}
