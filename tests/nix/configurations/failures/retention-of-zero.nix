# Says: services.nixTrinity.retention.previous is 0
# Says: Set services.nixTrinity.retention.weekly = 1 or more.
# Says: services.nixTrinity.retention.monthly is 0
{
  services.nixTrinity = {
    enable = true;
    retention = {
      previous = 0;
      weekly = 0;
      monthly = 0;
    };
  };
}
