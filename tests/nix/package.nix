# What nix/package.nix asks nixpkgs for. Its sources are looked at, and not shown: a file that is missing stops the
# evaluation.
{ libPath }:
let
  lib = import libPath;
  pkgs = import ./packages.nix { inherit lib; };
  inherit (pkgs.callPackage ../../nix/package.nix { }) arguments;
  names = map (one: one.pname);
in
assert lib.isStringLike "${arguments.src}";
{
  inherit (arguments) pname version;
  dependencies = names arguments.dependencies;
  buildSystem = names arguments.build-system;
  checkInputs = names arguments.nativeCheckInputs;
  mainProgram = arguments.meta.mainProgram;
  description = arguments.meta.description;
  licence = arguments.meta.license.spdxId;
}
