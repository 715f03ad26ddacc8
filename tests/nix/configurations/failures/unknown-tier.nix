# Says: services.nixTrinity.tier
# Says: one of "auto", "tiny", "minimum", "recommended", "optimal"
{
  services.nixTrinity = {
    enable = true;
    tier = "huge";
  };
}
