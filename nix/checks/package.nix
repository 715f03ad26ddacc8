# Builds the package, which runs its unit tests.
{ pkgs, ... }: pkgs.nix-trinity
