# Says: https://llm.example/v1 is a name
# Says: Set services.nixTrinity.openai.allowedAddresses
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    openai.url = "https://llm.example/v1";
    roles.expert = {
      engine = "openai";
      model = "big";
    };
  };
}
