# Says: services.nixTrinity.operators: there is no group "admins"
# Says: users.groups."admins" = { };
{
  services.nixTrinity = {
    enable = true;
    operators = "admins";
  };
}
