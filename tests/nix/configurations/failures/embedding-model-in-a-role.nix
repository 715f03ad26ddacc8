# Says: services.nixTrinity.roles.quick.model: "nomic-embed-text" is an embedding model
{
  services.nixTrinity = {
    enable = true;
    roles.quick.model = "nomic-embed-text";
  };
}
