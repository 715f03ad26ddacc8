# Says: services.nixTrinity.httpTokenFile = "secrets/token" is no absolute path.
{
  services.nixTrinity = {
    enable = true;
    httpPort = 11480;
    httpTokenFile = "secrets/token";
  };
}
