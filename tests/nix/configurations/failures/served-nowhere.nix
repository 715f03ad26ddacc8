# Says: services.nixTrinity.roles.expert.engine is "openai", and no server is named
# Says: Set services.nixTrinity.openai.url
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    roles.expert = {
      engine = "openai";
      model = "big";
    };
  };
}
