# The tier "recommended" on a machine that just has its memory.
{
  services.nixTrinity = {
    enable = true;
    tier = "recommended";
    ramGiB = 48;
  };
}
