# What NixOS would make of one configuration with our module in it, as far as the goldens show it.
#
#   libPath         nixpkgs' lib
#   configuration   a file with an ordinary NixOS module
{ libPath, configuration }:
let
  lib = import libPath;

  inherit
    (import ./system.nix { inherit lib; } [
      ../../nix/module
      configuration
    ])
    config
    ;

  failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
in
{
  inherit (config) warnings;
  assertions = failed;
  # As in NixOS, nothing is made of a configuration whose assertions fail.
  rendered = if failed == [ ] then config.rendered else null;
}
