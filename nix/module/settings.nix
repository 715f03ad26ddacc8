# The daemon's configuration file: made from the options, checked by the daemon itself when the system is built.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;
  toml = pkgs.formats.toml { };

  # NAME=EXPRESSION of each timer that is on.
  calendars = lib.mapAttrsToList (name: timer: "timers.${name}.onCalendar=${timer.onCalendar}") (
    lib.filterAttrs (_: timer: timer.enable) cfg.timers
  );
in
{
  options.services.nixTrinity = {
    settings = lib.mkOption {
      default = { };
      example = lib.literalExpression "{ answering.max_running = 1; }";
      description = ''
        What else /etc/nix-trinity/config.toml is to say. The options beside this one set their own keys; the daemon refuses
        keys that it does not know, and the system is then not built.
      '';
      type = types.submodule {
        freeformType = toml.type;
        options = {
          answering.max_running = lib.mkOption {
            type = types.ints.positive;
            default = 2;
            description = "How many questions are answered at once; further ones wait.";
          };
          answering.max_waiting = lib.mkOption {
            type = types.ints.unsigned;
            default = 8;
            description = "How many questions may wait; further ones are told that it is busy.";
          };
          learning.on_battery = lib.mkOption {
            type = types.bool;
            default = false;
            description = "Whether builds run while the machine is on battery; otherwise they are tried again later.";
          };
          learning.beside_nix_builds = lib.mkOption {
            type = types.bool;
            default = false;
            description = "Whether builds run while Nix is building; otherwise they are tried again later.";
          };
        };
      };
    };

    configFile = lib.mkOption {
      type = types.path;
      internal = true;
      readOnly = true;
      default = pkgs.runCommand "nix-trinity-config.toml" {
        config = toml.generate "nix-trinity-unchecked-config.toml" cfg.settings;
        inherit calendars;
        __structuredAttrs = true;
        # Where the built programs cannot run here, the daemon checks its configuration when it starts.
        nativeBuildInputs = lib.optionals (pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform) [
          cfg.package
          config.systemd.package
        ];
      } (builtins.readFile ./check-config.sh);
      defaultText = lib.literalMD "made from the settings";
      description = "The checked configuration file.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.etc."nix-trinity/config.toml".source = cfg.configFile;
  };
}
