# The parts of NixOS that our module touches, declared anew with NixOS's names, types, defaults and meaning, so that
# nixpkgs' real module system can evaluate it without nixpkgs' modules. `rendered` collects what the goldens show.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;

  option = type: default: mkOption { inherit type default; };

  etcFile =
    { config, name, ... }:
    {
      options = {
        enable = option types.bool true;
        target = option types.str name;
        text = option (types.nullOr types.lines) null;
        source = mkOption { type = types.path; };
        mode = option types.str "symlink";
        user = option types.str "+0";
        group = option types.str "+0";
      };
      config.source = lib.mkIf (config.text != null) (
        lib.mkDefault (pkgs.writeText "etc-${baseNameOf name}" config.text)
      );
    };

  shells = [
    "bash"
    "fish"
    "zsh"
  ];

  failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
  hasManual = config.documentation.enable && config.documentation.nixos.enable;
in
{
  imports = [
    ./ollama.nix
    ./systemd.nix
    ./users.nix
  ];

  options = {
    assertions = mkOption {
      type = types.listOf types.unspecified;
      default = [ ];
    };
    warnings = option (types.listOf types.str) [ ];

    environment.etc = option (types.attrsOf (types.submodule etcFile)) { };
    environment.systemPackages = option (types.listOf types.package) [ ];

    security.polkit.enable = option types.bool false;
    security.polkit.extraConfig = option types.lines "";

    documentation.enable = option types.bool true;
    documentation.doc.enable = option types.bool true;
    documentation.nixos.enable = option types.bool true;
    documentation.nixos.includeAllModules = option types.bool false;

    hardware.facter.report = option (types.attrsOf types.anything) { };
    networking.hostName = option types.str "nixos";
    nix.package = option types.package pkgs.nix;
    programs = lib.genAttrs shells (_: {
      interactiveShellInit = option types.lines "";
    });
    services.dbus.packages = option (types.listOf types.path) [ ];
    system.build = option (types.lazyAttrsOf types.raw) { };
    system.nixos.release = option types.str lib.trivial.release;
    system.stateVersion = option types.str lib.trivial.release;
  };

  config = {
    system.build = {
      manual = lib.mkIf hasManual { optionsJSON = pkgs.options-json; };
      toplevel = if failed == [ ] then pkgs.nixos-system else throw (lib.concatStringsSep "\n" failed);
    };

    rendered = {
      shells = lib.genAttrs shells (shell: config.programs.${shell}.interactiveShellInit);
      polkit = {
        inherit (config.security.polkit) enable;
        rules = config.security.polkit.extraConfig;
      };
      etc = lib.mapAttrs' (_: file: {
        name = "/etc/${file.target}";
        value = {
          inherit (file) mode text;
          source = if file.text == null then "${file.source}" else null;
        };
      }) (lib.filterAttrs (_: file: file.enable) config.environment.etc);
      packages = lib.mapAttrs (_: map (one: "${one}")) {
        "environment.systemPackages" = config.environment.systemPackages;
        "services.dbus.packages" = config.services.dbus.packages;
        "systemd.packages" = config.systemd.packages;
      };
    };
  };
}
