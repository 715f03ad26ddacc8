"""The machine underneath: socket activation, sd_notify, peers, memory, NixOS release."""
