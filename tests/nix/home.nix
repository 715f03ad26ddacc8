# What Home Manager would make of our module for one person's settings.
{ libPath, configuration }:
let
  lib = import libPath;
  # Home Manager's own additions to lib, as far as we use them.
  extended = lib // {
    hm.dag.entryAfter = after: data: { inherit after data; };
  };
  option = type: default: lib.mkOption { inherit type default; };

  inherit
    (lib.evalModules {
      class = "homeManager";
      specialArgs.lib = extended;
      modules = [
        ../../nix/home-manager
        configuration
        {
          config._module.args.pkgs = import ./packages.nix { inherit lib; };
          options = {
            assertions = option (lib.types.listOf lib.types.unspecified) [ ];
            warnings = option (lib.types.listOf lib.types.str) [ ];
            home.packages = option (lib.types.listOf lib.types.package) [ ];
            home.sessionVariables = option (lib.types.lazyAttrsOf lib.types.str) { };
            home.activation = option (lib.types.attrsOf lib.types.raw) { };
          };
        }
      ];
    })
    config
    ;
in
{
  inherit (config) warnings;
  assertions = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
  packages = map (one: "${one}") config.home.packages;
  inherit (config.home) sessionVariables activation;
}
