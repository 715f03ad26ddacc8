# Says: services.nixTrinity.retention.exchangeDays
# Says: positive integer
{
  services.nixTrinity = {
    enable = true;
    retention.exchangeDays = 0;
  };
}
