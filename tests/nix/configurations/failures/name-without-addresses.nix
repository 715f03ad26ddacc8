# Says: services.nixTrinity.ollama.host = "ollama.example" is a name
# Says: Set services.nixTrinity.ollama.allowedAddresses
{
  services.nixTrinity = {
    enable = true;
    ollama.host = "ollama.example";
  };
}
