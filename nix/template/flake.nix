{
  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
    # Where you have it from; a checkout is "git+file:///home/you/nix-trinity".
    nix-trinity.url = "github:OWNER/nix-trinity";
    nix-trinity.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, nix-trinity, ... }:
    {
      nixosConfigurations.machine = nixpkgs.lib.nixosSystem {
        modules = [
          nix-trinity.nixosModules.default
          ./configuration.nix
        ];
      };
    };
}
