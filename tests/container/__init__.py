"""The project on a machine of its own: a real systemd as PID 1, with the units that NixOS would have."""
