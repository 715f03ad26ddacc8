# Says: services.nixTrinity.timer
# Says: does not exist
{
  services.nixTrinity = {
    enable = true;
    timer.weekly.enable = false;
  };
}
