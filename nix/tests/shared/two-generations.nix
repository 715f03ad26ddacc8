# The generation that comes next has an option that this one lacks, and lacks one that this one has.
{ lib, pkgs, ... }:
let
  options = lib.importJSON ../../../tests/data/sample-options.json;
  renamed = options."programs.adb.enable" // {
    loc = [
      "services"
      "lantern"
      "enable"
    ];
  };
in
{
  imports = [ ./ollama.nix ];

  specialisation.next.configuration.services.nixTrinity.corpus.options = lib.mkForce (
    pkgs.writeText "next-options.json" (
      builtins.toJSON (
        removeAttrs options [ "programs.adb.enable" ] // { "services.lantern.enable" = renamed; }
      )
    )
  );
}
