"""Knowledge packs in the index: their texts as rows, how their exchanges are found, and how nothing of them stays.

All of it is made from the packs' files, and goes with the entry in the configuration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources

import apsw
import msgspec

from nix_trinity.knowledge.corpus.full_text import any_of
from nix_trinity.knowledge.corpus.ingest import Outcome, Source, put_mentions
from nix_trinity.knowledge.corpus.notes import parse_note
from nix_trinity.knowledge.corpus.pack_places import EXCHANGES, NOTES
from nix_trinity.knowledge.corpus.passage_rows import put_note, remove_source
from nix_trinity.knowledge.corpus.words import stems, unique
from nix_trinity.knowledge.packs import Pack, PackError, PackExchange, parse_exchanges
from nix_trinity.knowledge.redaction import redact

_MOST_STEMS = 8

Orders = Callable[[str], bool]
"""Whether a text reads like orders to the model."""


@dataclass(frozen=True, slots=True)
class PackFound:
    """A pack in the index, and how much of it is there."""

    pack: Pack
    notes: int
    exchanges: int


@dataclass(frozen=True, slots=True)
class PackedExchange:
    """An exchange of a pack, with the pack that it is of."""

    pack: Pack
    exchange: PackExchange


def add_tables(connection: apsw.Connection) -> None:
    """Add what an older index lacks."""
    connection.execute((resources.files("nix_trinity.knowledge.corpus") / "packs.sql").read_text("utf-8"))


def put_packs(connection: apsw.Connection, found: Sequence[tuple[str, Pack]], unread: Sequence[str]) -> bool:
    """Keep which packs there are; those that are no longer configured go. Returns whether it is otherwise than before."""
    before = connection.total_changes()
    for (folder,) in connection.execute("SELECT folder FROM packs").fetchall():
        if folder not in unread and folder not in {one for one, _ in found}:
            # A file that lies in another pack as well is still named, as that one's.
            for (number,) in connection.execute(
                "SELECT id FROM sources WHERE origin = ? AND kind IN (?, ?)", (folder, NOTES, EXCHANGES)
            ).fetchall():
                remove_source(connection, int(str(number)))
            connection.execute("DELETE FROM packs WHERE folder = ?", (folder,))
    for folder, pack in found:
        connection.execute(
            "INSERT INTO packs (folder, name, revision, licence) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (folder) DO UPDATE SET name = excluded.name, revision = excluded.revision,"
            " licence = excluded.licence"
            " WHERE (name, revision, licence) <> (excluded.name, excluded.revision, excluded.licence)",
            (folder, pack.name, pack.revision, pack.licence),
        )
    return connection.total_changes() != before


def note_filler(orders: Orders) -> Callable[[apsw.Connection, Source, bytes], Outcome]:
    """What indexes a note of a pack: redacted, and not at all when it reads like orders to the model."""

    def fill(connection: apsw.Connection, source: Source, data: bytes) -> Outcome:
        note = parse_note(data, file=str(source.file.path))
        _refuse_orders(orders, str(source.file.path), 1, "\n".join((note.title, *note.asked, note.text)))
        # A title is shown in a line with others, and must not make one of its own.
        title, text = " ".join(redact(note.title).text.split()), redact(note.text).text
        asked, triggers = _redacted(note.asked), _redacted(note.triggers)
        clean = msgspec.structs.replace(note, title=title, asked=asked, triggers=triggers, text=text)
        put_note(connection, source, clean)
        # How often an option is named counts with every question, also where nothing of the pack is found.
        put_mentions(connection, source, Counter())
        return Outcome(1)

    return fill


def exchanges_filler(orders: Orders) -> Callable[[apsw.Connection, Source, bytes], Outcome]:
    """What indexes a file of exchanges; one bad line and none of it is used."""

    def fill(connection: apsw.Connection, source: Source, data: bytes) -> Outcome:
        file = str(source.file.path)
        found = parse_exchanges(data, file=file)
        for line, one in found:
            _refuse_orders(orders, file, line, f"{one.question}\n{one.answer}")
        connection.execute("DELETE FROM pack_exchanges WHERE source = ?", (source.id,))
        for _, one in found:
            clean = msgspec.structs.replace(
                one,
                question=redact(one.question).text,
                answer=redact(one.answer).text,
                options={redact(name).text: redact(kind).text for name, kind in one.options.items()},
            )
            connection.execute(
                "INSERT INTO pack_exchanges (source, record) VALUES (?, ?)",
                (source.id, msgspec.json.encode(clean).decode()),
            )
            connection.execute(
                "INSERT INTO pack_exchanges_text (rowid, asked) VALUES (?, ?)",
                (connection.last_insert_rowid(), " ".join(unique(stems(clean.question)))),
            )
        return Outcome(len(found))

    return fill


def exchanges_like(connection: apsw.Connection, asked: Sequence[str], limit: int) -> list[PackedExchange]:
    """The packs' exchanges whose questions share the most with ``asked`` (stems, the most telling first), best first."""
    if not asked:
        return []
    rows = connection.execute(
        "WITH hits AS (SELECT rowid AS id, bm25(pack_exchanges_text) AS score FROM pack_exchanges_text"
        " WHERE pack_exchanges_text MATCH ? ORDER BY score LIMIT ?)"
        " SELECT p.name, p.revision, p.licence, e.record FROM hits JOIN pack_exchanges e ON e.id = hits.id"
        " JOIN sources s ON s.id = e.source JOIN packs p ON p.folder = s.origin ORDER BY hits.score, e.id",
        (any_of(asked[:_MOST_STEMS]), limit),
    )
    return [
        PackedExchange(Pack(name, revision, licence), msgspec.json.decode(record, type=PackExchange))
        for name, revision, licence, record in rows
    ]


def packs_found(connection: apsw.Connection) -> tuple[PackFound, ...]:
    """The packs in the index, by name."""
    rows = connection.execute(
        "SELECT p.name, p.revision, p.licence,"
        " coalesce((SELECT sum(entries) FROM sources WHERE origin = p.folder AND kind = ?), 0),"
        " coalesce((SELECT sum(entries) FROM sources WHERE origin = p.folder AND kind = ?), 0)"
        " FROM packs p ORDER BY p.name",
        (NOTES, EXCHANGES),
    )
    return tuple(
        PackFound(Pack(name, revision, licence), notes, packed) for name, revision, licence, notes, packed in rows
    )


def scrub(connection: apsw.Connection) -> None:
    """Leave nothing in the file of what was removed: not in the full-text indexes, free pages or the write-ahead log.

    Not within a transaction. It takes a second for a whole NixOS, and is done only when something of a pack went; where
    it cannot be done now, the next refresh does it.
    """
    if connection.execute("SELECT 1 FROM pack_traces").get is None:
        return
    for table in ("passages_text", "pack_exchanges_text"):
        # A deleted entry of FTS5 stays in its segment until that is merged.
        connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")  # noqa: S608 (one of two names)
    connection.execute("VACUUM")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    # Last: until then it is not done.
    connection.execute("DELETE FROM pack_traces")


def _redacted(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(redact(text).text for text in texts)


def _refuse_orders(orders: Orders, file: str, line: int, text: str) -> None:
    if orders(text):
        raise PackError(
            file,
            line,
            "it reads like orders to the model, so it is not used.",
            "Take such words out of the pack, or take the pack out of corpus.packs.",
        )
