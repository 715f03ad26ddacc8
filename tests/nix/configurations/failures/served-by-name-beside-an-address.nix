# Says: https://llm.example/v1 is a name
# Says: Set services.nixTrinity.openai.allowedAddresses to 192.168.1.20 and those that the name stands for
# The address of the one server does not let the daemon reach the other.
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    openai.url = "http://192.168.1.20:8000/v1";
    roles.expert = {
      engine = "openai";
      url = "https://llm.example/v1";
      model = "big";
    };
  };
}
