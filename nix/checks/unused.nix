{ pkgs, self }:
pkgs.runCommand "nix-trinity-unused" { nativeBuildInputs = [ pkgs.deadnix ]; } ''
  deadnix --fail ${self}
  touch $out
''
