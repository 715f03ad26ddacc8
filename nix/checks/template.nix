# The template's example configuration makes a whole system, checked configuration file and all.
{ pkgs, self }:
(pkgs.nixos {
  imports = [
    self.nixosModules.default
    ../template/configuration.nix
  ];
  boot.loader.grub.enable = false;
  fileSystems."/".device = "/dev/vda";
  system.stateVersion = pkgs.lib.trivial.release;
}).config.system.build.toplevel
