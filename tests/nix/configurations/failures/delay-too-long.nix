# Says: services.nixTrinity.timers.weekly.randomizedDelaySec
# Says: between 0 and 3600
{
  services.nixTrinity = {
    enable = true;
    timers.weekly.randomizedDelaySec = 86400;
  };
}
