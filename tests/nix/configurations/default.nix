# What a person gets who turns it on and says nothing else.
{
  services.nixTrinity.enable = true;
}
