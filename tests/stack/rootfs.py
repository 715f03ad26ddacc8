"""A Debian root file system to boot: made by mmdebstrap once, then one tar in the cache with its checksum.

It has what the project needs of a NixOS machine: systemd, D-Bus, polkit, Python and a current Nix. Nobody
boots the tar itself: each boot unpacks it into a place of its own.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.console import run_long, say
from tests.stack.errors import StackError

SUITE = "trixie"
PYTHON = "3.13"
"""The Python of that suite, which the project's dependencies are got for."""

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "libnss-systemd",
    "dbus",
    "polkitd",
    "python3",
    "procps",
    "iproute2",
    "curl",
    "nix-bin",
    # What an Ollama is linked with.
    "libstdc++6",
    "libgomp1",
)
# Housekeeping of Debian's own: none of it is on NixOS, and a test must not meet it at midnight.
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer")
OPTIONS = (
    "--variant=apt",
    "--format=tar",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    f'--customize-hook=chroot "$1" systemctl --quiet mask {" ".join(TIMERS)}',
    # What mmdebstrap takes over from the machine it runs on.
    '--customize-hook=rm --force "$1/etc/hostname" "$1/etc/resolv.conf"',
)


@dataclass(frozen=True, slots=True)
class RootFs:
    """The root file system's tar and how this run came by it."""

    tar: Path
    origin: str


def location(root: Path) -> Path:
    """Return where the tar is, or will be, in this cache."""
    facts = [SUITE, platform.machine(), *OPTIONS, *PACKAGES]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    return root / "container" / f"rootfs-{key}.tar"


def obtain(root: Path | None = None) -> RootFs:
    """Return the root file system, made when it is not in the cache.

    :param root: the cache folder; the user's own one unless given.
    :raises StackError: it cannot be made: no root, no mmdebstrap, no network; the text says which.
    """
    root = root or cache.cache_root()
    tar = location(root)
    with cache.locked(root, "container"):
        if sealed(tar):
            return RootFs(tar, "found in the cache")
        _make(root, tar)
    return RootFs(tar, "made here with mmdebstrap")


def sealed(tar: Path) -> bool:
    """Tell whether the tar is there and is the one that was made."""
    record = tar.with_suffix(".sha256")
    return record.is_file() and cache.intact(tar, record.read_text(encoding="ascii").strip())


def seal(made: Path, final: Path) -> None:
    """Move a finished tar to its place, with its checksum beside it."""
    cache.write_text(final.with_suffix(".sha256"), cache.sha256_of(made) + "\n")
    cache.publish(made, final)


def _make(root: Path, tar: Path) -> None:
    demand_root()
    what = f"making a Debian {SUITE} root file system"
    say(f"{what}, half a minute and 300 MB")
    with cache.staging(root) as folder:
        made = folder / tar.name
        mirror = _mirror()
        command = ["mmdebstrap", *OPTIONS, f"--include={','.join(PACKAGES)}", SUITE, str(made)]
        command += [mirror] if mirror else []
        run_long(what, command, log=cache.log_file(root, "mmdebstrap"), limit_seconds=1800)
        seal(made, tar)


def demand_root() -> None:
    """See that this user can make and boot a root file system.

    :raises StackError: it is not root.
    """
    if os.geteuid() != 0:
        raise StackError("a real systemd is booted in a container, which only root can do: run this as root")


def _mirror() -> str:
    """Return the Debian mirror that this machine's own apt uses, or nothing, to let mmdebstrap choose."""
    if shutil.which("apt-get") is None:
        return ""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    done = subprocess.run(
        [*command, "Label: Debian"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    return next(iter(done.stdout.split()), "")
