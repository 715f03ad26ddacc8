# Says: services.nixTrinity.roles.expert.modelfile = "/home/alice/expert.Modelfile"
# Says: Write it as a path
{
  services.nixTrinity = {
    enable = true;
    roles.expert.modelfile = "/home/alice/expert.Modelfile";
  };
}
