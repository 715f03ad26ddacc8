# programs.nixTrinity: what one person sets for themselves, in Home Manager. Only the programs that ask are configured
# here; the daemon that answers is services.nixTrinity of the NixOS module.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) types;
  cfg = config.programs.nixTrinity;

  consent = if cfg.learnFromMe then "yes" else "no";
  command = "nix-trinity consent ${consent}";
  socket = toString cfg.socket;
in
{
  options.programs.nixTrinity = {
    enable = lib.mkEnableOption "NixTrinity's programs, and your own settings for them";

    package = lib.mkOption {
      type = types.package;
      default = pkgs.callPackage ../package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./nix/package.nix { }";
      example = lib.literalExpression "inputs.nix-trinity.packages.\${pkgs.system}.default";
      description = "The package with the programs.";
    };

    level = lib.mkOption {
      type = types.nullOr (
        types.enum [
          "beginner"
          "intermediate"
          "expert"
        ]
      );
      default = null;
      example = "beginner";
      description = ''
        For whom answers are written, where a question does not say so with `--level`; `null` to leave it to the daemon.
        It is set as {env}`USER_LEVEL`.
      '';
    };

    role = lib.mkOption {
      type = types.nullOr (
        types.enum [
          "expert"
          "empathy"
          "coder"
          "quick"
        ]
      );
      default = null;
      example = "empathy";
      description = ''
        Who answers, where a question does not say so with `--role`; `null` to have it chosen for each question. It is
        set as {env}`NIX_TRINITY_ROLE`; `--role auto` has it chosen for one question nevertheless.
      '';
    };

    learnFromMe = lib.mkOption {
      type = types.nullOr types.bool;
      default = null;
      example = true;
      description = ''
        Whether models may learn from your exchanges. At each activation the daemon is told so with
        `nix-trinity consent`, and what was said by hand meanwhile is replaced. `null` says nothing: what you last said,
        or else {option}`services.nixTrinity.learnFrom` of the machine, stands.
      '';
    };

    socket = lib.mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/user/1000/nix-trinity";
      description = ''
        Where the daemon listens; `null` for {file}`/run/nix-trinity/socket`, where the NixOS module has it. It is set as
        {env}`NIX_TRINITY_SOCKET`.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    home.packages = [ cfg.package ];

    home.sessionVariables = lib.mkMerge [
      (lib.mkIf (cfg.level != null) { USER_LEVEL = cfg.level; })
      (lib.mkIf (cfg.role != null) { NIX_TRINITY_ROLE = cfg.role; })
      (lib.mkIf (cfg.socket != null) { NIX_TRINITY_SOCKET = socket; })
    ];

    # The daemon may be off, or not be there yet while the machine starts: that is said, and the rest is activated.
    home.activation = lib.mkIf (cfg.learnFromMe != null) {
      nixTrinityConsent = lib.hm.dag.entryAfter [ "writeBoundary" ] ''
        if ! ${
          lib.optionalString (cfg.socket != null) "NIX_TRINITY_SOCKET=${lib.escapeShellArg socket} "
        }run --quiet \
            ${lib.getExe' pkgs.coreutils "timeout"} 30 ${lib.getExe' cfg.package "nix-trinity"} consent ${consent}; then
          warnEcho 'NixTrinity could not be told whether models may learn from you (programs.nixTrinity.learnFromMe).'
          warnEcho 'What it was told before stands. When its daemon answers (nix-trinity status), run: ${command}'
        fi
      '';
    };
  };
}
