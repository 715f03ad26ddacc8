# Two generations of one machine: the second has another list of options.
{ pkgs, self }:
import ./shared/scenario.nix {
  inherit pkgs self;
  name = "upgrade";
  machine = ./shared/two-generations.nix;
  environment.SWITCH = "'/run/booted-system/specialisation/next/bin/switch-to-configuration test'";
}
