# The engine: this machine's own services.ollama with exactly the models of the tier, or one elsewhere.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;
  engine = cfg.ollama;
  address = import ../lib/address.nix { inherit (engine) host port; };
  here = engine.enable && engine.createLocally;
in
{
  options.services.nixTrinity.ollama = {
    enable = lib.mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether roles are on Ollama. With none on another engine either, answers come from the search alone, and nothing is built.
      '';
    };

    package = lib.mkPackageOption pkgs "ollama" {
      example = "ollama-cuda";
      extraDescription = "Only used where {option}`services.nixTrinity.ollama.createLocally` is on; it yields to {option}`services.ollama.package`.";
    };

    host = lib.mkOption {
      type = types.nonEmptyStr;
      default = config.services.ollama.host;
      defaultText = lib.literalExpression "config.services.ollama.host";
      example = "192.168.1.20";
      description = ''
        Where Ollama is: an address, a name, or a whole URL such as `https://ollama.example`. Anything but this machine
        means that questions leave it, to that address alone.
      '';
    };

    port = lib.mkOption {
      type = types.port;
      default = config.services.ollama.port;
      defaultText = lib.literalExpression "config.services.ollama.port";
      description = "Ollama's port; not used where the host is a URL.";
    };

    createLocally = lib.mkOption {
      type = types.bool;
      default = address.isLoopback;
      defaultText = lib.literalMD "`true` where {option}`services.nixTrinity.ollama.host` is this machine";
      description = ''
        Whether to run {option}`services.ollama` here and have it load the tier's models. Ollama pulls them from its
        library at the first start. For one that runs elsewhere, pull them there.
      '';
    };

    allowedAddresses = lib.mkOption {
      type = types.listOf types.nonEmptyStr;
      default = lib.optional (!address.isLoopback && address.isAddress) address.name;
      defaultText = lib.literalMD "{option}`services.nixTrinity.ollama.host` where it is an IP address, else none";
      example = [ "192.168.1.0/24" ];
      description = ''
        The addresses, besides loopback, that the daemon can reach (systemd's IPAddressAllow=). For a host with a name,
        give the addresses that the name stands for; without nscd, which NixOS runs by default, the name server's too.
      '';
    };

    url = lib.mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      default = address.url;
      defaultText = lib.literalMD "made of host and port";
      description = "Where the daemon finds Ollama.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = !here || address.isLoopback;
        message = ''
          services.nixTrinity.ollama.createLocally is on, but services.nixTrinity.ollama.host = "${engine.host}" is another machine.
          Set services.nixTrinity.ollama.createLocally = false, or leave the host out.'';
      }
      {
        assertion = !here || engine.port == config.services.ollama.port;
        message = ''
          services.nixTrinity.ollama.port is ${toString engine.port}, and the Ollama that is created here listens on ${toString config.services.ollama.port}.
          Set services.ollama.port = ${toString engine.port}; services.nixTrinity.ollama.port follows it.'';
      }
      {
        assertion = !engine.enable || address.isLoopback || engine.allowedAddresses != [ ];
        message = ''
          services.nixTrinity.ollama.host = "${engine.host}" is a name, and the daemon can reach only addresses that are listed.
          Set services.nixTrinity.ollama.allowedAddresses to those that the name stands for, for example [ "192.168.1.20" ].'';
      }
      {
        # The loader of services.ollama runs `ollama rm` on every model that is not declared.
        assertion = !here || !(config.services.ollama.syncModels or false);
        message = ''
          services.ollama.syncModels would remove every version that services.nixTrinity builds, since none of them is declared.
          Set services.ollama.syncModels = false; services.nixTrinity.timers.prune removes old versions.'';
      }
    ];

    services.ollama = lib.mkIf here {
      enable = true;
      package = lib.mkDefault engine.package;
      loadModels =
        cfg.resolved.bases
        ++ lib.optional (
          cfg.resolved.embedding != "" && cfg.openai.embeddingModel == ""
        ) cfg.resolved.embedding;
    };

    services.nixTrinity.settings.ollama = {
      enabled = engine.enable;
      inherit (engine) url;
    };
  };
}
