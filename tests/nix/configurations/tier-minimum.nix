# The tier "minimum" on a machine that just has its memory.
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    ramGiB = 8;
  };
}
