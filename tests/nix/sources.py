"""What the goldens were made from and what was made, by checksum: so that neither changes without the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tests.nix.evaluation import CHECKOUT

GOLDEN = CHECKOUT / "tests" / "nix" / "golden"
PAGE = CHECKOUT / "docs" / "reference" / "options.md"
COMMAND = "make golden NIXPKGS_LIB=<a checkout of nix-community/nixpkgs.lib>"

_FILES = ("flake.nix", "modelfiles/catalogue.toml", "pyproject.toml")
_FOLDERS = ("nix", "tests/nix")


def sources(checkout: Path = CHECKOUT) -> list[Path]:
    """Every file that decides what the goldens say: the module and what it reads, the configurations, the renderer."""
    found = [checkout / name for name in _FILES]
    for folder in _FOLDERS:
        found += (checkout / folder).rglob("*")
    return sorted(path for path in found if path.is_file() and not _is_no_source(path.relative_to(checkout)))


def _is_no_source(path: Path) -> bool:
    made = path.parts[:3] == ("tests", "nix", "golden") or "__pycache__" in path.parts
    return made or path.name.startswith("test_") or path.name in {"__init__.py", "conftest.py"}


def results(checkout: Path = CHECKOUT) -> list[Path]:
    """Every file that ``make golden`` writes, but the two lists of checksums."""
    golden = checkout / GOLDEN.relative_to(CHECKOUT)
    files = [path for path in golden.rglob("*") if path.is_file() and path.suffix != ".sha256"]
    return sorted([*files, checkout / PAGE.relative_to(CHECKOUT)])


def sums(paths: Iterable[Path], checkout: Path = CHECKOUT) -> str:
    """A list in the form of sha256sum, to be checked from the top of the checkout."""
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(checkout)}\n" for path in paths)


def changed(recorded: str, now: str) -> list[str]:
    """The files that differ between two lists, are only in one of them, or both."""
    return sorted({line.partition("  ")[2] for line in set(recorded.splitlines()) ^ set(now.splitlines())})
