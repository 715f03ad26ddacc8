# Another machine does the thinking: nothing of Ollama is set up here, and that one address can be reached.
{
  services.nixTrinity = {
    enable = true;
    tier = "recommended";
    ollama.host = "192.168.1.20";
  };
}
