# Servers with OpenAI's API: which roles are there, where they are, and their keys.
{ config, lib, ... }:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;
  catalogue = import ../lib/catalogue.nix { };
  secretFile = import ./secret-file.nix { inherit lib; };

  served = lib.filterAttrs (_: role: role.engine == "openai") cfg.roles;
  onOllama = lib.filter (
    role: (cfg.roles.${role}.engine or "ollama") == "ollama"
  ) catalogue.roleNames;

  # Key files by the name of their credential.
  keys =
    lib.optionalAttrs (cfg.openai.apiKeyFile != null) { openai-key = cfg.openai.apiKeyFile; }
    // lib.mapAttrs' (name: role: lib.nameValuePair "openai-key-${name}" role.apiKeyFile) (
      lib.filterAttrs (_: role: role.apiKeyFile != null) served
    );

  urls = lib.unique (
    lib.filter (url: url != null) ([ cfg.openai.url ] ++ lib.mapAttrsToList (_: role: role.url) served)
  );
  # The same reading of an address as ollama.host has; the port does not matter here.
  address =
    url:
    import ../lib/address.nix {
      host = url;
      port = 443;
    };
  elsewhere = lib.filter (url: !(address url).isLoopback) urls;
  named = lib.filter (url: !(address url).isAddress) elsewhere;
  numbers = lib.unique (map (url: (address url).name) (lib.subtractLists named elsewhere));

  optionOf =
    name:
    if name == "openai-key" then
      "openai.apiKeyFile"
    else
      "roles.${lib.removePrefix "openai-key-" name}.apiKeyFile";
in
{
  options.services.nixTrinity = {
    openai = {
      url = lib.mkOption {
        type = types.nullOr types.nonEmptyStr;
        default = null;
        example = "http://192.168.1.20:8000/v1";
        description = ''
          A server with OpenAI's API (vLLM, llama.cpp, llama-swap, LiteLLM, one in a cloud), for the roles whose
          {option}`services.nixTrinity.roles.<role>.engine` is `"openai"`. Questions to these roles leave this machine, to that
          address alone.
        '';
      };
      apiKeyFile = lib.mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/run/secrets/openai-key";
        description = ''
          A file, outside the store, with that server's key. systemd hands it to the daemon; only root need be able to read
          it. It is sent to {option}`services.nixTrinity.openai.url` and to no other address.
        '';
      };
      embeddingModel = lib.mkOption {
        type = types.str;
        default = "";
        example = "nomic-embed-text";
        description = "A model of that server that makes the options' vectors, in place of the tier's in Ollama; empty for none of it.";
      };
      allowedAddresses = lib.mkOption {
        type = types.listOf types.nonEmptyStr;
        default = numbers;
        defaultText = lib.literalMD "those of the servers' addresses that are IP addresses";
        example = [ "192.168.1.0/24" ];
        description = ''
          The addresses, besides loopback, that the daemon can reach for these servers (systemd's IPAddressAllow=). For a
          server with a name, give the addresses that the name stands for; `[ "any" ]` for one whose addresses change.
        '';
      };
    };

    engines = lib.mkOption {
      type = types.raw;
      internal = true;
      readOnly = true;
      default = {
        # Whether there is any: without one, answers come from the search alone.
        any = cfg.ollama.enable || served != { };
        rolesOnOllama = if cfg.ollama.enable then onOllama else [ ];
        allowedAddresses =
          lib.optionals cfg.ollama.enable cfg.ollama.allowedAddresses
          ++ lib.optionals (elsewhere != [ ]) cfg.openai.allowedAddresses;
      };
      defaultText = lib.literalMD "worked out from the roles";
      description = "Which engines there are, the roles on Ollama, and what the daemon has to reach.";
    };

    fallBack = lib.mkOption {
      type = types.either types.bool (types.listOf (types.enum catalogue.roleNames));
      default = false;
      example = [ "quick" ];
      description = ''
        Whether another role's model on another engine answers where a role's engine is away: the first of these roles whose
        engine is another one; `true` means all, in their usual order. The answer says so. Off by default: what was meant for
        this machine is not to be sent to another one unasked.
      '';
    };
  };
  config = lib.mkIf cfg.enable {
    assertions =
      lib.concatLists (
        lib.mapAttrsToList (
          name: file:
          secretFile {
            option = optionOf name;
            inherit file;
            example = "/run/secrets/openai-key";
          }
        ) keys
      )
      ++ lib.concatLists (
        lib.mapAttrsToList (name: role: [
          {
            assertion = role.model != null || role.modelfile != null;
            message = ''
              services.nixTrinity.roles.${name}.model is not set, and its engine is "openai": the tiers name models of Ollama only.
              Set it to a name that the server lists (curl URL/models).'';
          }
          {
            assertion = role.url != null || cfg.openai.url != null;
            message = ''
              services.nixTrinity.roles.${name}.engine is "openai", and no server is named.
              Set services.nixTrinity.openai.url, or services.nixTrinity.roles.${name}.url.'';
          }
          {
            assertion = role.adapter == null;
            message = ''
              services.nixTrinity.roles.${name}.adapter: a server with OpenAI's API takes no adapter from us.
              Take the adapter out, serve the model with it there, and name that in services.nixTrinity.roles.${name}.model.'';
          }
        ]) served
      )
      ++ [
        {
          assertion = cfg.ollama.enable || served == { } || onOllama == [ ];
          message = ''
            services.nixTrinity.ollama.enable is false, and ${lib.concatStringsSep ", " onOllama} would be on Ollama.
            Set services.nixTrinity.roles.<role>.engine = "openai" for them too, or services.nixTrinity.ollama.enable = true.'';
        }
        {
          # The addresses of other servers are no name's.
          assertion = named == [ ] || lib.subtractLists numbers cfg.openai.allowedAddresses != [ ];
          message = ''
            ${lib.head named} is a name, and the daemon can reach only addresses that are listed.
            Set services.nixTrinity.openai.allowedAddresses to ${
              lib.optionalString (numbers != [ ]) "${lib.concatStringsSep ", " numbers} and "
            }those that the name stands for, or to [ "any" ].'';
        }
      ];

    systemd.services.nix-trinity.serviceConfig = lib.mkIf (keys != { }) {
      LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") keys;
    };

    services.nixTrinity.settings = {
      openai = lib.filterAttrs (_: value: value != null) {
        inherit (cfg.openai) url;
        api_key_file = if cfg.openai.apiKeyFile != null then "openai-key" else null;
      };
      models.fall_back = lib.mkIf (cfg.fallBack != false) cfg.fallBack;
      corpus.embedding_engine = lib.mkIf (cfg.openai.embeddingModel != "") "openai";
    };
  };
}
