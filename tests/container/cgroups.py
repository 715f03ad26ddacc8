"""Control groups of the container's own, so that two sessions at once do not meet in the same ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.stack.errors import StackError

_PATIENCE_SECONDS = 5.0


@contextmanager
def own_groups(name: str) -> Iterator[list[Path]]:
    """Make a group of this name in each hierarchy that systemd uses; they are removed at the end.

    :raises StackError: there is no such hierarchy, or it cannot be written to.
    """
    made: list[Path] = []
    try:
        for hierarchy in _hierarchies():
            group = hierarchy / name
            try:
                group.mkdir()
            except OSError as error:
                raise StackError(f"no control group for the container can be made: {error}") from error
            made.append(group)
        if not made:
            raise StackError("no control groups (cgroup2) are mounted here, which systemd needs to run")
        yield made
    finally:
        for group in made:
            _remove(group)


def _hierarchies() -> list[Path]:
    """Return where cgroup2 is mounted, and systemd's own hierarchy of the older kind where there is one."""
    found: list[Path] = []
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, mounted, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(mounted))
    return found


def _remove(group: Path) -> None:
    """Remove a group and those below it: the innermost first, each as soon as its last process is gone."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while group.exists() and time.monotonic() < deadline:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        time.sleep(0.01)
