# The same by a URL with a name, whose addresses have to be given.
{
  services.nixTrinity = {
    enable = true;
    tier = "recommended";
    ollama = {
      host = "https://ollama.example";
      allowedAddresses = [
        "192.168.1.20"
        "2001:db8::20"
      ];
    };
  };
}
