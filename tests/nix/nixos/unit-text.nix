# The text of a unit file as NixOS writes it: sections in this order, settings sorted by name, a list as one line for
# each of its values.
{ lib, globalEnvironment }:
let
  inherit (lib)
    concatMapStrings
    concatStringsSep
    isList
    mapAttrsToList
    optionalString
    ;

  value =
    one:
    if one == true then
      "true"
    else if one == false then
      "false"
    else
      toString one;

  settings =
    attributes:
    lib.concatStrings (
      mapAttrsToList (
        name: one: concatMapStrings (each: "${name}=${value each}\n") (if isList one then one else [ one ])
      ) attributes
    );

  environment =
    unit:
    concatMapStrings (
      variable: "Environment=${builtins.toJSON "${variable.name}=${variable.value}"}\n"
    ) (lib.attrsToList (lib.filterAttrs (_: one: one != null) (globalEnvironment // unit.environment)));

  # What switch-to-configuration reads when a unit has changed.
  onChange =
    unit:
    (
      if unit.reloadIfChanged then
        "X-ReloadIfChanged=true\n"
      else
        optionalString (!unit.restartIfChanged) "X-RestartIfChanged=false\n"
    )
    + optionalString (!unit.stopIfChanged) "X-StopIfChanged=false\n"
    + optionalString unit.notSocketActivated "X-NotSocketActivated=true\n";

  # A section of its own kind ends in an empty line, a service's does not.
  kinds = {
    service = unit: "[Service]\n" + environment unit + onChange unit + settings unit.serviceConfig;
    socket =
      unit:
      "[Socket]\n"
      + settings unit.socketConfig
      + "\n"
      + concatStringsSep "\n" (map (one: "ListenStream=${one}") unit.listenStreams)
      + "\n"
      + concatStringsSep "\n" (map (one: "ListenDatagram=${one}") unit.listenDatagrams)
      + "\n";
    timer = unit: "[Timer]\n" + settings unit.timerConfig + "\n";
    path = unit: "[Path]\n" + settings unit.pathConfig + "\n";
    target = _: "";
  };
in
kind: unit:
"[Unit]\n"
+ settings unit.unitConfig
+ "\n"
+ kinds.${kind} unit
+ optionalString (unit.wantedBy != [ ] && kind != "target") ''

  [Install]
  WantedBy=${concatStringsSep " " unit.wantedBy}
''
