# Which model plays which role on this machine: the tier, and what a person chose otherwise.
{ config, lib, ... }:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;
  catalogue = import ../lib/catalogue.nix { };

  # nixos-facter's report lists the modules of memory; "phys_mem" is what is fitted, in bytes.
  facterModules =
    config.hardware.facter.report.hardware.memory or config.facter.report.hardware.memory or [ ];
  facterBytes = lib.foldl' (
    sum: device:
    lib.foldl' (
      inner: resource: inner + (if resource.type or "" == "phys_mem" then resource.range or 0 else 0)
    ) sum (device.resources or [ ])
  ) 0 facterModules;

  # The memory of this machine says nothing about models that run on another one.
  runsHere = cfg.ollama.enable && cfg.ollama.createLocally;
  ramIsKnown = cfg.ramGiB != null;

  tier =
    if cfg.tier != "auto" then
      cfg.tier
    else if ramIsKnown then
      catalogue.tierFor cfg.ramGiB
    else
      "minimum";

  # What a role is to be, with what its own Modelfile says where the options say nothing.
  chosen = lib.mapAttrs (
    _: role:
    let
      own = import ../lib/modelfile.nix { file = role.modelfile; };
    in
    {
      model = if role.model != null then role.model else own.model;
      numCtx = if role.numCtx != null then role.numCtx else own.numCtx;
    }
  ) cfg.roles;

  roles = catalogue.resolve {
    inherit tier;
    inherit (cfg) modern;
    roles = chosen;
  };

  # "auto" that knows nothing is worth a word: a bigger machine is under-used, a smaller one is asked too much.
  tooBigForRam = lib.filter (
    role:
    let
      known = catalogue.model roles.${role}.base;
    in
    known != null && known.memory_gib > cfg.ramGiB - catalogue.catalogue.memory.system_gib
  ) cfg.engines.rolesOnOllama;
