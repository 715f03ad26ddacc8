# What all of our units are denied. A unit that needs more loosens single lines, each with its reason.
{
  CapabilityBoundingSet = [ "" ];
  DevicePolicy = "closed";
  IPAddressDeny = "any";
  # Everyone may write there, and ProtectSystem=strict leaves /dev alone.
  InaccessiblePaths = [
    "-/dev/mqueue"
    "-/dev/shm"
  ];
  KeyringMode = "private";
  LockPersonality = true;
  MemoryDenyWriteExecute = true;
  # What it can write, it cannot run.
  NoExecPaths = [
    "/tmp"
    "/var/tmp"
  ];
  NoNewPrivileges = true;
  PrivateDevices = true;
  PrivateIPC = true;
  PrivateMounts = true;
  PrivateNetwork = true;
  # In memory of its own, and no folder in the machine's /tmp.
  PrivateTmp = "disconnected";
  PrivateUsers = true;
  ProcSubset = "pid";
  ProtectClock = true;
  ProtectControlGroups = true;
  ProtectHome = true;
  ProtectHostname = true;
  ProtectKernelLogs = true;
  ProtectKernelModules = true;
  ProtectKernelTunables = true;
  ProtectProc = "invisible";
  ProtectSystem = "strict";
  # ProtectSystem=strict leaves it writable where /proc is mounted anew.
  ReadOnlyPaths = [ "/run" ];
  RemoveIPC = true;
  RestrictAddressFamilies = [ "AF_UNIX" ];
  RestrictNamespaces = true;
  RestrictRealtime = true;
  RestrictSUIDSGID = true;
  SocketBindDeny = "any";
  SystemCallArchitectures = "native";
  SystemCallErrorNumber = "EPERM";
  SystemCallFilter = [
    "@system-service"
    "~@privileged"
    "~@resources"
    # Not @ipc: pipes are among it.
    "~@aio @keyring @memlock @pkey"
  ];
  UMask = "0077";
}
