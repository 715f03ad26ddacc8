# services.nixTrinity: an assistant that runs on this machine and is true for this machine.
{
  lib,
  pkgs,
  ...
}:
{
  imports = [
    ./access.nix
    ./corpus.nix
    ./http.nix
    ./jobs.nix
    ./learning.nix
    ./models.nix
    ./ollama.nix
    ./openai.nix
    ./packs.nix
    ./service.nix
    ./settings.nix
    ./shell.nix
  ];

  options.services.nixTrinity = {
    enable = lib.mkEnableOption "NixTrinity, a NixOS assistant that answers from the options of this very system";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ../package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./nix/package.nix { }";
      description = "The package with the daemon and the programs that ask it.";
    };
  };
}
