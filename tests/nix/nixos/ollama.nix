# services.ollama of nixpkgs 26.11: its options, and the account that it makes. Its units are not ours to render.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.ollama;

  option = type: default: mkOption { inherit type default; };
  given = cfg.user != null && cfg.group != null;
in
{
  options.services.ollama = {
    enable = lib.mkEnableOption "Ollama";
    package = lib.mkPackageOption pkgs "ollama" { };
    user = option (types.nullOr types.str) null;
    group = option (types.nullOr types.str) cfg.user;
    home = option types.str "/var/lib/ollama";
    models = option types.str "${cfg.home}/models";
    host = option types.str "127.0.0.1";
    port = option types.port 11434;
    environmentVariables = option (types.attrsOf types.str) { };
    loadModels = option (types.listOf types.str) [ ];
    syncModels = option types.bool false;
    openFirewall = option types.bool false;
    rocmOverrideGfx = option (types.nullOr types.str) null;
  };

  config = {
    users = lib.mkIf (cfg.enable && given) {
      users.${cfg.user} = {
        isSystemUser = true;
        inherit (cfg) group home;
      };
      groups.${cfg.group} = { };
    };
    rendered.ollama = cfg // {
      package = "${cfg.package}";
    };
  };
}
