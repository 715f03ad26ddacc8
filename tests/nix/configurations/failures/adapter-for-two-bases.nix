# Says: services.nixTrinity.roles.expert.adapter and services.nixTrinity.roles.coder.adapter are one adapter
{
  services.nixTrinity = {
    enable = true;
    tier = "recommended";
    roles.expert.adapter = "/var/lib/adapters/house.gguf";
    roles.coder.adapter = "/var/lib/adapters/house.gguf";
  };
}
