# The tier "optimal" on a machine that just has its memory.
{
  services.nixTrinity = {
    enable = true;
    tier = "optimal";
    ramGiB = 64;
  };
}
