# One role on a server elsewhere, the others on this machine's Ollama.
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    openai.url = "https://llm.example/v1";
    openai.allowedAddresses = [ "192.168.1.20" ];
    roles.expert = {
      engine = "openai";
      model = "qwen3-32b";
    };
  };
}
