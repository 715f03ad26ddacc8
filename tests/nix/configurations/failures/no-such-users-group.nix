# Says: services.nixTrinity.users: there is no group "family"
# Says: users.groups."family" = { };
{
  services.nixTrinity = {
    enable = true;
    users = "family";
  };
}
