"""Which process of this machine is the container's PID 1."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def leader_below(pid: int) -> int | None:
    """Return the container's systemd, seen from here, once it is running, or None.

    :param pid: the process that everything else was started by.
    """
    for child in _descendants(pid):
        # It may end between the listing and the reading.
        with suppress(OSError):
            if _is_nested_first(child) and Path(f"/proc/{child}/comm").read_text(encoding="utf-8").strip() == "systemd":
                return child
    return None


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # The second field, the program's name in brackets, may hold blanks and brackets itself.
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def _is_nested_first(pid: int) -> bool:
    """Whether it is PID 1 in a namespace of processes inside the one that boot.sh is PID 1 of."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
        label, _, numbers = line.partition(":")
        if label == "NSpid":
            return numbers.split()[-1] == "1" and len(numbers.split()) >= 3
    return False
