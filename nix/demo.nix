# `nix run .#demo`: what the product does, beside whatever runs on this machine, and nothing left behind. It takes
# Ollama from nixpkgs, and from Ollama's library the smallest model that is of use.
{
  writeShellApplication,
  coreutils,
  curl,
  nix-trinity,
  ollama,
}:
writeShellApplication {
  name = "nix-trinity-demo";
  runtimeInputs = [
    coreutils
    curl
    nix-trinity
    ollama
  ];
  text = builtins.readFile ./demo.sh;
}
