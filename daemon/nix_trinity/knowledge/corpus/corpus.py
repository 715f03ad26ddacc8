"""The door to the index: bring it up to date, and let the retriever read it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw
import structlog

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus import notes, options_json, packs
from nix_trinity.knowledge.corpus.index_file import IndexFile
from nix_trinity.knowledge.corpus.ingest import Outcome, Source, ingest_file
from nix_trinity.knowledge.corpus.option_rows import fill_options, put_groups
from nix_trinity.knowledge.corpus.pack_places import EXCHANGES, NOTES
from nix_trinity.knowledge.corpus.passage_rows import fill_manual, fill_note, remove_source
from nix_trinity.knowledge.corpus.places import CorpusPlaces, looks_of, sources_of
from nix_trinity.knowledge.corpus.search import IndexReader
from nix_trinity.knowledge.corpus.vectors import VectorTable
from nix_trinity.knowledge.packs import MOST_EXCHANGES_BYTES

_MOST_MANUAL_FILE_BYTES = 4 << 20

Result = TypeVar("Result")
_log = structlog.get_logger("corpus")

_Filler = tuple[int, Callable[[apsw.Connection, Source, bytes], Outcome]]
_FILLERS: dict[str, _Filler] = {
    "options": (options_json.MOST_BYTES, fill_options),
    "manual": (_MOST_MANUAL_FILE_BYTES, fill_manual),
    "notes": (notes.MOST_BYTES, fill_note),
}


@dataclass(frozen=True, slots=True)
class CorpusStatus:
    """What is indexed, and what could not be."""

    options: int
    notes: int
    manual_passages: int
    release: str | None
    problems: tuple[str, ...]
    packs: tuple[packs.PackFound, ...] = ()


class Corpus:
    """The index, used from one thread that is not the event loop's."""

    def __init__(self, directory: Path, places: CorpusPlaces, *, orders: packs.Orders = lambda _: False) -> None:
        """``orders`` says whether a text of a pack reads like orders to the model; it is then not indexed."""
        self._index = IndexFile(directory)
        self._places = places
        self._fillers: dict[str, _Filler] = {
            **_FILLERS,
            NOTES: (notes.MOST_BYTES, packs.note_filler(orders)),
            EXCHANGES: (MOST_EXCHANGES_BYTES, packs.exchanges_filler(orders)),
        }
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="corpus")
        self._reader: IndexReader | None = None
        self._vectors: VectorTable | None = None
        self._refreshed = asyncio.Event()
        self._seen: object = None
        self.generation = 0
        """Counted up when the index changed: what was made from it before is outdated."""
        self.problems: tuple[str, ...] = ()

    async def refresh(self) -> None:
        """Index what changed. What cannot be used is logged, and told by :attr:`problems`; it never raises."""
        try:
            self._seen = await asyncio.get_running_loop().run_in_executor(self._worker, looks_of, self._places)
            self.problems = await asyncio.get_running_loop().run_in_executor(self._worker, self._refresh)
        finally:
            self._refreshed.set()

    async def read(self, work: Callable[[IndexReader], Result]) -> Result:
        """Run ``work`` in the index's thread, once the index was brought up to date.

        :raises CorpusError: the index cannot be read; nothing was searched.
        """
        await self._refreshed.wait()
        if await asyncio.get_running_loop().run_in_executor(self._worker, looks_of, self._places) != self._seen:
            # A nixos-rebuild or a new note since: what is true now is not what was indexed.
            await self.refresh()
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._read, work)

    async def vectors(self, work: Callable[[VectorTable], Result]) -> Result:
        """Run ``work`` on the options' vectors, in the index's thread and in one transaction.

        It waits until the index was brought up to date, and does not ask for that: vectors can wait.

        :raises CorpusError: the index cannot be used, or there are no vectors here (``vectors_unavailable``).
        """
        await self._refreshed.wait()
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._with_vectors, work)

    async def status(self) -> CorpusStatus | None:
        """What is indexed; None while the first look at the files is not over."""
        if not self._refreshed.is_set():
            return None
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._status)

    async def close(self) -> None:
        """Finish what is running and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._close)
        self._worker.shutdown()

    def _read(self, work: Callable[[IndexReader], Result]) -> Result:
        try:
            connection = self._index.opened()
            if self._reader is None:
                self._reader = IndexReader(connection)
            return work(self._reader)
        except apsw.Error as error:
            raise self._unusable(error) from error

    def _with_vectors(self, work: Callable[[VectorTable], Result]) -> Result:
        try:
            connection = self._index.opened()
            if self._vectors is None:
                self._vectors = VectorTable(connection)
            with connection:
                result = work(self._vectors)
        except apsw.Error as error:
            raise self._unusable(error) from error
        return result

    def _unusable(self, error: apsw.Error) -> CorpusError:
        self._close()
        remedy = f"It is made anew after: rm {self._index.path}; systemctl restart nix-trinity"
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            self._index.replace_damaged(error)
            # Nothing was seen yet of what the new one is made from.
            self._seen = None
            remedy = "It is damaged, and is made anew with the next question: ask again."
        return CorpusError(
            f"The index {self._index.path} cannot be used: {error}. Nothing was searched.", remedy, code="search_failed"
        )

    def _refresh(self) -> tuple[str, ...]:
        began = time.monotonic()
        changed = 0
        found = sources_of(self._places)
        problems = found.problems
        for file in found.files:
            most_bytes, fill = self._fillers[file.kind]
            try:
                connection = self._index.opened()
                with connection:
                    changed += ingest_file(
                        connection, file, now_ms=int(time.time() * 1000), most_bytes=most_bytes, fill=fill
                    )
            except CorpusError as error:
                problems.append(error.message)
            except apsw.Error as error:
                self._close()
                problems.append(f"{file.path}: the index {self._index.path} cannot be written: {error}.")
        try:
            changed += self._drop_others({(file.kind, str(file.path)) for file in found.files}, found.unread)
            with self._index.opened() as connection:
                changed += packs.put_packs(connection, found.packs, found.unread)
            packs.scrub(connection)
        except apsw.Error as error:
            self._close()
            problems.append(f"The index {self._index.path} cannot be written: {error}.")
        self._reader = None
        self.generation += bool(changed)
        if changed or problems:
            _log.info("indexed", files=changed, seconds=round(time.monotonic() - began, 2), problems=problems or None)
        return tuple(problems)

    def _drop_others(self, named: set[tuple[str, str]], unread: Sequence[str]) -> int:
        """Forget the files that the configuration no longer names, or that are gone from a folder.

        What stood in a folder that cannot be read now (``unread``) stays.
        """
        dropped = []
        connection = self._index.opened()
        with connection:
            for number, kind, path in connection.execute("SELECT id, kind, path FROM sources").fetchall():
                if (kind, path) not in named and not any(Path(str(path)).is_relative_to(folder) for folder in unread):
                    remove_source(connection, int(str(number)))
                    dropped.append(kind)
            if "options" in dropped:
                put_groups(connection)
        return len(dropped)

    def _status(self) -> CorpusStatus:
        connection = self._index.opened()
        rows = connection.execute("SELECT kind, sum(entries) FROM sources GROUP BY kind")
        counts: dict[str, int] = {str(kind): int(str(count)) for kind, count in rows}
        return CorpusStatus(
            options=counts.get("options", 0),
            notes=counts.get("notes", 0),
            manual_passages=counts.get("manual", 0),
            release=IndexReader(connection).release(),
            problems=self.problems,
            packs=packs.packs_found(connection),
        )

    def _close(self) -> None:
        self._reader, self._vectors = None, None
        self._index.close()
