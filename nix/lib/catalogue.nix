# What modelfiles/catalogue.toml says, with builtins alone: the very file that the daemon reads, worked out by the same
# rules (daemon/nix_trinity/catalogue.py). tests/nix holds the two to one another.
{
  file ? ../../modelfiles/catalogue.toml,
}:
let
  inherit (builtins)
    attrNames
    attrValues
    filter
    head
    length
    listToAttrs
    sort
    ;

  catalogue = builtins.fromTOML (builtins.readFile file);

  # What Ollama itself falls back to on small machines; used for a model that the catalogue does not know.
  unknownModelNumCtx = 4096;

  roleNames = [
    "expert"
    "empathy"
    "coder"
    "quick"
  ];

  tierNames = sort (
    one: other: catalogue.tiers.${one}.ram_gib_min < catalogue.tiers.${other}.ram_gib_min
  ) (attrNames catalogue.tiers);

  last = list: builtins.elemAt list (length list - 1);

  # A machine sold with N GiB reports less to its system: see [memory] in the catalogue.
  reportedGiB = tier: catalogue.tiers.${tier}.ram_gib_min * (1 - catalogue.memory.slack_ratio);

  reaches = tier: ramGiB: ramGiB >= reportedGiB tier;

  tierFor =
    ramGiB:
    let
      reached = filter (tier: reaches tier ramGiB) tierNames;
    in
    if reached == [ ] then head tierNames else last reached;

  lower = builtins.replaceStrings (chars "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
    chars "abcdefghijklmnopqrstuvwxyz"
  );

  chars =
    text: builtins.genList (index: builtins.substring index 1 text) (builtins.stringLength text);

  # Two names mean one model to Ollama when they differ in case or by ":latest" alone.
  canonical =
    name:
    let
      small = lower name;
      match = builtins.match "(.*):latest" small;
    in
    if match == null then small else head match;

  byCanonicalName = listToAttrs (
    map (name: {
      name = canonical name;
      value = catalogue.models.${name} // {
        inherit name;
      };
    }) (attrNames catalogue.models)
  );

  model = name: byCanonicalName.${canonical name} or null;

  resolve =
    {
      tier,
      modern ? false,
      roles ? { },
    }:
    let
      bases = if modern then catalogue.tiers.${tier}.modern else catalogue.tiers.${tier}.roles;
      resolved =
        role:
        let
          given = roles.${role} or { };
          chosen = given.model or null;
          base = if chosen == null then bases.${role} else chosen;
          known = model base;
          numCtx = given.numCtx or null;
        in
        {
          inherit base;
          numCtx =
            if numCtx != null then
              numCtx
            else if known != null then
              known.num_ctx
            else
              unknownModelNumCtx;
        };
    in
    listToAttrs (
      map (role: {
        name = role;
        value = resolved role;
      }) roleNames
    );

  embedding = tier: catalogue.tiers.${tier}.embedding or "";

  # Each model once, in the order of the roles.
  basesOf =
    resolved:
    builtins.foldl' (
      found: role:
      let
        inherit (resolved.${role}) base;
      in
      if builtins.elem (canonical base) (map canonical found) then found else found ++ [ base ]
    ) [ ] (filter (role: resolved ? ${role}) roleNames);
in
{
  inherit
    catalogue
    roleNames
    tierNames
    reaches
    tierFor
    canonical
    model
    resolve
    embedding
    basesOf
    ;

  modelNames = attrNames catalogue.models;
  embeddingModels = map (entry: entry.name) (
    filter (entry: entry.embedding or false) (attrValues byCanonicalName)
  );
}
