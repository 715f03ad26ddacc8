# Says: services.nixTrinity.packs: entry 0 is no pack
# Says: Make it a path
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    packs = [ "team-knowledge" ];
  };
}
