# What runs by itself: builds and pruning on timers, a build at once when the daemon asks for one, and a look at the
# options after each change of the system. A job only asks the daemon over its socket; the daemon does the work.
{ config, lib, ... }:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;
  hardening = import ./hardening.nix;
  immediate = "nix-trinity-immediate.service";

  program = arguments: "${lib.getExe' cfg.package "nix-trinity"} ${arguments}";

  job =
    {
      description,
      arguments,
      unit ? { },
      service ? { },
    }:
    lib.recursiveUpdate {
      inherit description;
      requires = [ "nix-trinity.socket" ];
      after = [ "nix-trinity.socket" ];
      # A switch neither ends a build's job nor starts one.
      restartIfChanged = false;
      serviceConfig =
        hardening
        // {
          Type = "oneshot";
          ExecStart = program arguments;
          User = "nix-trinity";
          Group = "nix-trinity";
          Nice = 19;
          CPUSchedulingPolicy = "idle";
          IOSchedulingClass = "idle";
        }
        // service;
    } unit;

  build =
    kind: description:
    job {
      inherit description;
      arguments = "build --kind ${kind}";
      service = {
        # A build takes as long as the models take.
        TimeoutStartSec = "infinity";
        # 75 (EX_TEMPFAIL): put off, since the machine is on battery, short of memory, or Nix is building. 5: another
        # build is running.
        RestartForceExitStatus = "5 75";
        RestartSec = "30min";
      };
    };

  jobs = {
    weekly = {
      onCalendar = "Fri 18:00";
      what = "the weekly build: new versions from what people taught since the last one";
      service = build "weekly" "NixTrinity: the weekly build";
    };
    monthly = {
      onCalendar = "*-*-01 19:00";
      what = "the monthly build: every role anew from its base, and a checkpoint";
      service = build "monthly" "NixTrinity: the monthly build";
    };
    prune = {
      onCalendar = "Sat 05:00";
      what = "pruning: old versions and exchanges go as services.nixTrinity.retention says";
      service = job {
        description = "NixTrinity: remove old versions and exchanges";
        arguments = "prune";
        service.TimeoutStartSec = "1h";
      };
    };
  };

  # Without polkit nobody can be allowed to start a unit; the daemon then builds by itself.
  immediateWanted = cfg.engines.any && config.security.polkit.enable;

  wanted = lib.filterAttrs (name: _: cfg.timers.${name}.enable) jobs;
in
{
  options.services.nixTrinity.timers = lib.mapAttrs (name: job: {
    enable = lib.mkOption {
      type = types.bool;
      # Without an engine there is nothing to build with.
      default = name == "prune" || cfg.engines.any;
      defaultText = if name == "prune" then true else lib.literalMD "`true` where there is an engine";
      description = "Whether to have ${job.what}.";
    };

    onCalendar = lib.mkOption {
      type = types.nonEmptyStr;
      default = job.onCalendar;
      example = "Sun 04:00";
      description = "When to start it, in the form of {manpage}`systemd.time(7)`; checked when the system is built.";
    };

    randomizedDelaySec = lib.mkOption {
      # More would let a machine that is rebooted daily miss it for ever: the delay begins anew at each boot.
      type = types.ints.between 0 3600;
      default = 1800;
      description = "By how many seconds at most this machine starts it later; always the same number on one machine.";
    };
  }) jobs;

  config = lib.mkIf cfg.enable {
    systemd.timers = lib.mapAttrs' (
      name: _:
      lib.nameValuePair "nix-trinity-${name}" {
        description = "When to start nix-trinity-${name}.service";
        wantedBy = [ "timers.target" ];
        timerConfig = {
          OnCalendar = cfg.timers.${name}.onCalendar;
          RandomizedDelaySec = cfg.timers.${name}.randomizedDelaySec;
          FixedRandomDelay = true;
          # One that was missed while the machine was off is made up for.
          Persistent = true;
        };
      }
    ) wanted;

    systemd.services =
      lib.mapAttrs' (name: job: lib.nameValuePair "nix-trinity-${name}" job.service) wanted
      // lib.optionalAttrs immediateWanted {
        nix-trinity-immediate = build "immediate" "NixTrinity: a build that cannot wait for its timer";
      }
      // {
        # Wakes the daemon at boot and whenever its configuration has changed, the list of options with it: it then
        # indexes what is new and looks whether a new release asks for a build, before somebody asks a question.
        nix-trinity-options = job {
          description = "NixTrinity: look at the options of this system";
          arguments = "status";
          unit = {
            wantedBy = [ "multi-user.target" ];
            restartIfChanged = true;
            restartTriggers = [ cfg.configFile ];
          };
          service.RemainAfterExit = true;
        };
      };

    services.nixTrinity.settings.learning.immediate_unit = lib.optionalString immediateWanted immediate;

    # The daemon's user may start this one unit, and do nothing else to it or to any other. The rule must not be there
    # without the unit: systemd asks polkit the same about a transient unit, made of anything, of a name that no file has.
    security.polkit.extraConfig = lib.mkIf immediateWanted ''
      polkit.addRule(function(action, subject) {
        if (action.id == "org.freedesktop.systemd1.manage-units"
            && subject.user == "nix-trinity"
            && action.lookup("unit") == "${immediate}"
            && action.lookup("verb") == "start") {
          return polkit.Result.YES;
        }
      });
    '';
  };
}
