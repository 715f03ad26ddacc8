# Says: services.nixTrinity.roles: "mistral:7b" would be loaded anew
# Says: expert.numCtx is 8192
# Says: to one number for all of them
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    roles.expert.numCtx = 8192;
  };
}
