"""The one place that installs Debian packages, and the list of those that the tests run on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.console import run_long, say
from tests.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, what it is for, and how to see that the machine already has what it brings."""

    name: str
    purpose: str
    is_there: Callable[[], bool]


def brings_command(name: str, command: str, purpose: str) -> Package:
    """Describe a package that is there when one of its commands is."""
    return Package(name, purpose, lambda: shutil.which(command) is not None)


_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

FOR_CONTAINER = (
    brings_command("systemd-container", "systemd-nspawn", "a real systemd as PID 1 for the project's units"),
    brings_command("mmdebstrap", "mmdebstrap", "the root file system that this systemd runs in"),
    Package(_KEYRING.stem, "whether what mmdebstrap gets is Debian's", _KEYRING.is_file),
)
TEST_PACKAGES = (
    brings_command("systemd", "systemd-socket-activate", "socket activation as systemd does it"),
    brings_command("dbus-daemon", "dbus-daemon", "a message bus of the tests' own, with services on it"),
    brings_command("strace", "strace", "what the thin client and the daemon ask of the kernel"),
    brings_command("nix-bin", "nix-instantiate", "whether a real Nix reads what we write and check"),
    brings_command("util-linux", "unshare", "a test without any network"),
    brings_command("zsh", "zsh", "what its completion offers"),
    brings_command("fish", "fish", "what its completion offers"),
    *FOR_CONTAINER,
)


def missing(packages: Sequence[Package]) -> list[Package]:
    """Return the packages whose content is not there."""
    return [package for package in packages if not package.is_there()]


def ensure(packages: Sequence[Package]) -> list[str]:
    """Install what is missing and return the names of what was installed.

    :raises StackError: something is missing and cannot be installed by this user on this system.
    """
    wanted = missing(packages)
    if not wanted:
        return []
    names = [package.name for package in wanted]
    reasons = "\n".join(f"    {package.name}: {package.purpose}" for package in wanted)
    install(names, reasons)
    absent = [package.name for package in missing(wanted)]
    if absent:
        raise StackError(f"installed, but what they should bring is still not found: {', '.join(absent)}")
    return names


def install(names: Sequence[str], reasons: str) -> None:
    """Install Debian packages, as root or through a sudo that asks nothing.

    :raises StackError: there is no apt-get or no right to use it, or it failed.
    """
    command = f"apt-get install {' '.join(names)}"
    prefix = _as_root()
    if shutil.which("apt-get") is None:
        raise StackError(f"missing, and no apt-get on this system to install it:\n{reasons}")
    if prefix is None:
        raise StackError(f"missing:\n{reasons}\n    As root: {command}")
    say(f"installing Debian packages: {' '.join(names)}")
    apt = [
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]
    root = cache.cache_root()
    with cache.locked(root, "system-packages"):
        _refresh_lists(prefix, cache.log_file(root, "apt-get-update"))
        installing = [*apt, "install", "-y", "--no-install-recommends", *names]
        run_long(command, installing, log=cache.log_file(root, "apt-get-install"))


def _refresh_lists(prefix: Sequence[str], log: Path) -> None:
    """Fetch the package lists; a failure is only reported, since the lists at hand may do."""
    try:
        run_long("apt-get update", [*prefix, "apt-get", "-qq", "update"], log=log)
    except StackError as error:
        say(f"going on with the package lists at hand: {error}")


def candidate_version(name: str) -> str:
    """Return the version of a package that apt-get would install, or an empty string."""
    if shutil.which("apt-cache") is None:
        return ""
    done = subprocess.run(
        ["apt-cache", "policy", name],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        timeout=60,
        check=False,
    )
    for line in done.stdout.splitlines():
        label, _, value = line.strip().partition(": ")
        if label == "Candidate" and value != "(none)":
            return value
    return ""


def _as_root() -> list[str] | None:
    """Return what to put before a command that needs root, or None without that right."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is not None:
        done = subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=30, check=False)
        if done.returncode == 0:
            return ["sudo", "-n"]
    return None
