# Where Ollama is, from what a person wrote: a host name, an IP address, or a whole URL. Builtins alone.
{ host, port }:
let
  matchOr =
    fallback: pattern: text:
    let
      match = builtins.match pattern text;
    in
    if match == null then fallback else builtins.head match;

  isUrl = builtins.match "https?://.*" host != null;

  # Addresses that mean "every interface" to a server; a client reaches it on loopback.
  reachable =
    {
      "0.0.0.0" = "127.0.0.1";
      "::" = "::1";
      "[::]" = "::1";
    }
    .${host} or host;

  bare = matchOr reachable "\\[(.*)]" reachable;
  isIPv6 = builtins.match ".*:.*:.*" bare != null;
  name =
    if isUrl then
      matchOr (matchOr "" "https?://([^/:]+).*" host) "https?://\\[([^]]+)].*" host
    else
      bare;
in
rec {
  inherit name;

  url =
    if isUrl then
      host
    else if isIPv6 then
      "http://[${bare}]:${toString port}"
    else
      "http://${bare}:${toString port}";

  isAddress = builtins.match "[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+|.*:.*:.*" name != null;

  isLoopback =
    name == "localhost"
    || name == "::1"
    || builtins.match "127\\.[0-9]+\\.[0-9]+\\.[0-9]+" name != null;
}
