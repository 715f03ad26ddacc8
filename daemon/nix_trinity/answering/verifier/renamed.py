"""Options that NixOS renamed or removed: old names that people and models still write.

The rows are in ``modelfiles/renamed.toml``. A row counts only where it is true of the machine's own options: the
old name is gone, and the new one is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from nix_trinity.catalogue import modelfiles_dir, read_toml
from nix_trinity.errors import CatalogueError
from nix_trinity.knowledge.option_tree import OptionTree, join_name, split_name
from nix_trinity.knowledge.options import Path

_RELEASE = re.compile(r"\d\d\.\d\d")
_THERE = {"option", "group", "freeform"}


@dataclass(frozen=True, slots=True)
class Renamed:
    """An option, or all that is below it, that has another name since a release, or is gone (``new`` is None)."""

    old: Path
    new: Path | None
    since: str
    """A NixOS release, ``24.11``; '' where it is not known."""
    note: str = ""
    """What to do instead, for a person to read."""
    instead: tuple[str, ...] = ()
    """Options that do what a removed one did."""


@dataclass(frozen=True, slots=True)
class Successor:
    """What became of one old name: its new one (None: removed), and the row that says so."""

    row: Renamed
    name: str | None


class Renames:
    """The rows, looked up by the longest old name that a path begins with."""

    def __init__(self, rows: Iterable[Renamed] = ()) -> None:
        self._rows = {row.old: row for row in rows}
        self.roots: frozenset[str] = frozenset(old[0] for old in self._rows)
        """The first attributes of old names; some of them no option has any more."""

    def find(self, path: Sequence[str], tree: OptionTree) -> Successor | None:
        """What became of a name that ``tree`` does not have; None when no row is true of that tree."""
        for size in range(len(path), 0, -1):
            row = self._rows.get(tuple(path[:size]))
            if row is None or tree.look_up(row.old).status in _THERE:
                continue
            if row.new is None:
                return Successor(row, None)
            new = (*row.new, *path[size:])
            if tree.look_up(new).status in _THERE:
                return Successor(row, join_name(new))
            if tree.look_up(row.new).status in _THERE and len(path) > size:
                # What was below the old name was reshaped: the new parent is still the place to look.
                return Successor(row, join_name(row.new))
        return None


def old_names(rows: Iterable[Renamed]) -> dict[str, str]:
    """Each old name with its new one, or with what does the same now."""
    named = ((row.old, join_name(row.new) if row.new is not None else next(iter(row.instead), "")) for row in rows)
    return {join_name(old): new for old, new in named if new}


def load_renamed(path: FilePath | None = None) -> tuple[Renamed, ...]:
    """Read and check the rows; ``path`` defaults to the file that comes with the package.

    :raises CatalogueError: the file cannot be read or a row is wrong; names the row and the fix.
    """
    path = path or modelfiles_dir() / "renamed.toml"
    document = read_toml(path)
    rows: dict[Path, Renamed] = {}
    for key in document:
        if key not in ("renamed", "removed"):
            raise CatalogueError(f"{path} has an unknown section {key!r}.", "Use [[renamed]] and [[removed]].")
        entries = document[key]
        if not isinstance(entries, list):
            raise CatalogueError(f"{path}: {key} is not a list of tables.", f"Write each row below [[{key}]].")
        for number, entry in enumerate(entries, start=1):
            row = _row(entry, key, f"{path}: {key} {number}")
            if row.old in rows:
                raise CatalogueError(f"{path}: {key} {number}: {join_name(row.old)} is there twice.", "Remove one row.")
            rows[row.old] = row
    return tuple(rows.values())


def _row(entry: Any, section: str, where: str) -> Renamed:
    allowed = {"old", "new", "since", "note"} if section == "renamed" else {"old", "since", "note", "instead"}
    if not isinstance(entry, dict) or set(entry) - allowed:
        raise CatalogueError(f"{where} is not a row.", f"Use only {', '.join(sorted(allowed))}.")
    texts = {key: entry.get(key, "") for key in ("old", "new", "since", "note")}
    instead = entry.get("instead", [])
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(instead, list):
        raise CatalogueError(
            f"{where}: a value has the wrong kind.", "Names, releases and notes are strings in quotes."
        )
    old, new = split_name(texts["old"]), split_name(texts["new"])
    if old is None or (section == "renamed" and (new is None or new == old)):
        raise CatalogueError(f"{where}: old or new is not an option's name.", 'Write them as in old = "fonts.fonts".')
    if texts["since"] and not _RELEASE.fullmatch(texts["since"]):
        raise CatalogueError(f"{where}: since is no NixOS release.", 'Write it as in since = "24.11", or leave it out.')
    if not all(isinstance(name, str) and split_name(name) for name in instead):
        raise CatalogueError(f"{where}: instead holds something that is no option's name.", "Correct the list.")
    return Renamed(old, new, texts["since"], texts["note"], tuple(instead))
