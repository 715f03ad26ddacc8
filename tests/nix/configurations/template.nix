# The example that people start from.
{
  imports = [ ../../../nix/template/configuration.nix ];
}
