# What the NixOS module has to know of a person's own Modelfile: which model has to be in Ollama, and with which
# window. Builtins alone; the daemon reads the file whole, and checks it when the system is built.
{ file }:
let
  lines = builtins.filter builtins.isString (builtins.split "\n" (builtins.readFile file));

  # The first line that matches, or null: Ollama takes the first FROM.
  first =
    pattern:
    builtins.foldl' (
      found: line:
      let
        match = builtins.match pattern line;
      in
      if found != null || match == null then found else builtins.head match
    ) null lines;

  numCtx = first "[ \t]*[Pp][Aa][Rr][Aa][Mm][Ee][Tt][Ee][Rr][ \t]+num_ctx[ \t]+([0-9]+)[ \t\r]*";
in
{
  model = first "[ \t]*[Ff][Rr][Oo][Mm][ \t]+([^ \t\r]+)[ \t\r]*";
  numCtx = if numCtx == null then null else builtins.fromJSON numCtx;
}
