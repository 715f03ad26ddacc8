"""The file of the index: opened, made anew where it is damaged, and kept in memory where nothing can be written.

It lies beside knowledge.db and is made from other files, so it needs no back-up and no sync at every write.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import apsw
import structlog

from nix_trinity.knowledge.corpus.packs import add_tables

FILE_NAME = "index.db"
# Counted up with schema.sql; an index of another form is made anew.
_FORM = 3
# Another process of ours is done with a whole index within this time.
_BUSY_MS = 10_000

_log = structlog.get_logger("corpus")

_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError)


class IndexFile:
    """The index's file, and the one connection to it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._connection: apsw.Connection | None = None

    def opened(self) -> apsw.Connection:
        """The connection, opened when it is not."""
        if self._connection is None:
            try:
                self._connection = _connect(str(self.path))
            except _DAMAGED as error:
                self._connection = self._made_anew(error)
            except apsw.Error as error:
                self._connection = self._in_memory(error)
        return self._connection

    def replace_damaged(self, why: apsw.Error) -> None:
        """Make the file anew; what it held is gone until the corpus is indexed again."""
        self.close()
        self._connection = self._made_anew(why)

    def close(self) -> None:
        """Close the file, if it is open."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _made_anew(self, why: apsw.Error) -> apsw.Connection:
        _log.warning("the index is made anew: it is damaged or of another form", error=str(why), path=str(self.path))
        try:
            for file in (self.path, *(self.path.with_name(f"{FILE_NAME}-{part}") for part in ("wal", "shm"))):
                file.unlink(missing_ok=True)
            return _connect(str(self.path))
        except (OSError, apsw.Error) as error:
            return self._in_memory(error)

    def _in_memory(self, why: Exception) -> apsw.Connection:
        _log.warning("the index is kept in memory", error=str(why), path=str(self.path))
        return _connect(":memory:")


def _connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        # Read to its end: apsw runs no further than the first row, which is journal_mode's.
        connection.execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON"
        ).fetchall()
        if int(connection.pragma("user_version")) != _FORM:
            _make_tables(connection)
        # Beside the form: an older index keeps its vectors.
        add_tables(connection)
        # A write that changes nothing tells a file that is read-only, damaged or on a full disk.
        connection.execute("UPDATE sources SET path = path WHERE id = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: apsw.Connection) -> None:
    # IMMEDIATE: of two processes that start on a new file, the second looks again once the first is done.
    connection.execute("BEGIN IMMEDIATE")
    try:
        form = int(connection.pragma("user_version"))
        if form == 0:
            connection.execute((resources.files("nix_trinity.knowledge.corpus") / "schema.sql").read_text("utf-8"))
            connection.pragma("user_version", _FORM)
        elif form != _FORM:
            raise apsw.SQLError(f"form {form} of the index, where {_FORM} is known")  # noqa: TRY301
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
