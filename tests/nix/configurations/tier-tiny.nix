# The tier "tiny" on a machine that just has its memory.
{
  services.nixTrinity = {
    enable = true;
    tier = "tiny";
    ramGiB = 6;
  };
}
