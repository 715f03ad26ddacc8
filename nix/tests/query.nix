{ pkgs, self }:
import ./shared/scenario.nix {
  inherit pkgs self;
  name = "query";
}
