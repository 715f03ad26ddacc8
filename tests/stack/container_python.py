"""What the project depends on, for the container's own Python: one tar in the cache, compiled as in a Nix store."""

from __future__ import annotations

import hashlib
import platform
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.console import run_long, say
from tests.stack.environment import CHECKOUT
from tests.stack.rootfs import PYTHON, RootFs, demand_root, seal, sealed

STORE = "nix/store/00000000000000000000000000000000"
PACKAGES = f"{STORE}-nix-trinity-dependencies/lib/python{PYTHON}/site-packages"
"""Where they are in the container, below its root."""

# PyPI has no wheel of these, so one is made here; they are plain Python, for any version.
SOURCES_ONLY = ("sdnotify",)
PLATFORMS = ("manylinux2014", "manylinux_2_28")
# As Nix does it: never compared with the source again.
COMPILE = ("python3", "-m", "compileall", "-q", "-j2", "--invalidation-mode", "unchecked-hash")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The dependencies' tar and how this run came by it."""

    tar: Path
    origin: str


def requirements() -> list[str]:
    """Return what the installed project needs, with all its extras for a machine."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return sorted({*project["dependencies"], *extras["report"], *extras["mcp"]})


def location(root: Path, system: RootFs) -> Path:
    """Return where the tar is, or will be, in this cache; it belongs to this root file system's Python."""
    facts = [system.tar.name, PACKAGES, *SOURCES_ONLY, *PLATFORMS, *COMPILE, *requirements()]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    return root / "container" / f"python-{key}.tar"


def obtain(system: RootFs, root: Path | None = None) -> Dependencies:
    """Return the dependencies, got with pip when they are not in the cache.

    :param system: the root file system whose Python compiles them.
    :param root: the cache folder; the user's own one unless given.
    :raises StackError: they cannot be had; the text has the end of pip's output.
    """
    root = root or cache.cache_root()
    tar = location(root, system)
    with cache.locked(root, "container"):
        if sealed(tar):
            return Dependencies(tar, "found in the cache")
        _make(root, system, tar)
    return Dependencies(tar, "got with pip")


def _make(root: Path, system: RootFs, tar: Path) -> None:
    demand_root()
    what = f"getting the project's dependencies for Python {PYTHON}"
    say(what)
    log = cache.log_file(root, "container-python")
    pip = [sys.executable, "-m", "pip"]
    with cache.staging(root) as folder:
        system_folder, wheels, made = folder / "system", folder / "wheels", folder / tar.name
        wheels.mkdir()
        system_folder.mkdir()
        run_long(what, [*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), *SOURCES_ONLY], log=log)
        unpack = ["tar", "--extract", "--numeric-owner", f"--file={system.tar}", f"--directory={system_folder}"]
        run_long(what, unpack, log=log)
        # Markers in requirements are judged by the Python that runs pip; the tests show that nothing is missing.
        install = [*pip, "install", "--quiet", "--no-compile", "--python-version", PYTHON, "--only-binary", ":all:"]
        for name in PLATFORMS:
            install += ["--platform", f"{name}_{platform.machine()}"]
        install += ["--find-links", str(wheels), "--target", str(system_folder / PACKAGES), *requirements()]
        run_long(what, install, log=log)
        run_long(what, ["chroot", str(system_folder), *COMPILE, f"/{PACKAGES}"], log=log)
        # Whatever the person's own umask is: all accounts inside read what is installed here.
        pack = ["tar", "--create", "--numeric-owner", "--mode=u=rwX,go=rX", f"--file={made}"]
        run_long(what, [*pack, f"--directory={system_folder}", "nix"], log=log)
        seal(made, tar)
