# Says: services.nixTrinity.roles.expert.model is not set
# Says: Set it to a name that the server lists
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    openai.url = "http://127.0.0.1:8000/v1";
    roles.expert.engine = "openai";
  };
}
