"""The door to the index: bring it up to date, and let the retriever read it.

The index is a file of its own beside knowledge.db: it is made from other files, so it needs no back-up, no
sync at every write, and is simply made anew when it is damaged. Where nothing can be written it is in memory.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar

import apsw
import structlog

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus import notes, options_json
from nix_trinity.knowledge.corpus.ingest import Outcome, Source, SourceFile, ingest_file
from nix_trinity.knowledge.corpus.option_rows import fill_options, put_groups
from nix_trinity.knowledge.corpus.passage_rows import fill_manual, fill_note, remove_source
from nix_trinity.knowledge.corpus.search import IndexReader
from nix_trinity.knowledge.corpus.vectors import VectorTable

FILE_NAME = "index.db"
# Counted up with schema.sql; an index of another form is made anew.
_FORM = 3
_MOST_MANUAL_FILE_BYTES = 4 << 20
_MOST_FILES = 5_000
# Another process of ours is done with a whole index within this time.
_BUSY_MS = 10_000

Result = TypeVar("Result")
_log = structlog.get_logger("corpus")

_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.SQLError)

_FILLERS: dict[str, tuple[int, Callable[[apsw.Connection, Source, bytes], Outcome]]] = {
    "options": (options_json.MOST_BYTES, fill_options),
    "manual": (_MOST_MANUAL_FILE_BYTES, fill_manual),
    "notes": (notes.MOST_BYTES, fill_note),
}


@dataclass(frozen=True, slots=True)
class CorpusPlaces:
    """Where the corpus comes from; '' for none. ``notes`` are folders, ours first."""

    options: str = ""
    home_manager_options: str = ""
    manual: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorpusStatus:
    """What is indexed, and what could not be."""

    options: int
    notes: int
    manual_passages: int
    release: str | None
    problems: tuple[str, ...]


class Corpus:
    """The index, used from one thread that is not the event loop's."""

    def __init__(self, directory: Path, places: CorpusPlaces) -> None:
        self._path = directory / FILE_NAME
        self._places = places
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="corpus")
        self._connection: apsw.Connection | None = None
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
            self._seen = await asyncio.get_running_loop().run_in_executor(self._worker, _looks, self._places)
            self.problems = await asyncio.get_running_loop().run_in_executor(self._worker, self._refresh)
        finally:
            self._refreshed.set()

    async def read(self, work: Callable[[IndexReader], Result]) -> Result:
        """Run ``work`` in the index's thread, once the index was brought up to date.

        :raises CorpusError: the index cannot be read; nothing was searched.
        """
        await self._refreshed.wait()
        if await asyncio.get_running_loop().run_in_executor(self._worker, _looks, self._places) != self._seen:
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
            connection = self._opened()
            if self._reader is None:
                self._reader = IndexReader(connection)
            return work(self._reader)
        except apsw.Error as error:
            raise self._unusable(error) from error

    def _with_vectors(self, work: Callable[[VectorTable], Result]) -> Result:
        try:
            connection = self._opened()
            if self._vectors is None:
                self._vectors = VectorTable(connection)
            with connection:
                result = work(self._vectors)
        except apsw.Error as error:
            raise self._unusable(error) from error
        return result

    def _unusable(self, error: apsw.Error) -> CorpusError:
        self._close()
        remedy = f"It is made anew after: rm {self._path}; systemctl restart nix-trinity"
        if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
            self._connection = self._made_anew(error)
            # Nothing was seen yet of what the new one is made from.
            self._seen = None
            remedy = "It is damaged, and is made anew with the next question: ask again."
        return CorpusError(
            f"The index {self._path} cannot be used: {error}. Nothing was searched.", remedy, code="search_failed"
        )

    def _refresh(self) -> tuple[str, ...]:
        problems: list[str] = []
        began = time.monotonic()
        changed = 0
        unread: list[str] = []
        files = list(_files(self._places, problems, unread))
        for file in files:
            most_bytes, fill = _FILLERS[file.kind]
            try:
                connection = self._opened()
                with connection:
                    changed += ingest_file(
                        connection, file, now_ms=int(time.time() * 1000), most_bytes=most_bytes, fill=fill
                    )
            except CorpusError as error:
                problems.append(error.message)
            except apsw.Error as error:
                self._close()
                problems.append(f"{file.path}: the index {self._path} cannot be written: {error}.")
        try:
            changed += self._drop_others({(file.kind, str(file.path)) for file in files}, unread)
        except apsw.Error as error:
            self._close()
            problems.append(f"The index {self._path} cannot be written: {error}.")
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
        connection = self._opened()
        with connection:
            for number, kind, path in connection.execute("SELECT id, kind, path FROM sources").fetchall():
                if (kind, path) not in named and not any(Path(str(path)).is_relative_to(folder) for folder in unread):
                    remove_source(connection, int(str(number)))
                    dropped.append(kind)
            if "options" in dropped:
                put_groups(connection)
        return len(dropped)

    def _status(self) -> CorpusStatus:
        connection = self._opened()
        rows = connection.execute("SELECT kind, sum(entries) FROM sources GROUP BY kind")
        counts: dict[str, int] = {str(kind): int(str(count)) for kind, count in rows}
        return CorpusStatus(
            options=counts.get("options", 0),
            notes=counts.get("notes", 0),
            manual_passages=counts.get("manual", 0),
            release=IndexReader(connection).release(),
            problems=self.problems,
        )

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            try:
                self._connection = _connect(str(self._path))
            except _DAMAGED as error:
                self._connection = self._made_anew(error)
            except apsw.Error as error:
                self._connection = self._in_memory(error)
        return self._connection

    def _made_anew(self, why: apsw.Error) -> apsw.Connection:
        _log.warning("the index is made anew: it is damaged or of another form", error=str(why), path=str(self._path))
        try:
            for file in (self._path, *(self._path.with_name(f"{FILE_NAME}-{part}") for part in ("wal", "shm"))):
                file.unlink(missing_ok=True)
            return _connect(str(self._path))
        except (OSError, apsw.Error) as error:
            return self._in_memory(error)

    def _in_memory(self, why: Exception) -> apsw.Connection:
        _log.warning("the index is kept in memory", error=str(why), path=str(self._path))
        return _connect(":memory:")

    def _close(self) -> None:
        connection, self._connection, self._reader, self._vectors = self._connection, None, None, None
        if connection is not None:
            connection.close()


