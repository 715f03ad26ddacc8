# All that `make test` uses and does not get by itself.
{ pkgs }:
pkgs.mkShell {
  inputsFrom = [ (pkgs.callPackage ./package.nix { }) ];
  packages = with pkgs; [
    dbus
    deadnix
    git
    gnumake
    mypy
    nixfmt
    ollama
    ruff
    strace
  ];
}
