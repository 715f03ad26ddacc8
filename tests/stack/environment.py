"""The Python environment: ``.venv`` in the checkout, made in moments, over dependencies installed once.

The dependencies live in the cache, keyed by what pyproject.toml asks for and by the interpreter, and are
shared by all checkouts. The project itself is installed, editable, into a light ``.venv`` per checkout that
sees them through a ``.pth`` file: an editable install is bound to one path and could not be shared.

Run with the system's own Python: ``python3 -m tests.stack.environment``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from typing import Any

from tests.stack import cache, system_packages
from tests.stack.console import run_long, say
from tests.stack.errors import StackError

CHECKOUT = Path(__file__).resolve().parents[2]
ENVIRONMENT = CHECKOUT / ".venv"
STAMP = "nix-trinity.stamp"
# What hatchling needs to make an editable install, and only tells when asked for it.
EDITABLE = "editables"
TOOLS = ("mypy", "ruff")


def main() -> int:
    """Make what is missing; print nothing when nothing is."""
    try:
        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
        shared = _shared(cache.cache_root(), project)
        _per_checkout(shared, project)
    except StackError as error:
        say(str(error))
        return 1
    return 0


def requirements(project: dict[str, Any]) -> list[str]:
    """Return everything to install: to run, to test and to build the project."""
    table = project["project"]
    extras = table.get("optional-dependencies", {}).get("test", [])
    return sorted({*table["dependencies"], *extras, *project["build-system"]["requires"], EDITABLE})


def _shared(root: Path, project: dict[str, Any]) -> Path:
    """Return the environment that holds the dependencies, installed if this set of them is new."""
    wanted = requirements(project)
    folder = root / f"venv-{_key(sys.version, sys.base_exec_prefix, *wanted)}"
    stamp = folder / STAMP
    if stamp.is_file():
        return folder
    with cache.locked(root, folder.name):
        if stamp.is_file():
            return folder
        _ensure_pip_can_be_bootstrapped()
        say(f"installing {len(wanted)} dependencies into {folder}")
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        log = cache.log_file(root, "pip-install")
        # First pip itself: an old one's console scripts import `re`, 5 ms of the thin client's start.
        run_long("upgrading pip", [*pip, "--upgrade", "pip"], log=log)
        run_long("installing dependencies", [*pip, *wanted], log=log)
        cache.write_text(stamp, "\n".join(wanted) + "\n")
    return folder


def _per_checkout(shared: Path, project: dict[str, Any]) -> None:
    """Make this checkout's own environment unless it is there and fits."""
    stamp = ENVIRONMENT / STAMP
    facts = f"{CHECKOUT}\n{shared}\n{cache.sha256_of(CHECKOUT / 'pyproject.toml')}\n"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == facts:
        return
    say(f"installing the project into {ENVIRONMENT}")
    with cache.locked(cache.cache_root(), f"checkout-{_key(str(CHECKOUT))}"):
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        venv.create(ENVIRONMENT, symlinks=True)
        _site_packages(ENVIRONMENT).joinpath("nix-trinity-dependencies.pth").write_text(
            f"{_site_packages(shared)}\n", encoding="utf-8"
        )
        pip = [str(shared / "bin" / "python"), "-m", "pip", "--python", str(ENVIRONMENT / "bin" / "python")]
        pip += ["install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(CHECKOUT)]
        run_long("installing the project", pip, log=cache.log_file(cache.cache_root(), "project-install"))
        for tool in TOOLS:
            (ENVIRONMENT / "bin" / tool).symlink_to(shared / "bin" / tool)
        for script in project["project"].get("scripts", {}):
            if not os.access(ENVIRONMENT / "bin" / script, os.X_OK):
                raise StackError(f"the installed project has no program {script}")
        cache.write_text(stamp, facts)


def _key(*facts: str) -> str:
    """Return a short name for exactly these facts."""
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _site_packages(environment: Path) -> Path:
    """Return an environment's folder for pure Python packages."""
    variables = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("purelib", "venv", variables))


def _ensure_pip_can_be_bootstrapped() -> None:
    """Debian keeps what a new environment needs in a package of its own."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    system_packages.ensure([system_packages.Package(name, "to make a Python environment", _has_ensurepip)])


def _has_ensurepip() -> bool:
    importlib.invalidate_caches()
    return importlib.util.find_spec("ensurepip") is not None


if __name__ == "__main__":
    sys.exit(main())
