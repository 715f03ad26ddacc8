"""What a machine with a real systemd is made of, and whether the tests are to boot one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache, container_python, rootfs, system_packages
from tests.stack.container_python import Dependencies
from tests.stack.rootfs import RootFs

WITHOUT_CONTAINER = "NIX_TRINITY_WITHOUT_CONTAINER"


@dataclass(frozen=True, slots=True)
class Container:
    """The root file system, and the project's dependencies for its Python."""

    system: RootFs
    python: Dependencies

    @property
    def origin(self) -> str:
        """How this run came by them."""
        return f"Debian {rootfs.SUITE} {self.system.origin}, dependencies {self.python.origin}"

    @property
    def megabytes(self) -> float:
        """What they take in the cache."""
        return cache.megabytes(self.system.tar) + cache.megabytes(self.python.tar)


def obtain(root: Path | None = None) -> Container:
    """Return all that is needed to boot, made when it is not in the cache.

    :param root: the cache folder; the user's own one unless given.
    :raises StackError: this user cannot boot a container, or something cannot be had; the text says which.
    """
    rootfs.demand_root()
    system_packages.ensure(system_packages.FOR_CONTAINER)
    system = rootfs.obtain(root)
    return Container(system, container_python.obtain(system, root))


def without_container() -> bool:
    """Tell whether the person asked for a run without a container; nothing else makes its tests skip."""
    return os.environ.get(WITHOUT_CONTAINER) == "1"
