# What the NixOS module has to know of a person's own Modelfile: which model has to be in Ollama, and with which
# window. Builtins alone; the daemon reads the file whole, and checks it when the system is built.
{
  # A path, or a string that names one in the store, such as a flake input's; null for none.
  file,
}:
let
  isInStore =
    text: builtins.substring 0 (builtins.stringLength builtins.storeDir) text == builtins.storeDir;
  text =
    if builtins.isPath file || (builtins.isString file && isInStore file) then
      builtins.readFile file
    else
      "";

  pieces = separator: text: builtins.filter builtins.isString (builtins.split separator text);

  # What stands between """ and """ is text for the model, even where it looks like a command: every second piece.
  quoted = pieces "\"\"\"" text;
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
