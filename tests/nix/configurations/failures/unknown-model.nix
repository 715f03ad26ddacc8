# Says: services.nixTrinity.roles.expert.model: "mistrall:7b" is no model of the catalogue
# Says: services.nixTrinity.roles.expert.numCtx
{
  services.nixTrinity = {
    enable = true;
    roles.expert.model = "mistrall:7b";
  };
}
