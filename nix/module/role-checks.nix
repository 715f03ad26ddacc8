# The assertions on services.nixTrinity.roles: each names the option and the fix.
{
  lib,
  catalogue,
  # What a person gave, what of it counts with their Modelfiles read, and what came of it.
  given,
  chosen,
  roles,
  # A served model has whatever window its server gives it.
  onOllama,
  modern,
  tier,
}:
let
  # Each two roles once.
  pairs = lib.concatLists (
    lib.imap1 (
      index: one: map (other: { inherit one other; }) (lib.drop index catalogue.roleNames)
    ) catalogue.roleNames
  );

  sameBase =
    pair: catalogue.canonical roles.${pair.one}.base == catalogue.canonical roles.${pair.other}.base;

  roleOption = role: name: "services.nixTrinity.roles.${role}.${name}";

  tierModels =
    if modern then
      catalogue.catalogue.tiers.${tier}.modern
    else
      catalogue.catalogue.tiers.${tier}.roles;

  checkName = role: {
    assertion = lib.elem role catalogue.roleNames;
    message = ''
      services.nixTrinity.roles.${role}: there is no such role.
      The roles are ${lib.concatStringsSep ", " catalogue.roleNames}.'';
  };

  checkModelfile =
    role:
    let
      inherit (given.${role}) modelfile;
    in
    {
      assertion =
        modelfile == null
        || builtins.isPath modelfile
        || lib.hasPrefix builtins.storeDir (toString modelfile);
      message = ''
        ${roleOption role "modelfile"} = "${toString modelfile}" cannot be read when the system is built, nor by the daemon.
        Write it as a path (./${role}.Modelfile, without quotes): it then becomes part of the system.'';
    };

  checkRole =
    role:
    let
      inherit (roles.${role}) base numCtx;
      known = catalogue.model base;
    in
    [
      {
        assertion = known != null || chosen.${role}.numCtx != null;
        message = ''
          ${roleOption role "model"}: "${base}" is no model of the catalogue, so its context window is unknown.
          Correct the name (known: ${lib.concatStringsSep ", " catalogue.modelNames}), or, for a model of your own, also
          set ${roleOption role "numCtx"}, for example to 4096.'';
      }
      {
        assertion = !(known.embedding or false);
        message = ''
          ${roleOption role "model"}: "${base}" is an embedding model and cannot answer.
          Choose a chat model, or leave the option out for the tier's own (${tierModels.${role}}).'';
      }
      {
        assertion = known == null || numCtx <= known.max_ctx;
        message = ''
          ${roleOption role "numCtx"}: "${base}" takes ${toString (known.max_ctx or 0)} tokens at most, and not ${toString numCtx}.
          Set ${roleOption role "numCtx"} = ${toString (known.max_ctx or 0)} or less.'';
      }
    ];

  checkAdapter = pair: {
    assertion =
      (given.${pair.one}.adapter or null) == null
      || (given.${pair.one}.adapter or null) != (given.${pair.other}.adapter or null)
      || sameBase pair;
    message = ''
      ${roleOption pair.one "adapter"} and ${roleOption pair.other "adapter"} are one adapter, but the roles' models differ
      ("${roles.${pair.one}.base}" and "${roles.${pair.other}.base}"), and an adapter fits one base only.
      Give both roles one model, or take the adapter from one of them.'';
  };

  # One model has one window: with two, each change of role would load it anew.
  checkContexts =
    base:
    let
      users = lib.filter (
        role: catalogue.canonical roles.${role}.base == catalogue.canonical base
      ) onOllama;
      contexts = map (role: roles.${role}.numCtx) users;
    in
    {
      assertion = lib.all (numCtx: numCtx == lib.head contexts) contexts;
      message = ''
        services.nixTrinity.roles: "${base}" would be loaded anew at each change of role, since its context window is not one number (${
          lib.concatMapStringsSep ", " (role: "${role}.numCtx is ${toString roles.${role}.numCtx}") users
        }).
        Set services.nixTrinity.roles.<role>.numCtx to one number for all of them, or give some of them another model.'';
    };

  names = lib.attrNames given;
  known = lib.filter (role: lib.elem role onOllama) names;
in
map checkName names
++ map checkModelfile names
++ lib.concatMap checkRole known
++ map checkAdapter pairs
++ map checkContexts (catalogue.basesOf (lib.getAttrs onOllama roles))
