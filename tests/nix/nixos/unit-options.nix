# The options of systemd.{services,sockets,timers,paths,targets}.<name>, with NixOS's names, defaults and meaning, and
# what NixOS makes of them before they are written.
{ lib, pkgs }:
let
  inherit (lib) mkOption types;

  kinds = "service|socket|device|mount|automount|swap|target|path|timer|scope|slice";
  unitNames = types.listOf (types.strMatching "[a-zA-Z0-9@%:_.\\-]+[.](${kinds})");

  # A setting of a section: lists of several modules are joined, anything else has to agree.
  setting = lib.mkOptionType {
    name = "systemd option";
    merge =
      loc: definitions:
      let
        values = map (one: one.value) definitions;
      in
      if lib.all lib.isList values then
        lib.concatLists values
      else if lib.any lib.isList values then
        throw "The option `${lib.showOption loc}' is a list in one module and a single value in another."
      else
        lib.mergeEqualOption loc definitions;
  };

  option =
    type: default: description:
    mkOption { inherit type default description; };
  names = option unitNames [ ];
  section = option (types.attrsOf setting) { };
  flag = option types.bool;

  triggers =
    kind: name: list:
    lib.optionalAttrs (list != [ ]) {
      "X-${kind}-Triggers" = "${pkgs.writeText "X-${kind}-Triggers-${name}" (
        toString (lib.flatten list)
      )}";
    };
  joined =
    setting: list:
    lib.optionalAttrs (list != [ ]) {
      ${setting} = toString list;
    };

  common =
    { config, name, ... }:
    {
      options = {
        enable = flag true "Whether the unit exists; if not, it is a link to /dev/null.";
        description = option types.singleLineStr "" "What systemd shows.";
        documentation = option (types.listOf types.str) [ ] "Where to read more.";
        requires = names "Requires=";
        requisite = names "Requisite=";
        wants = names "Wants=";
        upholds = names "Upholds=";
        after = names "After=";
        before = names "Before=";
        bindsTo = names "BindsTo=";
        partOf = names "PartOf=";
        conflicts = names "Conflicts=";
        onFailure = names "OnFailure=";
        onSuccess = names "OnSuccess=";
        wantedBy = names "Units that want this one.";
        requiredBy = names "Units that require this one.";
        upheldBy = names "Units that uphold this one.";
        startLimitBurst = option (types.nullOr types.int) null "StartLimitBurst=";
        startLimitIntervalSec = option (types.nullOr types.int) null "StartLimitIntervalSec=";
        restartTriggers =
          option (types.listOf types.unspecified) [ ]
            "A change in these restarts the unit.";
        reloadTriggers = option (types.listOf setting) [ ] "A change in these reloads the unit.";
        unitConfig = section "The section [Unit].";
      };
      config.unitConfig =
        joined "Requires" config.requires
        // joined "Requisite" config.requisite
        // joined "Wants" config.wants
        // joined "Upholds" config.upholds
        // joined "After" config.after
        // joined "Before" config.before
        // joined "BindsTo" config.bindsTo
        // joined "PartOf" config.partOf
        // joined "Conflicts" config.conflicts
        // joined "OnFailure" config.onFailure
        // joined "OnSuccess" config.onSuccess
        // joined "Documentation" config.documentation
        // triggers "Restart" name config.restartTriggers
        // triggers "Reload" name config.reloadTriggers
        // lib.optionalAttrs (config.description != "") { Description = config.description; }
        // lib.optionalAttrs (config.startLimitBurst != null) { StartLimitBurst = config.startLimitBurst; }
        // lib.optionalAttrs (config.startLimitIntervalSec != null) {
          StartLimitIntervalSec = config.startLimitIntervalSec;
        };
    };

  service =
    { config, ... }:
    {
      options = {
        environment = option (
          with types;
          attrsOf (
            nullOr (oneOf [
              str
              path
              package
            ])
          )
        ) { } "Environment variables.";
        path = option (with types; listOf (either package str)) [ ] "Packages in PATH.";
        enableDefaultPath = flag true "Whether PATH has NixOS's few programs.";
        serviceConfig = section "The section [Service].";
        restartIfChanged = flag true "Whether a switch restarts it when it has changed.";
        reloadIfChanged = flag false "Whether a switch reloads it instead.";
        stopIfChanged = flag true "Whether a switch stops it and starts it, and not restarts it.";
        notSocketActivated = flag false "Whether a switch looks at the service and not at its socket.";
      };
      config = {
        path = lib.mkIf config.enableDefaultPath (
          lib.mkAfter [
            pkgs.coreutils
            pkgs.findutils
            pkgs.gnugrep
            pkgs.gnused
            pkgs.systemd
          ]
        );
        environment.PATH =
          lib.mkIf (config.path != [ ])
            "${lib.makeBinPath config.path}:${lib.makeSearchPathOutput "bin" "sbin" config.path}";
      };
    };

  socket.options = {
    listenStreams = option (types.listOf types.str) [ ] "ListenStream=";
    listenDatagrams = option (types.listOf types.str) [ ] "ListenDatagram=";
    socketConfig = section "The section [Socket].";
  };

  units =
    module:
    mkOption {
      default = { };
      description = "Units of this kind.";
      type = types.attrsOf (
        types.submodule [
          common
          module
        ]
      );
    };
in
{
  services = units service;
  sockets = units socket;
  timers = units { options.timerConfig = section "The section [Timer]."; };
  paths = units { options.pathConfig = section "The section [Path]."; };
  targets = units { };
}
