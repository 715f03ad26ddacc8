# What the NixOS module has to know of a person's own Modelfile: which model has to be in Ollama, and with which
# window. Builtins alone; the daemon reads the file whole, and checks it when the system is built.
{ file }:
let
  pieces = separator: text: builtins.filter builtins.isString (builtins.split separator text);

  # What stands between """ and """ is text for the model, even where it looks like a command: every second piece.
  quoted = pieces "\"\"\"" (builtins.readFile file);
  isOutside = index: index == 2 * (index / 2);
  commands = builtins.concatStringsSep "" (
    builtins.genList (index: if isOutside index then builtins.elemAt quoted index else "") (
      builtins.length quoted
    )
  );

  matches =
    pattern:
    builtins.concatMap (
      line:
      let
        match = builtins.match pattern line;
      in
      if match == null then [ ] else match
    ) (pieces "\n" commands);

  models = matches "[ \t]*[Ff][Rr][Oo][Mm][ \t]+\"?([^ \t\r\"]+)\"?[ \t\r]*";
  windows = matches "[ \t]*[Pp][Aa][Rr][Aa][Mm][Ee][Tt][Ee][Rr][ \t]+num_ctx[ \t]+\"?([0-9]+)\"?[ \t\r]*";
in
{
  # Ollama takes the first FROM, and of a parameter what is said last.
  model = if models == [ ] then null else builtins.head models;
  numCtx =
    if windows == [ ] then
      null
    else
      builtins.fromJSON (builtins.elemAt windows (builtins.length windows - 1));
}
