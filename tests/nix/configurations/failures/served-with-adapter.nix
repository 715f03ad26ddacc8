# Says: services.nixTrinity.roles.expert.adapter
# Says: Take the adapter out
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    openai.url = "http://127.0.0.1:8000/v1";
    roles.expert = {
      engine = "openai";
      model = "big";
      adapter = "/var/lib/adapters/expert.gguf";
    };
  };
}
