# Says: services.nixTrinity.roles.expert.apiKeyFile = "secrets/key" is no absolute path
# Says: Write it from the root on
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    roles.expert = {
      engine = "openai";
      url = "http://127.0.0.1:8000/v1";
      model = "big";
      apiKeyFile = "secrets/key";
    };
  };
}
