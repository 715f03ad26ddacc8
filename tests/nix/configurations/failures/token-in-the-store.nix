# Says: services.nixTrinity.httpTokenFile
# Says: lies in the Nix store
# Says: Keep the file outside the store
{
  services.nixTrinity = {
    enable = true;
    httpPort = 11480;
    httpTokenFile = "/nix/store/00000000000000000000000000000000-token";
  };
}
