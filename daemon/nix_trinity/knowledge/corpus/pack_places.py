"""Which knowledge packs the configuration names, which of them can be used, and the files that these consist of."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.ingest import SourceFile, read_file
from nix_trinity.knowledge.packs import MANIFEST, MOST_MANIFEST_BYTES, Pack, parse_manifest
from nix_trinity.knowledge.packs_folder import MOST_FILES, OUTSIDE, listed, named, stays_inside

NOTES, EXCHANGES = "pack-notes", "pack-exchanges"
"""The kinds of a pack's sources."""
_STORE = "/nix/store/"


@dataclass(frozen=True, slots=True)
class PackPlace:
    """A pack in the configuration. ``name`` and ``revision`` go before those of its ``pack.toml``."""

    path: str
    name: str = ""
    revision: str = ""


class Entry(Protocol):
    """An entry of the configuration's ``corpus.packs`` that says more than a folder."""

    @property
    def path(self) -> str:
        """The folder."""

    @property
    def name(self) -> str:
        """'': the one of its pack.toml."""

    @property
    def revision(self) -> str:
        """'': the one of its pack.toml."""


def places_of(entries: Sequence[str | Entry]) -> tuple[PackPlace, ...]:
    """What the configuration names."""
    return tuple(
        PackPlace(one) if isinstance(one, str) else PackPlace(one.path, one.name, one.revision) for one in entries
    )


def read_packs(places: Sequence[PackPlace], problems: list[str], unread: list[str]) -> list[tuple[str, Pack]]:
    """The packs that can be used, each with its folder.

    Of one whose ``pack.toml`` cannot be read, the folder is added to ``unread``: its last good form stays.
    """
    found: dict[str, tuple[str, Pack]] = {}
    for place in places:
        file = Path(place.path) / MANIFEST
        try:
            if file.is_symlink() and not stays_inside(Path(place.path), MANIFEST):
                problems.append(f"{file}: {OUTSIDE}")
                unread.append(place.path)
                continue
            manifest = parse_manifest(read_file(file, MOST_MANIFEST_BYTES), file=str(file))
        except FileNotFoundError:
            missing = "a pack has one" if Path(place.path).is_dir() else "and no such folder"
            problems.append(f"{file}: there is no such file, {missing}. Take it out of corpus.packs, or mend the path.")
            unread.append(place.path)
            continue
        except OSError as error:
            problems.append(f"{file}: cannot be read: {error.strerror}.")
            unread.append(place.path)
            continue
        except CorpusError as error:
            problems.append(error.message)
            unread.append(place.path)
            continue
        name = place.name or manifest.name
        if name in found:
            problems.append(
                f"{place.path}: {found[name][0]} is a pack named {name} as well, so this one is not used. Name it "
                f'otherwise: packs = [{{ path = "{place.path}", name = "…" }}].'
            )
            continue
        found[name] = (place.path, Pack(name, place.revision or manifest.revision, manifest.licence))
    return list(found.values())


def pack_files(folder: str, problems: list[str], unread: list[str]) -> Iterator[SourceFile]:
    """The files of a pack to be indexed."""
    try:
        found = listed(Path(folder))
    except OSError as error:
        problems.append(f"{error.filename or folder}: cannot be read: {error.strerror}.")
        unread.append(folder)
        return
    problems += [f"{folder}/{path}: {what}" for path, what in found.problems]
    for kind, paths in ((NOTES, found.notes), (EXCHANGES, found.exchanges)):
        yield from (SourceFile(Path(folder) / path, kind, folder) for path in paths)


def looked_at(place: PackPlace) -> Iterator[str]:
    """What tells by its size and time that a pack is another one. In the Nix store nothing ever changes."""
    yield place.path
    if place.path.startswith(_STORE):
        return
    yield f"{place.path}/{MANIFEST}"
    with contextlib.suppress(OSError):
        # With each question, so links are not followed to their ends here.
        yield from (f"{place.path}/{path}" for path in itertools.islice(named(Path(place.path)), MOST_FILES))
