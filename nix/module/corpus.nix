# What answers are grounded in: the options of this very configuration, the manual, and notes of one's own.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;

  fileOption =
    args:
    lib.mkOption (
      {
        type = types.nullOr (types.either types.path types.package);
      }
      // args
    );

  documented = config.documentation.enable && config.documentation.nixos.enable;

  ofThisSystem = config.system.build.manual.optionsJSON;

  # The release as it is shipped: what this nixpkgs documents without any configuration. It is in the binary cache.
  ofTheRelease =
    (pkgs.nixos { documentation.nixos.enable = true; }).config.system.build.manual.optionsJSON;

  optionsFile = "share/doc/nixos/options.json";

  path = value: if value == null then "" else "${value}";
in
{
  options.services.nixTrinity.corpus = {
    options = fileOption {
      default = "${if documented then ofThisSystem else ofTheRelease}/${optionsFile}";
      defaultText = lib.literalExpression ''"''${config.system.build.manual.optionsJSON}/${optionsFile}"'';
      description = ''
        The list of options that answers are grounded in and checked against, as NixOS' manual build makes it; `null` for
        none. By default it is this very configuration's. With {option}`documentation.nixos.includeAllModules` it has the
        options of modules from outside nixpkgs as well.
      '';
    };

    manual = fileOption {
      default = builtins.path {
        name = "nixos-manual-sources";
        path = pkgs.path + "/nixos/doc/manual";
      };
      defaultText = lib.literalExpression ''pkgs.path + "/nixos/doc/manual"'';
      example = lib.literalExpression ''pkgs.path + "/doc"'';
      description = "A folder of Markdown that passages are found in: the manual's sources in nixpkgs; `null` for none.";
    };

    homeManager = fileOption {
      default = null;
      example = lib.literalExpression ''"''${inputs.home-manager.packages.''${pkgs.system}.docs-json}/share/doc/home-manager/options.json"'';
      description = "Home Manager's list of options, so that answers about it are checked too; `null` for none.";
    };

    notes = lib.mkOption {
      type = types.listOf types.path;
      default = [ ];
      example = lib.literalExpression "[ ./notes ]";
      description = ''
        Folders with notes of your own, besides ours: Markdown in the form that docs/reference/notes.md describes. They
        become part of the system, which everyone on it can read.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    warnings =
      lib.optional (!documented && cfg.corpus.options == "${ofTheRelease}/${optionsFile}") ''
        services.nixTrinity: documentation is off (documentation.enable or documentation.nixos.enable), so answers are grounded
        in the options of the plain release; those of your own modules are unknown to it.
        Set documentation.nixos.enable = true, or services.nixTrinity.corpus.options to a list of your own.''
      ++ lib.optional (cfg.corpus.options == null) ''
        services.nixTrinity.corpus.options is null: no answer can be checked against the options of this system.
        Leave it out to have them.'';

    services.nixTrinity.settings.corpus = {
      options = path cfg.corpus.options;
      manual = path cfg.corpus.manual;
      home_manager_options = path cfg.corpus.homeManager;
      notes = map path cfg.corpus.notes;
      # The Nix that this system runs has the last word on an answer's syntax.
      nix_instantiate = lib.getExe' config.nix.package "nix-instantiate";
    };
  };
}
