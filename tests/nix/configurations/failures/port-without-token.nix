# Says: services.nixTrinity.httpPort is set without services.nixTrinity.httpTokenFile
{
  services.nixTrinity = {
    enable = true;
    httpPort = 11480;
  };
}
