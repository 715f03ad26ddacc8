# What flake.nix gives, without a network and without a build: each output's name, and each package's.
{ libPath }:
let
  lib = import libPath;
  pkgs = import ./packages.nix { inherit lib; };
  systems = [
    "x86_64-linux"
    "aarch64-linux"
  ];

  flake = import ../../flake.nix;
  outputs = flake.outputs {
    inherit self;
    nixpkgs = {
      inherit lib;
      legacyPackages = lib.genAttrs systems (_: pkgs);
    };
  };
  self = outputs // {
    outPath = "/nix/store/00000000000000000000000000000000-nix-trinity";
  };

  # A package is what it is called; its path is looked at too, so that what goes into it is evaluated.
  shown =
    value:
    if lib.isDerivation value then
      builtins.seq (toString value) value.name
    else if lib.isFunction value then
      "<function>"
    else if lib.isPath value then
      lib.removePrefix (toString ../..) (toString value)
    else if lib.isAttrs value then
      lib.mapAttrs (_: shown) value
    else
      value;

  tests = lib.filterAttrs (_: check: check ? testScript) outputs.checks.x86_64-linux;
in
{
  inherit (flake) description inputs;
  outputs = shown outputs;
  # The nodes of each test as NixOS would judge them, and what is run on them.
  tests = lib.mapAttrs (_: test: {
    failed = lib.mapAttrs (
      _: node: map (one: one.message) (lib.filter (one: !one.assertion) node.assertions)
    ) test.nodes;
    units = lib.mapAttrs (_: node: lib.attrNames node.rendered.units) test.nodes;
    inherit (test) testScript;
  }) tests;
}
