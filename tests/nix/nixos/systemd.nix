# systemd.*: units, and what tmpfiles makes.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.systemd;

  text = import ./unit-text.nix {
    inherit lib;
    inherit (cfg) globalEnvironment;
  };

  units = lib.concatLists (
    lib.mapAttrsToList (
      kinds: kind:
      lib.mapAttrsToList (name: unit: {
        name = "${name}.${kind}";
        value = {
          inherit (unit) enable;
          text = text kind unit;
          links = {
            wants = unit.wantedBy;
            requires = unit.requiredBy;
            upholds = unit.upheldBy;
          };
        };
      }) cfg.${kinds}
    ) kinds
  );
  kinds = {
    services = "service";
    sockets = "socket";
    timers = "timer";
    paths = "path";
    targets = "target";
  };

  tmpfilesEntry = types.submodule (
    { name, ... }:
    {
      options =
        lib.genAttrs [ "mode" "user" "group" "age" ] (
          _:
          mkOption {
            type = types.str;
            default = "-";
          }
        )
        // {
          type = mkOption {
            type = types.str;
            default = name;
          };
          argument = mkOption {
            type = types.str;
            default = "";
          };
        };
    }
  );

  # What NixOS warns of as well, in our words.
  warningsOf =
    name: service:
    let
      type = service.serviceConfig.Type or "";
      restart = service.serviceConfig.Restart or "no";
    in
    lib.optional (
      type == "oneshot"
      && lib.elem restart [
        "always"
        "on-success"
      ]
    ) "${name}.service: Type=oneshot cannot have Restart=${restart}."
    ++ lib.optional (
      lib.elem "network-online.target" service.after
      && !(lib.elem "network-online.target" (service.wants ++ service.requires))
    ) "${name}.service is ordered after network-online.target and does not depend on it.";
in
{
  options.systemd = import ./unit-options.nix { inherit lib pkgs; } // {
    package = mkOption {
      type = types.package;
      default = pkgs.systemd;
    };
    packages = mkOption {
      type = types.listOf types.package;
      default = [ ];
    };
    globalEnvironment = mkOption {
      type = types.attrsOf (types.nullOr types.str);
      default = { };
    };
    tmpfiles.rules = mkOption {
      type = types.listOf types.str;
      default = [ ];
    };
    tmpfiles.settings = mkOption {
      type = types.attrsOf (types.attrsOf (types.attrsOf tmpfilesEntry));
      default = { };
    };
  };

  options.rendered = mkOption {
    type = types.attrsOf types.raw;
    description = "What the goldens are made of.";
  };

  config = {
    # What every NixOS has here, from its modules of locales and time zones.
    systemd.globalEnvironment = {
      LOCALE_ARCHIVE = "${pkgs.glibcLocales}/lib/locale/locale-archive";
      TZDIR = "${pkgs.tzdata}/share/zoneinfo";
    };

    warnings = lib.concatLists (lib.mapAttrsToList warningsOf cfg.services);

    rendered.units = lib.listToAttrs units;
    rendered.tmpfiles =
      cfg.tmpfiles.rules
      ++ lib.concatMap (
        paths:
        lib.concatLists (
          lib.mapAttrsToList (
            path: entries:
            map (
              one:
              "'${one.type}' '${path}' '${one.mode}' '${one.user}' '${one.group}' '${one.age}' ${one.argument}"
            ) (lib.attrValues entries)
          ) paths
        )
      ) (lib.attrValues cfg.tmpfiles.settings);
  };
}
