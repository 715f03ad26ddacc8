"""What the rest of the daemon asks of the knowledge: keep, show, judge, forget, back up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw
import msgspec

from nix_trinity.errors import StorageError
from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import past_answers
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.past_answers import Past
from nix_trinity.knowledge.redaction import redact

_BACKUP_BLOCK_BYTES = 1 << 18
# Accepted exchanges that are indexed at once, in one transaction, so that others need not wait long.
_INDEXED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Whether exchanges are kept, and where. ``state`` is on, off or unavailable."""

    state: str
    reason: str
    path: str
    size_bytes: int
    exchanges: int | None


class KnowledgeStore:
    """The one door to knowledge.db. Everything that comes in is redacted here, whoever sends it."""

    def __init__(self, database: Database, *, keeps_exchanges: bool) -> None:
        self._database = database
        self.keeps_exchanges = keeps_exchanges

    async def open(self) -> int:
        """Open and migrate the file, and return how many exchanges a killed daemon had left unfinished.

        :raises StorageError: nothing can be kept at present; the store is usable all the same.
        """
        interrupted = await self._database.run(rows.close_interrupted)
        while await self._database.run(lambda connection: past_answers.catch_up(connection, _INDEXED_AT_ONCE)):
            pass
        return interrupted

    async def keep(self, exchange: Exchange) -> None:
        """Write an exchange, new or anew, so that it is on the disk when this returns.

        :raises StorageError: it is not kept.
        """
        clean = _redacted(exchange)

        def work(connection: apsw.Connection) -> None:
            rows.put_exchange(connection, clean)
            past_answers.refresh(connection, clean.id)

        await self._database.run(work)

    async def find(self, reader: Reader, prefix: str) -> tuple[Exchange, list[Feedback]]:
        """The one exchange whose id starts with ``prefix`` (the reader's last one for '') and its feedback.

        :raises NotFoundError: there is none that this person may see.
        :raises RequestError: ``ambiguous_id``, more than one id starts so.
        :raises StorageError: nothing can be read at present.
        """

        def work(connection: apsw.Connection) -> tuple[Exchange, list[Feedback]]:
            exchange = rows.the_one(rows.find_exchange(connection, reader, prefix), prefix)
            return exchange, rows.feedback_on(connection, exchange.id)

        return await self._database.run(work)

    async def history(self, reader: Reader, *, limit: int, session: str | None = None) -> list[Exchange]:
        """The newest exchanges that the reader may see, newest first.

        :raises StorageError: nothing can be read at present.
        """
        return await self._database.run(
            lambda connection: rows.list_exchanges(connection, reader, limit=limit, session=session)
        )

    async def session_history(self, uid: int, session: str, *, limit: int) -> list[Exchange]:
        """The last answered exchanges of a session, oldest first; empty when nothing can be read."""
        try:
            return await self._database.run(
                lambda connection: rows.session_history(connection, uid, session, limit=limit)
            )
        except StorageError:
            return []

    async def last_session(self, uid: int) -> str | None:
        """The person's newest session; None when there is none or nothing can be read."""
        try:
            return await self._database.run(lambda connection: rows.last_session(connection, uid))
        except StorageError:
            return None

    async def accepted_like(self, reader_uid: int, stems: Sequence[str], limit: int) -> list[Past]:
        """The accepted exchanges most like a question of ``stems`` that this person may draw on, best first.

        ``stems`` come the most telling first. Empty when nothing can be read.
        """

        def work(connection: apsw.Connection) -> list[Past]:
            past_answers.catch_up(connection, _INDEXED_AT_ONCE)
            return past_answers.accepted_like(connection, reader_uid, stems, limit)

        try:
            return await self._database.run(work)
        except StorageError:
            return []

    async def was_refused(self, uid: int, source: str) -> bool:
        """Whether an answer with this source of a pack was called bad, and that by this person or an operator.

        The newest word of each counts. False when nothing can be read.
        """
        try:
            return await self._database.run(lambda connection: rows.was_refused(connection, uid, source))
        except StorageError:
            return False

    async def judge(self, reader: Reader, prefix: str, feedback: Feedback) -> Exchange:
        """Keep what a person thinks of an exchange, and return that exchange.

        :raises NotFoundError: see :meth:`find`. :raises RequestError: likewise.
        :raises StorageError: the feedback is not kept.
        """
        correction = redact(feedback.correction).text if feedback.correction is not None else None
        clean = msgspec.structs.replace(feedback, correction=correction)

        def work(connection: apsw.Connection) -> Exchange:
            exchange = rows.the_one(rows.find_exchange(connection, reader, prefix), prefix)
            rows.put_feedback(connection, exchange.id, clean)
            past_answers.refresh(connection, exchange.id)
            return exchange

        return await self._database.run(work)

    async def forget(self, reader: Reader, prefix: str) -> str:
        """Remove an exchange for good, also from the free pages and the write-ahead log; return its id.

        :raises NotFoundError: see :meth:`find`. :raises RequestError: likewise.
        :raises StorageError: it could not be removed.
        """

        def work(connection: apsw.Connection) -> str:
            exchange = rows.the_one(rows.find_exchange(connection, reader, prefix), prefix)
            # Without anybody's word it was never accepted, and so never in the index.
            may_be_indexed = rows.has_words(connection, exchange.id)
            rows.delete_exchange(connection, exchange.id)
            if may_be_indexed:
                past_answers.make_anew(connection)
            return exchange.id

        exchange_id = await self._database.run(work)
        await self._database.run_outside_transaction(
            lambda connection: connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        )
        return exchange_id

    async def status(self) -> StoreStatus:
        """Whether exchanges are kept, where, how many and how big; tries the file, so that it tells the truth."""
        count: int | None = None
        with contextlib.suppress(StorageError):
            count = await self._database.run(_probe)
        path = self._database.path
        size = (
            sum(part.stat().st_size for part in (path, path.with_name(path.name + "-wal")) if part.exists())
            if os.access(path.parent, os.X_OK)
            else 0
        )
        if not self.keeps_exchanges:
            state, reason = "off", "logging.exchanges is false"
        elif self._database.unavailable:
            state, reason = "unavailable", self._database.unavailable
        else:
            state, reason = "on", ""
        return StoreStatus(state, reason, str(path), size, count)

    async def backup(self) -> AsyncIterator[bytes]:
        """A consistent copy of the whole database as one file's bytes, made while writing goes on.

        :raises StorageError: the copy cannot be made.
        """
        with tempfile.TemporaryDirectory(dir=self._database.path.parent, prefix=".backup-") as folder:
            copy = Path(folder) / "knowledge.db"
            # From a connection of its own: in WAL mode a reader keeps no writer waiting.
            await asyncio.to_thread(_copy, self._database.path, copy)
            with copy.open("rb") as file:
                while block := file.read(_BACKUP_BLOCK_BYTES):
                    yield block

    async def responds(self) -> bool:
        """Whether the database thread still works (the watchdog's question)."""
        return await self._database.responds()

    async def close(self) -> None:
        """Finish all writes and close the file."""
        await self._database.close()


def _probe(connection: apsw.Connection) -> int:
    # A write that changes nothing: a file system that turned read-only or full is noticed here.
    connection.execute("UPDATE exchanges SET id = id WHERE id = ''")
    return rows.count_exchanges(connection)


def _copy(source: Path, target: Path) -> None:
    try:
        connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.execute("VACUUM INTO ?", (str(target),))
        finally:
            connection.close()
    except apsw.Error as error:
        raise StorageError(
            f"{source} cannot be copied: {error}.", f"Check it and the free space: df {source.parent}"
        ) from error


def _redacted(exchange: Exchange) -> Exchange:
    return msgspec.structs.replace(
        exchange,
        question=redact(exchange.question).text,
        attachment=redact(exchange.attachment).text,
        answer=redact(exchange.answer).text,
    )
