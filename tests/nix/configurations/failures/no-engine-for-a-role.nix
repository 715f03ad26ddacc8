# Says: services.nixTrinity.ollama.enable is false, and empathy, coder, quick would be on Ollama
# Says: engine = "openai" for them too
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    ollama.enable = false;
    openai.url = "http://127.0.0.1:8000/v1";
    roles.expert = {
      engine = "openai";
      model = "big";
    };
  };
}