in
{
  options.services.nixTrinity = {
    tier = lib.mkOption {
      type = types.enum ([ "auto" ] ++ catalogue.tierNames);
      default = "auto";
      description = ''
        How big the models are: ${
          lib.concatMapStringsSep "; " (
            name: "`${name}` (${catalogue.catalogue.tiers.${name}.description})"
          ) catalogue.tierNames
        }. `auto` takes the largest for {option}`services.nixTrinity.ramGiB`, or `minimum` where that is not known.
      '';
    };

    ramGiB = lib.mkOption {
      type = types.nullOr (types.addCheck types.number (value: value > 0));
      default = if facterBytes > 0 then facterBytes / 1073741824 else null;
      defaultText = lib.literalMD "the memory in nixos-facter's report where there is one, else `null`";
      example = 32;
      description = "This machine's memory in GiB, as it was sold or as `free -g` shows it; it chooses or checks the tier.";
    };

    modern = lib.mkOption {
      type = types.bool;
      default = false;
      description = "Whether to take the tier's newer models instead of those that the training strategy names.";
    };

    roles = lib.mkOption {
      default = { };
      example = lib.literalExpression ''{ coder.model = "qwen2.5-coder:7b"; }'';
      description = "What is to be otherwise for one of the roles ${lib.concatStringsSep ", " catalogue.roleNames}.";
      type = types.attrsOf (
        types.submodule {
          options = {
            model = lib.mkOption {
              type = types.nullOr types.nonEmptyStr;
              default = null;
              example = "qwen2.5-coder:7b";
              description = "The model that plays this role, by its name in Ollama; `null` leaves it to the tier.";
            };
            engine = lib.mkOption {
              type = types.enum [
                "ollama"
                "openai"
              ];
              default = "ollama";
              description = "What has this role's model: Ollama, or a server with OpenAI's API.";
            };
            url = lib.mkOption {
              type = types.nullOr types.nonEmptyStr;
              default = null;
              example = "http://192.168.1.21:8000/v1";
              description = "The role's own server, where its engine is `openai`; `null` for {option}`services.nixTrinity.openai.url`.";
            };
            apiKeyFile = lib.mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "/run/secrets/other-key";
              description = "A file, outside the store, with the key of the role's own server.";
            };
            modelfile = lib.mkOption {
              type = types.nullOr types.path;
              default = null;
              example = lib.literalExpression "./expert.Modelfile";
              description = ''
                A Modelfile of your own in place of ours. It is checked when the system is built. {option}`services.ollama` loads
                its model; for a file that is itself made by a build (`pkgs.writeText`), name that in the role's `model` too.
              '';
            };
            adapter = lib.mkOption {
              type = types.nullOr (types.either types.path types.nonEmptyStr);
              default = null;
              example = "/var/lib/adapters/expert.gguf";
              description = "A LoRA adapter made elsewhere: a GGUF file that the daemon may read, or a model of Ollama's that has it.";
            };
            numCtx = lib.mkOption {
              type = types.nullOr (types.ints.between 512 1048576);
              default = null;
              example = 8192;
              description = "The context window in tokens; `null` takes the catalogue's. Roles on one model need one number.";
            };
          };
        }
      );
    };

    resolved = lib.mkOption {
      type = types.raw;
      internal = true;
      readOnly = true;
      default = {
        inherit tier roles;
        embedding =
          if cfg.openai.embeddingModel != "" then
            cfg.openai.embeddingModel
          else if cfg.ollama.enable then
            catalogue.embedding tier
          else
            "";
        bases = catalogue.basesOf (lib.getAttrs cfg.engines.rolesOnOllama roles);
      };
      defaultText = lib.literalMD "worked out from the catalogue";
      description = "The tier in force, each role's base and window, and the embedding model.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion =
          !(runsHere && ramIsKnown) || cfg.tier == "auto" || catalogue.reaches cfg.tier cfg.ramGiB;
        message = ''
          services.nixTrinity.tier: "${cfg.tier}" is made for ${
            toString catalogue.catalogue.tiers.${tier}.ram_gib_min
          } GiB of memory, and services.nixTrinity.ramGiB is ${toString cfg.ramGiB}.
          Set services.nixTrinity.tier = "${
            if ramIsKnown then catalogue.tierFor cfg.ramGiB else "auto"
          }", the largest that fits, or correct services.nixTrinity.ramGiB.'';
      }
    ]
    ++ import ./role-checks.nix {
      onOllama = cfg.engines.rolesOnOllama;
      inherit
        catalogue
        chosen
        lib
        roles
        ;
      inherit (cfg) modern;
      inherit tier;
      given = cfg.roles;
    };

    warnings =
      lib.optional (runsHere && cfg.tier == "auto" && !ramIsKnown) ''
        services.nixTrinity: how much memory this machine has is not known, so the models are those of the tier "minimum" (8 GB).
        Set services.nixTrinity.ramGiB (what `free -g` shows) or services.nixTrinity.tier.''
      ++ lib.optional (runsHere && ramIsKnown && tooBigForRam != [ ]) ''
        services.nixTrinity: with ${toString cfg.ramGiB} GiB of memory, the model of ${lib.concatStringsSep ", " tooBigForRam} does not fit beside the system.
        Choose a smaller one in services.nixTrinity.roles.${lib.head tooBigForRam}.model.'';

    services.nixTrinity.settings = {
      models = {
        inherit tier;
        inherit (cfg) modern;
        roles = lib.filterAttrs (_: role: role != { }) (
          lib.mapAttrs (
            name: role:
            lib.filterAttrs (_: value: value != null) {
              inherit (role) model url;
              engine = if role.engine == "openai" then "openai" else null;
              api_key_file = if role.apiKeyFile == null then null else "openai-key-${name}";
              modelfile = if role.modelfile == null then null else "${role.modelfile}";
              num_ctx = role.numCtx;
            }
          ) cfg.roles
        );
      };
      corpus.embedding_model = cfg.resolved.embedding;
      learning.adapters = lib.mapAttrs (_: role: "${role.adapter}") (
        lib.filterAttrs (_: role: role.adapter != null) cfg.roles
      );
    };
  };
}
