"""Put the project's Nix files into nixpkgs' shape: ``python -m tests.nix.format``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.nix.evaluation import CHECKOUT
from tests.stack.cargo_tools import NIXFMT
from tests.stack.errors import StackError

FOLDERS = ("nix", "tests/nix")
COMMAND = ".venv/bin/python -m tests.nix.format"


def nix_files() -> list[Path]:
    """Every Nix file of the project."""
    found = [CHECKOUT / "flake.nix"]
    for folder in FOLDERS:
        found += (CHECKOUT / folder).rglob("*.nix")
    return sorted(found)


def main() -> int:
    """Format them in place."""
    try:
        nixfmt = NIXFMT.obtain()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return subprocess.run([str(nixfmt), *map(str, nix_files())], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
