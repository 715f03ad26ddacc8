# Says: services.nixTrinity.httpTokenFile
# Says: null or string
# A path without quotes would be copied into the store, which everyone can read.
{
  services.nixTrinity = {
    enable = true;
    httpPort = 11480;
    httpTokenFile = ../files/coder.Modelfile;
  };
}
