"""Files that are whole at every moment: written beside their place, synced, and then renamed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from nix_trinity.errors import StorageError

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700

Result = TypeVar("Result")


class Files(Protocol):
    """The seam at which tests let the machine die."""

    def write(self, path: Path, content: bytes) -> None:
        """Give ``path`` this content, whole or not at all; makes its folder.

        :raises StorageError: it cannot be written.
        """
        ...

    def remove(self, path: Path) -> None:
        """Remove a file if it is there.

        :raises StorageError: it cannot be removed.
        """
        ...


class DiskFiles:
    """Files that nobody but the daemon's user may read, since what people asked stands in them."""

    def write(self, path: Path, content: bytes) -> None:
        """See :class:`Files`."""
        # A fixed name: what a crash leaves is written over the next time and does not pile up.
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE
            )
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, _FILE_MODE)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise _failed(path, "written", error) from error

    def remove(self, path: Path) -> None:
        """See :class:`Files`."""
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync_folder(path.parent)
        except OSError as error:
            raise _failed(path, "removed", error) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(path: Path, what: str, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be {what}: {error.strerror or error}.",
        f"Look at the disk and the folder: df -h {path.parent}; sudo ls -ld {path.parent}",
    )


async def off_loop(work: Callable[[], Result]) -> Result:
    """Do file work in a thread. Whoever is cancelled meanwhile still waits for its end: no write is left running."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
