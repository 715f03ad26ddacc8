"""Where the corpus comes from: the files to be indexed, and whether they are others than before."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nix_trinity.knowledge.corpus.ingest import SourceFile
from nix_trinity.knowledge.corpus.pack_places import PackPlace, looked_at, pack_files, read_packs
from nix_trinity.knowledge.packs import Pack

_MOST_FILES = 5_000


@dataclass(frozen=True, slots=True)
class CorpusPlaces:
    """Where the corpus comes from; '' for none. ``notes`` are folders, ours first."""

    options: str = ""
    home_manager_options: str = ""
    manual: str = ""
    notes: tuple[str, ...] = ()
    packs: tuple[PackPlace, ...] = ()


@dataclass(slots=True)
class Sources:
    """The files to be indexed, the packs with their folders, and what is wrong."""

    files: list[SourceFile] = field(default_factory=list)
    packs: list[tuple[str, Pack]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Folders that cannot be read at present: what stood there stays."""


def sources_of(places: CorpusPlaces) -> Sources:
    """What is to be indexed."""
    found = Sources()
    found.files += source_files(places, found.problems, found.unread)
    found.packs = read_packs(places.packs, found.problems, found.unread)
    for folder, _ in found.packs:
        found.files += pack_files(folder, found.problems, found.unread)
    return found


def source_files(places: CorpusPlaces, problems: list[str], unread: list[str]) -> Iterator[SourceFile]:
    """The files to be indexed. A folder that cannot be read is added to ``unread``, and said in ``problems``."""
    if places.options:
        yield SourceFile(Path(places.options), "options", "nixos")
    if places.home_manager_options:
        yield SourceFile(Path(places.home_manager_options), "options", "home-manager")
    for kind, origin, folder in (
        *((("manual", "nixos", places.manual),) if places.manual else ()),
        *(("notes", "notes", folder) for folder in places.notes),
    ):
        try:
            for path in _markdown(Path(folder)):
                if _has_a_name(path):
                    yield SourceFile(path, kind, origin)
                else:
                    problems.append(f"{folder}: {path.name!a} is no UTF-8, so it is left out. Give it another name.")
        except OSError as error:
            unread.append(folder)
            problems.append(f"{folder}: cannot be read: {error.strerror}.")


def looks_of(places: CorpusPlaces) -> object:
    """What tells cheaply that options, notes or packs are others: the file that each path leads to, its size and time."""
    looks: list[tuple[object, ...]] = []
    of_packs = (path for place in places.packs for path in looked_at(place))
    for name in (places.options, places.home_manager_options, *_notes(places), *of_packs):
        try:
            status = os.stat(name)  # noqa: PTH116 (a Path for each note takes as long as looking at it)
        except OSError:
            looks.append((name,))
        else:
            looks.append((name, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return looks


def _notes(places: CorpusPlaces) -> Iterator[str]:
    for folder in places.notes:
        try:
            yield from map(str, _markdown(Path(folder)))
        except OSError:
            yield folder


def _has_a_name(path: Path) -> bool:
    """Whether the path can be written down: SQLite keeps text alone."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _markdown(folder: Path) -> Sequence[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(2, "there is no such folder")
    found = sorted(path for path in folder.rglob("*.md") if path.is_file())
    return found[:_MOST_FILES]
