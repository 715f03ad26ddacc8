"""The manual's passages and the notes in the index."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import apsw
import msgspec

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.ingest import Outcome, Source, put_mentions
from nix_trinity.knowledge.corpus.markdown import sections
from nix_trinity.knowledge.corpus.notes import Note, parse_note
from nix_trinity.knowledge.corpus.words import stems, unique

_DOTTED = re.compile(r"[A-Za-z_][\w-]*(?:\.(?:[A-Za-z_][\w-]*|<[\w-]+>|\*|\"[^\"\n]+\"))+")


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of the manual, or a note. ``anchor`` says where in its file it stands."""

    kind: str
    title: str
    anchor: str
    body: str
    triggers: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def fill_manual(connection: apsw.Connection, source: Source, data: bytes) -> Outcome:
    """Index one markdown file of the manual.

    :raises CorpusError: it is not UTF-8.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{source.file.path}: byte {error.start} is not UTF-8.",
            "Point corpus.manual at a folder of markdown files. Answers go on with the last good index.",
        ) from error
    passages = [
        Passage(
            kind="manual",
            title=" › ".join(section.titles) or source.file.path.stem,
            anchor=section.anchor,
            body=section.text,
            options=tuple(unique(_DOTTED.findall(section.text))),
        )
        for section in sections(text)
    ]
    _replace(connection, source, passages)
    return Outcome(len(passages))


def fill_note(connection: apsw.Connection, source: Source, data: bytes) -> Outcome:
    """Index one note.

    :raises CorpusError: it does not have a note's form.
    """
    put_note(connection, source, parse_note(data, file=str(source.file.path)))
    return Outcome(1)


def put_note(connection: apsw.Connection, source: Source, note: Note) -> None:
    """Put a note in the place of what came from its file before."""
    passage = Passage(
        kind="note",
        title=note.title,
        anchor="",
        body=note.text,
        triggers=note.triggers,
        asked=note.asked,
        options=tuple(sorted(note.options, key=lambda name: _first_named(note.text, name))),
    )
    _replace(connection, source, [passage])


def _first_named(text: str, name: str) -> tuple[int, int]:
    """Where a text names an option first; in code that writes sets out, where the longest part of its name stands."""
    parts = name.split(".")
    for missing in range(max(len(parts) - 1, 1)):
        at = text.find(".".join(parts[: len(parts) - missing]))
        if at >= 0:
            return at, missing
    return len(text), len(parts)


def remove_source(connection: apsw.Connection, source: int) -> None:
    """Take everything that came from a file out of the index."""
    _remove_passages(connection, source)
    for (number,) in connection.execute("SELECT id FROM options WHERE source = ?", (source,)).fetchall():
        connection.execute("DELETE FROM options_text WHERE rowid = ?", (number,))
    connection.execute("DELETE FROM options WHERE source = ?", (source,))
    connection.execute("DELETE FROM mentions WHERE source = ?", (source,))
    connection.execute("DELETE FROM pack_exchanges WHERE source = ?", (source,))
    connection.execute("DELETE FROM sources WHERE id = ?", (source,))


def _replace(connection: apsw.Connection, source: Source, passages: Iterable[Passage]) -> None:
    _remove_passages(connection, source.id)
    counts: Counter[str] = Counter()
    for passage in passages:
        connection.execute(
            "INSERT INTO passages (source, kind, title, anchor, body, triggers, options) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                source.id,
                passage.kind,
                passage.title,
                passage.anchor,
                passage.body,
                msgspec.json.encode(passage.triggers).decode(),
                msgspec.json.encode(passage.options).decode(),
            ),
        )
        connection.execute(
            "INSERT INTO passages_text (rowid, title, asked, body) VALUES (?, ?, ?, ?)",
            (
                connection.last_insert_rowid(),
                " ".join(stems(passage.title)),
                " ".join(stems(" ".join((*passage.asked, *passage.triggers)))),
                " ".join(unique(stems(passage.body))),
            ),
        )
        counts.update(set(passage.options))
    put_mentions(connection, source, counts)


def _remove_passages(connection: apsw.Connection, source: int) -> None:
    for (number,) in connection.execute("SELECT id FROM passages WHERE source = ?", (source,)).fetchall():
        connection.execute("DELETE FROM passages_text WHERE rowid = ?", (number,))
    connection.execute("DELETE FROM passages WHERE source = ?", (source,))
