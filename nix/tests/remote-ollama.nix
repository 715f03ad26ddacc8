# Ollama on a machine of its own, which lets the network in.
{ pkgs, self }:
import ./shared/scenario.nix {
  inherit pkgs self;
  name = "remote-ollama";
  machine.services.nixTrinity.ollama.host = "192.168.1.1";
  environment.OLLAMA_URL = "http://192.168.1.1:11434";
  nodes.engine = {
    imports = [ ./shared/ollama.nix ];
    services.ollama.host = "0.0.0.0";
    services.ollama.openFirewall = true;
  };
}
