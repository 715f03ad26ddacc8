"""Removes old exchanges that nobody rated and nothing uses, and gives their room back to the file system."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import apsw
import msgspec

from nix_trinity.knowledge import past_answers

_DAY_MS = 86_400_000
_MEGABYTE = 1_000_000
# So many in one transaction: the write-ahead log stays small.
_AT_ONCE = 500
# Beyond this share of free pages the whole file is written anew; below, only the pages at its end are moved.
_MUCH_FREE = 0.25
_INCREMENTAL = 2
_BEFORE_ALL = -(1 << 63)
_NO_LIMIT = 1 << 62

# About what a row takes; 400 bytes of it for its numbers and its entries in the indexes.
_BYTES = """
400 + octet_length(e.question) + octet_length(e.attachment) + octet_length(e.answer) + octet_length(e.sources)
+ octet_length(e.option_types)
+ coalesce((SELECT octet_length(l.question) + octet_length(l.answer) FROM lessons l WHERE l.exchange_id = e.id), 0)
"""
# Accepted ones have a word or a review, so they need no condition of their own.
_MAY_GO = """
e.outcome <> 'running'
AND NOT EXISTS (SELECT 1 FROM feedback f WHERE f.exchange_id = e.id)
AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.exchange_id = e.id)
AND NOT EXISTS (SELECT 1 FROM renewals n WHERE n.exchange_id = e.id)
AND e.id NOT IN (SELECT u.value FROM json_each(:used) u)
AND NOT EXISTS (SELECT 1 FROM exchanges s
  WHERE s.uid = e.uid AND s.session = e.session AND s.asked_at_ms > :a_day_ago)
"""


class Removed(msgspec.Struct, frozen=True):
    """How many exchanges went, or would go, and the bytes of disk that it freed (in a dry run: about)."""

    exchanges: int
    freed_bytes: int
    size_bytes: int
    """Of the file afterwards; in a dry run, now."""


def remove_old(
    connection: apsw.Connection,
    *,
    days: int,
    megabytes: int,
    now_ms: int,
    dry_run: bool = False,
    used: Collection[str] = (),
) -> Removed:
    """Remove exchanges older than ``days``, then the oldest until the database is no bigger than ``megabytes`` (10^6).

    0 means no limit. What stays in any case: rated, reviewed, accepted or renewed ones, ``used`` ones (the ids that
    versions learned from), running ones, and those of a session that went on within the last day. Imported ones go by
    size alone. The limit of size may therefore not be reached. Rows are removed oldest first, for good: free pages are
    overwritten, and the file shrinks. Call it outside a transaction; takes the thread for as long as it lasts.

    :raises apsw.Error: the database cannot be written; whole batches may be gone by then, and nothing is half removed.
    """
    if not dry_run:
        _checkpoint(connection)  # or what the log takes would count as freed
    before = _size(connection)
    values: dict[str, str | int] = {"used": json.dumps(sorted(used)), "a_day_ago": now_ms - _DAY_MS}
    too_old = now_ms - days * _DAY_MS if days else _BEFORE_ALL
    most = megabytes * _MEGABYTE if megabytes else _NO_LIMIT
    removed = freed = 0
    after = (_BEFORE_ALL, "")
    while True:
        over = _live(connection) - (freed if dry_run else 0) - most
        going: list[str] = []
        page = _oldest(connection, values, after)
        finished = not page
        for at, identifier, size, imported in page:
            if over <= 0 and at >= too_old:
                # What a row takes is an estimate: look again whether it was enough.
                finished = not going
                break
            after = (at, identifier)
            # When something was imported is not known, only when it was asked, elsewhere: perhaps long ago.
            if over > 0 or not imported:
                going.append(identifier)
                over, freed = over - size, freed + size
        removed += len(going)
        if not dry_run and going:
            _delete(connection, going)
        if finished:
            break
    if dry_run:
        return Removed(removed, min(freed, before), before)
    if removed:
        _shrink(connection)
    size_now = _size(connection)
    return Removed(removed, max(0, before - size_now), size_now)


def _oldest(
    connection: apsw.Connection, values: Mapping[str, str | int], after: tuple[int, str]
) -> list[tuple[int, str, int, bool]]:
    """The next exchanges that may go, oldest first: when asked, id, about how many bytes they take, if imported."""
    rows = connection.execute(
        f"SELECT e.asked_at_ms, e.id, {_BYTES}, e.interface = 'import' FROM exchanges e"  # noqa: S608
        f" WHERE (e.asked_at_ms, e.id) > (:at, :id) AND {_MAY_GO} ORDER BY e.asked_at_ms, e.id LIMIT {_AT_ONCE}",
        {**values, "at": after[0], "id": after[1]},
    )
    return [(int(at), str(identifier), int(size), bool(imported)) for at, identifier, size, imported in rows]


def _delete(connection: apsw.Connection, ids: Sequence[str]) -> None:
    named = json.dumps(ids)
    among = "IN (SELECT value FROM json_each(?))"
    with connection:
        indexed = connection.execute(f"SELECT count(*) FROM past_answers WHERE exchange_id {among}", (named,)).get  # noqa: S608
        # The index over past answers goes with its row, and everything else that refers to it.
        connection.execute(f"DELETE FROM exchanges WHERE id {among}", (named,))  # noqa: S608
        if indexed:
            past_answers.make_anew(connection)


def _shrink(connection: apsw.Connection) -> None:
    """Give free pages back to the file system, as far as the disk has the room that this takes."""
    pages, free = (int(connection.pragma(name)) for name in ("page_count", "freelist_count"))
    incremental = int(connection.pragma("auto_vacuum")) == _INCREMENTAL
    if free and (not incremental or free > pages * _MUCH_FREE):
        if _has_room(connection, pages - free):
            # From the first time on, less work is enough when little is free.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")
    elif free:
        connection.execute("PRAGMA incremental_vacuum").fetchall()
    _checkpoint(connection)


def _checkpoint(connection: apsw.Connection) -> None:
    """Write the log to the file and empty it; a back-up that is being read holds it, then the next one will."""
    with contextlib.suppress(apsw.BusyError):
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _has_room(connection: apsw.Connection, live_pages: int) -> bool:
    # VACUUM writes what is live to a temporary file and from there to the write-ahead log.
    needed = 2 * live_pages * int(connection.pragma("page_size"))
    with contextlib.suppress(OSError):
        return shutil.disk_usage(Path(connection.filename).parent).free > needed
    return True


def _live(connection: apsw.Connection) -> int:
    """The bytes that the database needs; free pages within the file are not counted."""
    pages, free, size = (int(connection.pragma(name)) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def _size(connection: apsw.Connection) -> int:
    """The bytes on the disk, with the write-ahead log."""
    size = 0
    for name in (connection.filename, f"{connection.filename}-wal"):
        with contextlib.suppress(OSError):
            size += Path(name).stat().st_size
    return size