def _looks(places: CorpusPlaces) -> object:
    """What tells cheaply that options or notes are others: the file that each path leads to, its size and time."""
    looks: list[tuple[object, ...]] = []
    for name in (places.options, places.home_manager_options, *_notes(places)):
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


def _connect(path: str) -> apsw.Connection:
    connection = apsw.Connection(path)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        # Read to its end: apsw runs no further than the first row, which is journal_mode's.
        connection.execute(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON"
        ).fetchall()
        form = int(connection.pragma("user_version"))
        if form == 0:
            schema = (resources.files("nix_trinity.knowledge.corpus") / "schema.sql").read_text(encoding="utf-8")
            with connection:
                connection.execute(schema)
                connection.pragma("user_version", _FORM)
        elif form != _FORM:
            raise apsw.SQLError(f"form {form} of the index, where {_FORM} is known")  # noqa: TRY301
        # A write that changes nothing tells a file that is read-only, damaged or on a full disk.
        connection.execute("UPDATE sources SET path = path WHERE id = 0")
    except BaseException:
        connection.close()
        raise
    return connection


def _files(places: CorpusPlaces, problems: list[str], unread: list[str]) -> Iterator[SourceFile]:
    if places.options:
        yield SourceFile(Path(places.options), "options", "nixos")
    if places.home_manager_options:
        yield SourceFile(Path(places.home_manager_options), "options", "home-manager")
    for kind, origin, folder in (
        *((("manual", "nixos", places.manual),) if places.manual else ()),
        *(("notes", "notes", folder) for folder in places.notes),
    ):
        try:
            yield from (SourceFile(path, kind, origin) for path in _markdown(Path(folder)))
        except OSError as error:
            unread.append(folder)
            problems.append(f"{folder}: cannot be read: {error.strerror}.")


def _markdown(folder: Path) -> Sequence[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(2, "there is no such folder")
    found = sorted(path for path in folder.rglob("*.md") if path.is_file())
    return found[:_MOST_FILES]
