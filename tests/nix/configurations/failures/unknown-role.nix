# Says: services.nixTrinity.roles.teacher: there is no such role.
# Says: expert, empathy, coder, quick
{
  services.nixTrinity = {
    enable = true;
    roles.teacher.model = "mistral:7b";
  };
}
