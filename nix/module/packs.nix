# Knowledge packs: notes and reviewed exchanges that others wrote, from flake inputs or folders.
{ config, lib, ... }:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;

  # The folder of an input in the store does not tell its revision.
  revisionOf =
    input:
    input.shortRev or input.rev or input.dirtyShortRev
      or (builtins.substring 0 8 (input.lastModifiedDate or ""));

  entry =
    pack:
    if !(builtins.isAttrs pack) || lib.isDerivation pack then
      "${pack}"
    else
      lib.filterAttrs (_: value: value != "") {
        path = "${pack.outPath or pack.path}";
        name = if pack ? outPath then "" else pack.name or "";
        revision = if pack ? outPath then revisionOf pack else pack.revision or "";
      };

  isPack =
    pack:
    builtins.isPath pack
    || builtins.isString pack && lib.hasPrefix "/" pack
    ||
      builtins.isAttrs pack
      && (
        pack ? outPath
        ||
          pack ? path
          &&
            removeAttrs pack [
              "path"
              "name"
              "revision"
            ] == { }
      );
in
{
  options.services.nixTrinity.packs = lib.mkOption {
    type = types.listOf types.raw;
    default = [ ];
    example = lib.literalExpression ''
      [
        inputs.team-knowledge
        ./our-pack
        {
          path = inputs.monorepo + "/knowledge";
          name = "monorepo";
          revision = inputs.monorepo.shortRev;
        }
      ]
    '';
    description = ''
      Knowledge packs: folders with a {file}`pack.toml`, notes and reviewed exchanges (docs/reference/packs.md), as flake
      inputs, paths, or `{ path; name; revision; }`. They are used like your own notes, named with revision and licence in
      an answer's sources, and checked by the options of this system. A pack that is taken out of this list is gone from the
      index with all its traces.
    '';
  };

  config = lib.mkIf cfg.enable {
    assertions = lib.imap0 (index: pack: {
      assertion = isPack pack;
      message = ''
        services.nixTrinity.packs: entry ${toString index} is no pack.
        Make it a path (./our-pack, without quotes), a flake input, or { path; name; revision; }.'';
    }) cfg.packs;

    services.nixTrinity.settings.corpus.packs = lib.mkIf (cfg.packs != [ ]) (
      map entry (lib.filter isPack cfg.packs)
    );
  };
}
