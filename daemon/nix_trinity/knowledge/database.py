"""The SQLite file: opened, migrated, and used from one thread that is not the event loop's.

The daemon is the only writer. WAL mode needs the whole folder to be writable (SQLite keeps two more files
beside the database), so a read-only or full file system is not an error at start: the store says that it is
unavailable and why, answers go on, and each later use tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TypeVar

import apsw

from nix_trinity.errors import StorageError

FILE_NAME = "knowledge.db"
_BUSY_MILLISECONDS = 5_000
# What SQLite needs for its smallest database in WAL mode, roughly.
_LEAST_FREE_BYTES = 1 << 17

Result = TypeVar("Result")


class Database:
    """One connection in one worker thread; every use is a function that is handed the connection."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self.unavailable: str | None = None
        """Why nothing can be kept at present; None when all is well."""
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="knowledge")
        self._connection: apsw.Connection | None = None

    async def run(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Run ``work`` in the worker thread, inside one transaction that is committed when it returns.

        :raises StorageError: the database cannot be opened or written; says why.
        """
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._run, work, True)

    async def run_outside_transaction(self, work: Callable[[apsw.Connection], Result]) -> Result:
        """Like :meth:`run`, for what SQLite does not do inside a transaction (checkpoint, vacuum).

        :raises StorageError: see :meth:`run`.
        """
        return await asyncio.get_running_loop().run_in_executor(self._worker, self._run, work, False)

    async def responds(self) -> bool:
        """Whether the worker thread still does what it is asked; an unavailable file is still an answer."""
        with contextlib.suppress(StorageError):
            await self.run(lambda connection: connection.execute("SELECT 1").fetchall())
        return True

    async def close(self) -> None:
        """Finish what was asked for and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._worker, self._close)
        self._worker.shutdown()

    def _run(self, work: Callable[[apsw.Connection], Result], transaction: bool) -> Result:
        try:
            connection = self._opened()
            if transaction:
                with connection:
                    result = work(connection)
            else:
                result = work(connection)
        except apsw.Error as error:
            # Whatever is wrong with the file, a person still gets an answer.
            self.unavailable = _reason(error, self.path.parent)
            # A connection that met a fault of the file is not trusted again; the next use opens it anew.
            self._close()
            raise StorageError(
                f"{self.path} cannot be used: {self.unavailable}.",
                f"Check the folder and its file system: ls -ld {self.path.parent}; df {self.path.parent}. "
                "Answers go on; they are just not kept.",
            ) from error
        except StorageError as error:
            self.unavailable = error.message
            raise
        self.unavailable = None
        return result

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            connection = apsw.Connection(str(self.path))
            try:
                connection.set_busy_timeout(_BUSY_MILLISECONDS)
                connection.execute("PRAGMA journal_mode = WAL")
                # FULL: what was acknowledged is on the disk. secure_delete: what was forgotten is not.
                connection.execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON")
                migrate(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def migrate(connection: apsw.Connection, scripts: list[str] | None = None) -> int:
    """Bring the database to the newest form and return its number; each step is one transaction.

    ``scripts`` are the steps in order; those of ``knowledge/migrations`` unless told otherwise.

    :raises StorageError: the database was made by a newer version of the program.
    """
    steps = _migrations() if scripts is None else scripts
    version = int(connection.pragma("user_version"))
    if version > len(steps):
        raise StorageError(
            f"The database has form {version}; this version of NixTrinity knows forms up to {len(steps)}.",
            "Upgrade NixTrinity, or restore the back-up that was made before the upgrade.",
        )
    for number, script in enumerate(steps[version:], start=version + 1):
        with connection:
            connection.execute(script)
            connection.pragma("user_version", number)
    return len(steps)


def _migrations() -> list[str]:
    folder = resources.files("nix_trinity.knowledge") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in names]


def _reason(error: apsw.Error, folder: Path) -> str:
    reasons: list[tuple[type[apsw.Error], str]] = [
        (apsw.ReadOnlyError, "read-only"),
        (apsw.FullError, "the disk is full"),
        (apsw.CantOpenError, "cannot be opened (missing folder, read-only or no permission)"),
        (apsw.PermissionsError, "no permission"),
        (apsw.CorruptError, "the file is damaged"),
        (apsw.NotADBError, "the file is not a database"),
        (apsw.BusyError, "another program holds it locked"),
        (apsw.SQLError, "its tables are not NixTrinity's"),
    ]
    for kind, words in reasons:
        if isinstance(error, kind):
            return words
    with contextlib.suppress(OSError):
        # Making the shared-memory file of WAL mode fails with a plain I/O error when the disk is full.
        if shutil.disk_usage(folder).free < _LEAST_FREE_BYTES:
            return "the disk is full"
    return f"input/output error ({error})"
