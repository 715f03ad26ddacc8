{
  description = "A NixOS assistant that runs on your own machine and is true for that very machine";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;

      forEachSystem =
        make:
        lib.genAttrs [
          "x86_64-linux"
          "aarch64-linux"
        ] (system: make (nixpkgs.legacyPackages.${system}.extend self.overlays.default));

      # A folder's Nix files by their names, each called with the same arguments.
      called =
        folder: arguments:
        lib.mapAttrs' (
          file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (import (folder + "/${file}") arguments)
        ) (lib.filterAttrs (file: _: lib.hasSuffix ".nix" file) (builtins.readDir folder));
    in
    {
      packages = forEachSystem (pkgs: {
        default = pkgs.nix-trinity;
        inherit (pkgs) nix-trinity;
      });

      apps = forEachSystem (pkgs: {
        default = {
          type = "app";
          program = lib.getExe' pkgs.nix-trinity "ask-nix-guru";
          meta.description = "Ask a question about NixOS";
        };
        demo = {
          type = "app";
          program = lib.getExe (pkgs.callPackage ./nix/demo.nix { });
          meta.description = "Show what NixTrinity does, and leave nothing behind";
        };
      });

      nixosModules.default = ./nix/module;

      homeManagerModules.default = ./nix/home-manager;

      overlays.default = import ./nix/overlay.nix;

      devShells = forEachSystem (pkgs: {
        default = import ./nix/shell.nix { inherit pkgs; };
      });

      formatter = forEachSystem (pkgs: pkgs.nixfmt-tree);

      checks = forEachSystem (
        pkgs: called ./nix/checks { inherit pkgs self; } // called ./nix/tests { inherit pkgs self; }
      );

      templates.default = {
        path = ./nix/template;
        description = "A NixOS machine with NixTrinity";
      };
    };
}
