# Says: services.nixTrinity.openai.apiKeyFile
# Says: Keep the file outside the store
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    openai.apiKeyFile = "/nix/store/00000000000000000000000000000000-key";
  };
}
