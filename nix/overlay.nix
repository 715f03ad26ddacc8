final: _: {
  nix-trinity = final.callPackage ./package.nix { };
}
