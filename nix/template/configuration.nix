# What a machine needs besides its own hardware-configuration.nix to have NixTrinity.
{
  services.nixTrinity = {
    enable = true;
    # What `free -g` shows; the size of the models follows from it.
    ramGiB = 16;
  };

  # Answers are then also true for options of modules from outside nixpkgs, ours among them.
  documentation.nixos.includeAllModules = true;
}
