# Says: services.nixTrinity.tier: "optimal" is made for 64 GiB of memory, and services.nixTrinity.ramGiB is 16.
# Says: Set services.nixTrinity.tier = "minimum"
{
  services.nixTrinity = {
    enable = true;
    tier = "optimal";
    ramGiB = 16;
  };
}
