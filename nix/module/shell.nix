# What interactive shells get: the offer to explain a rebuild that failed.
{ config, lib, ... }:
let
  cfg = config.services.nixTrinity;
  source = file: "source ${cfg.package}/share/nix-trinity/${file}";
in
{
  options.services.nixTrinity.explainErrors = lib.mkOption {
    type = lib.types.bool;
    default = false;
    description = ''
      Whether bash, zsh and fish offer to explain a `nixos-rebuild` that failed.
    '';
  };

  config = lib.mkIf (cfg.enable && cfg.explainErrors) {
    programs.bash.interactiveShellInit = source "explain-error.sh";
    programs.zsh.interactiveShellInit = source "explain-error.sh";
    programs.fish.interactiveShellInit = source "explain-error.fish";
  };
}
