"""The files of a pack's folder. Nothing outside of it is read, whatever a link in it leads to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nix_trinity.knowledge.packs import MANIFEST, is_exchanges, is_hidden, is_note

MOST_FILES = 5_000
OUTSIDE = "it is a link that leads out of the pack, and is not read."
UNPRINTABLE = "its name has characters that cannot be shown, so it is not read."
TOO_MANY = f"the pack has more than {MOST_FILES:,} files; the others are not read."


@dataclass(slots=True)
class Listed:
    """Paths from the folder on, in order, and what of it cannot be used, each with its path."""

    notes: list[str] = field(default_factory=list)
    exchanges: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


def listed(folder: Path) -> Listed:
    """What of a folder belongs to its pack.

    :raises OSError: the folder cannot be read.
    """
    found = Listed()
    for path in named(folder):
        if not path.isprintable():
            # Nor can SQLite keep a name that is not UTF-8.
            found.problems.append((_shown(path), UNPRINTABLE))
        elif not stays_inside(folder, path):
            found.problems.append((path, OUTSIDE))
        elif len(found.notes) + len(found.exchanges) >= MOST_FILES:
            found.problems.append((path, TOO_MANY))
            break
        else:
            (found.notes if is_note(path) else found.exchanges).append(path)
    return found


def named(folder: Path) -> Iterator[str]:
    """What would belong to its pack by the names alone; whether it can be used is not looked at.

    :raises OSError: the folder cannot be read.
    """
    return (path for path in _paths(folder) if path != MANIFEST and (is_note(path) or is_exchanges(path)))


def stays_inside(folder: Path, path: str) -> bool:
    """Whether what a path leads to, all links followed, lies in the folder; a link to itself leads nowhere."""
    try:
        return (folder / path).resolve(strict=True).is_relative_to(folder.resolve(strict=True))
    except (OSError, RuntimeError):
        return False


def _shown(path: str) -> str:
    return "".join(one if one.isprintable() else "\ufffd" for one in path)


def _paths(folder: Path) -> Iterator[str]:
    """All files in order; folders that are links are not gone into, so that no circle is."""

    def unread(error: OSError) -> None:
        raise error

    for where, folders, files in os.walk(folder, onerror=unread):
        folders.sort()
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in sorted(files):
            yield os.path.relpath(f"{where}/{name}", folder)
