# The daemon and its socket.
{ config, lib, ... }:
let
  cfg = config.services.nixTrinity;
  hardening = import ./hardening.nix;
  state = "/var/lib/nix-trinity";
in
{
  options.services.nixTrinity.idleTimeout = lib.mkOption {
    type = lib.types.ints.unsigned;
    default = 600;
    description = ''
      After so many seconds without a question or a build the daemon leaves; the next question starts it again. 0 for never.
    '';
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];

    services.nixTrinity.settings.daemon.idle_timeout_seconds = cfg.idleTimeout;

    systemd.sockets.nix-trinity = {
      description = "NixTrinity: questions on a Unix socket";
      wantedBy = [ "sockets.target" ];
      socketConfig = {
        ListenStream = "/run/nix-trinity/socket";
        SocketMode = "0660";
        SocketUser = "nix-trinity";
        SocketGroup = cfg.users;
        DirectoryMode = "0755";
      };
    };

    systemd.services.nix-trinity = {
      description = "NixTrinity, a NixOS assistant";
      requires = [ "nix-trinity.socket" ];
      after = [
        "nix-trinity.socket"
        "network.target"
      ]
      ++ lib.optional (cfg.ollama.enable && cfg.ollama.createLocally) "ollama.service";
      # A switch restarts it: stopped and started apart, it would take the socket down with it.
      stopIfChanged = false;
      restartTriggers = [ cfg.configFile ];
      environment = {
        HOME = state;
        XDG_CACHE_HOME = "${state}/cache";
        TMPDIR = "${state}/tmp";
      };
      serviceConfig = hardening // {
        Type = "notify";
        ExecStart = "${lib.getExe' cfg.package "nix-trinityd"} --config /etc/nix-trinity/config.toml";
        User = "nix-trinity";
        Group = "nix-trinity";
        StateDirectory = [
          "nix-trinity"
          "nix-trinity/cache"
          "nix-trinity/tmp"
        ];
        # Its own alone: everyone who may ask can be in its group.
        StateDirectoryMode = "0700";
        NoExecPaths = hardening.NoExecPaths ++ [ state ];
        # A dump, as the watchdog makes one, would hold questions.
        LimitCORE = 0;
        WorkingDirectory = state;
        WatchdogSec = 60;
        Restart = "on-failure";
        RestartSec = 1;
        # EX_CONFIG: a configuration that was refused is refused again.
        RestartPreventExitStatus = 78;
        # Answers may take daemon.shutdown_grace_seconds to end.
        TimeoutStopSec = 45;
        KillMode = "mixed";

        # Engines are asked over TCP; without one, the daemon has no network at all.
        PrivateNetwork = !cfg.engines.any;
        RestrictAddressFamilies = [
          "AF_UNIX"
        ]
        ++ lib.optionals cfg.engines.any [
          "AF_INET"
          "AF_INET6"
        ];
        IPAddressAllow = [ "localhost" ] ++ cfg.engines.allowedAddresses;
        # In a user namespace of its own it would see every peer as nobody, and could tell no person from another.
        PrivateUsers = false;
        # /proc/meminfo and /proc/pressure/memory tell what the machine can do now.
        ProcSubset = "all";
      };
    };

    systemd.tmpfiles.rules = [
      # What a crash left behind there is of no use to anyone.
      "e ${state}/tmp 0700 nix-trinity nix-trinity 1d"
      # A switch leaves sockets as they are: a changed group counts all the same.
      "z /run/nix-trinity/socket 0660 nix-trinity ${cfg.users}"
    ];
  };
}
