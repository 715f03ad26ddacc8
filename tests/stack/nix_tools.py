"""A Nix that is new enough to evaluate what nixpkgs' lib.fileset is made of: this machine's, or the container's."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.stack import cache, rootfs
from tests.stack.errors import StackError

NEEDED = (2, 14)
"""The first with builtins.readFileType; Debian 12's is 2.8, which is enough to parse and for our own expressions."""

_NIX = "usr/bin/nix"
_LIBRARIES = "usr/lib/*-linux-gnu"
_LOADER = "ld-linux*.so.*"


def new_nix_instantiate() -> list[str]:
    """Return how to start a new enough ``nix-instantiate``.

    :raises StackError: there is none, and the container's root file system cannot be made.
    """
    found = shutil.which("nix-instantiate")
    if found and nix_version([found]) >= NEEDED:
        return [found]
    return _container_nix(cache.cache_root())


def nix_version(command: Sequence[str]) -> tuple[int, ...]:
    """Return the version of a Nix, or an empty tuple when it does not say."""
    done = subprocess.run(
        [*command, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    match = re.search(r"\(Nix\) (\d+(?:\.\d+)*)", done.stdout)
    return tuple(int(number) for number in match[1].split(".")) if match else ()


def _container_nix(root: Path) -> list[str]:
    """Return how to start the Nix of the container's root file system, without booting it.

    Its programs want its own C library; its loader, called by name, gives them that.
    """
    tar = rootfs.obtain(root).tar
    folder = root / "container" / f"nix-{tar.stem}"
    with cache.locked(root, "container-nix"):
        if not (folder / _NIX).is_file():
            _unpack(root, tar, folder)
    loader = next(folder.glob(f"{_LIBRARIES}/{_LOADER}"))
    # `nix` knows by the name that it is called by which of its programs it is to be.
    command = [str(loader), "--library-path", str(loader.parent), "--argv0", "nix-instantiate", str(folder / _NIX)]
    if nix_version(command) < NEEDED:
        raise StackError(f"the Nix in {tar} does not start, or is older than {'.'.join(map(str, NEEDED))}")
    return command


def _unpack(root: Path, tar: Path, folder: Path) -> None:
    """Take Nix and the shared libraries out of the root file system's tar."""
    with cache.staging(root) as staged, tarfile.open(tar) as archive:
        made = staged / folder.name
        archive.extractall(made, members=[member for member in archive if _is_wanted(Path(member.name))], filter="tar")
        made.rename(folder)


def _is_wanted(path: Path) -> bool:
    """Tell whether a member is the program, or a file that lies right in the folder of libraries."""
    return str(path) == _NIX or (path.parent.match(_LIBRARIES) and ".so" in path.name)
