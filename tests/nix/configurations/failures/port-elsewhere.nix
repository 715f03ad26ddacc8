# Says: services.nixTrinity.ollama.port is 11435
# Says: Set services.ollama.port = 11435
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    ollama.port = 11435;
  };
}
