# A system without its manual: answers are grounded in what the plain release documents, and a warning says so.
{
  services.nixTrinity = {
    enable = true;
    ramGiB = 8;
  };
  documentation.nixos.enable = false;
}
