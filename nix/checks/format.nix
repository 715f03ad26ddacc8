{ pkgs, self }:
pkgs.runCommand "nix-trinity-format" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
  find ${self} -name '*.nix' -exec nixfmt --check {} +
  touch $out
''
