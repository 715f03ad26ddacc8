"""Bring the index up to date with a file: what did not change costs reading and a hash.

A file's time says nothing in the Nix store, where all are of 1970, so it is the content that counts.

Each file is one transaction, so that a file that cannot be used leaves the last good index as it was.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from nix_trinity.errors import CorpusError

# Counted up when what is made of a file changes, so that unchanged files are indexed anew.
_FORM = "2"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to be indexed. ``kind`` is options, manual, notes or one of a pack's; ``origin`` whose it is."""

    path: Path
    kind: str
    origin: str


@dataclass(frozen=True, slots=True)
class Source:
    """The file's row while it is ingested."""

    id: int
    file: SourceFile
    is_new: bool
    release: str | None
    """As it was ingested before; None for a new file."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many entries a file gave, and the release that it names."""

    entries: int
    release: str | None = None


def ingest_file(
    connection: apsw.Connection,
    file: SourceFile,
    *,
    now_ms: int,
    most_bytes: int,
    fill: Callable[[apsw.Connection, Source, bytes], Outcome],
) -> bool:
    """Index ``file`` with ``fill`` if it changed; returns whether it did. Call it inside a transaction.

    :raises CorpusError: the file cannot be read or used.
    """
    try:
        data = read_file(file.path, most_bytes)
    except OSError as error:
        raise CorpusError(
            f"{file.path}: cannot be read: {error.strerror}.",
            f"Check it with: ls -lL {file.path}. Answers go on with the last good index.",
        ) from error
    digest = f"{_FORM}:{hashlib.sha256(data).hexdigest()}"
    # There is one list of options of each origin, wherever it lies: a new release has another store path.
    row = connection.execute(
        "SELECT id, digest, release, path FROM sources"
        " WHERE kind = ? AND origin = ? AND (path = ? OR kind = 'options')",
        (file.kind, file.origin, str(file.path)),
    ).fetchone()
    if row is not None and row[3] != str(file.path):
        connection.execute("UPDATE sources SET path = ? WHERE id = ?", (str(file.path), row[0]))
    if row is not None and row[1] == digest:
        return False
    if row is None:
        connection.execute(
            "INSERT INTO sources (kind, origin, path, digest, entries, ingested_at_ms) VALUES (?, ?, ?, '', 0, 0)",
            (file.kind, file.origin, str(file.path)),
        )
    source = Source(
        row[0] if row is not None else connection.last_insert_rowid(),
        file,
        row is None,
        row[2] if row is not None else None,
    )
    outcome = fill(connection, source, data)
    connection.execute(
        "UPDATE sources SET digest = ?, release = ?, entries = ?, ingested_at_ms = ? WHERE id = ?",
        (digest, outcome.release, outcome.entries, now_ms, source.id),
    )
    return True


def read_file(path: Path, most_bytes: int) -> bytes:
    """The content of a file that may be anything.

    :raises OSError: it cannot be read. :raises CorpusError: it is too big.
    """
    # Opening a pipe without a writer would wait for ever; without blocking it does not, and is then told.
    with open(path, "rb", opener=_without_blocking) as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a file")
        # One byte more than allowed tells a file that is too big, and one that grows meanwhile.
        data = opened.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise CorpusError(
            f"{path}: it has more than the {most_bytes >> 10:,} KiB that such a file may have.",
            "Point the configuration at the right file. Answers go on with the last good index.",
        )
    return data


def _without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def put_mentions(connection: apsw.Connection, source: Source, counts: Counter[str]) -> None:
    """Keep how often ``source`` names each option."""
    connection.execute("DELETE FROM mentions WHERE source = ?", (source.id,))
    connection.executemany(
        "INSERT INTO mentions (source, name, count) VALUES (?, ?, ?)",
        ((source.id, name, count) for name, count in counts.items()),
    )


def put_words(connection: apsw.Connection, counts: Counter[str]) -> None:
    """Add to the words that typing errors are told by."""
    connection.executemany(
        "INSERT INTO words (word, count) VALUES (?, ?) ON CONFLICT (word) DO UPDATE SET count = count + excluded.count",
        counts.items(),
    )
