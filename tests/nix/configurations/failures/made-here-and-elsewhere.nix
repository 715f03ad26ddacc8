# Says: services.nixTrinity.ollama.createLocally is on, but services.nixTrinity.ollama.host = "192.168.1.20"
{
  services.nixTrinity = {
    enable = true;
    ollama = {
      host = "192.168.1.20";
      createLocally = true;
    };
  };
}
