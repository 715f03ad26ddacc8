# What versions are made of, and what is kept of them and of the exchanges.
{ config, lib, ... }:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;

  keep =
    default: description:
    lib.mkOption {
      type = types.ints.unsigned;
      inherit default description;
    };

  atLeastOne = name: {
    assertion = cfg.retention.${name} >= 1;
    message = ''
      services.nixTrinity.retention.${name} is 0: there would be nothing to roll back to when a new version turns out bad.
      Set services.nixTrinity.retention.${name} = 1 or more.'';
  };
in
{
  options.services.nixTrinity = {
    learnFrom = lib.mkOption {
      type = types.enum [
        "consenting"
        "everyone"
      ];
      default = "consenting";
      description = ''
        Whose exchanges versions may be made of, of those who said nothing about it: nobody's (`consenting`), or `everyone`'s.
        Each person's own word goes first: `nix-trinity consent yes` or `no`.
      '';
    };

    logging = {
      exchanges = lib.mkOption {
        type = types.bool;
        default = true;
        description = "Whether questions and answers are kept at all; without them nothing can be learned.";
      };
      level = lib.mkOption {
        type = types.enum [
          "debug"
          "info"
          "warning"
          "error"
        ];
        default = "info";
        description = "What the daemon writes to the journal; never a question's text.";
      };
    };

    retention = {
      previous = keep 1 "How many versions that were deployed before are kept for each role, besides the deployed one.";
      weekly = keep 1 "How many versions that were deployed a week or more ago are kept for each role.";
      monthly = keep 1 "How many monthly checkpoints are kept for each role.";
      exchangeDays = lib.mkOption {
        type = types.nullOr types.ints.positive;
        default = 365;
        description = "After so many days, exchanges that nobody rated and nothing uses are removed; `null` for never.";
      };
      exchangeMegabytes = lib.mkOption {
        type = types.nullOr types.ints.positive;
        default = 1024;
        description = "Above this size of the database (10⁶ bytes), the oldest of them go; `null` for no limit.";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = map atLeastOne [
      "previous"
      "weekly"
      "monthly"
    ];

    services.nixTrinity.settings = {
      daemon.log_level = cfg.logging.level;
      logging.exchanges = cfg.logging.exchanges;
      learning.consent_by_default = cfg.learnFrom == "everyone";
      retention = {
        inherit (cfg.retention) previous weekly monthly;
        exchange_days = if cfg.retention.exchangeDays == null then 0 else cfg.retention.exchangeDays;
        exchange_megabytes =
          if cfg.retention.exchangeMegabytes == null then 0 else cfg.retention.exchangeMegabytes;
      };
    };
  };
}
