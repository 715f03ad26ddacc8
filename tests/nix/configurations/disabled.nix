# The module imported and nothing turned on: nothing of the system changes.
{
  services.nixTrinity = {
    tier = "optimal";
    httpPort = 11480;
    roles.expert.model = "qwen3:30b-instruct";
  };
}
