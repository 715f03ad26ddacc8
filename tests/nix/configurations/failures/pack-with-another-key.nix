# Says: services.nixTrinity.packs: entry 0 is no pack
# Says: { path; name; revision; }
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    packs = [
      {
        path = "/srv/knowledge";
        nmae = "house";
      }
    ];
  };
}
