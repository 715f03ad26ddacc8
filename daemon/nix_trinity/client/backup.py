"""A back-up or an export: written beside its place, and put there whole or not at all."""

from __future__ import annotations

import os
import time

from nix_trinity.client.report import checked
from nix_trinity.client.wire import Refusal, Reply, request


def write_backup(target: str) -> None:
    """Ask the daemon for a copy of its database and write it to ``target``, which must not exist.

    :raises Refusal: ``target`` exists, be it only since a moment ago, or cannot be written; or the daemon refuses.
    """
    write_download("back-up", "/v1/backup", target, accept="application/vnd.sqlite3")


def write_download(what: str, path: str, target: str, *, accept: str) -> None:
    """Write what the daemon has at ``path`` to ``target``; ``what`` says in errors what it is.

    :raises Refusal: see :func:`write_backup`.
    """
    if os.path.lexists(target):
        raise _taken(target)
    reply = checked(request("GET", path, accept=accept))
    try:
        _write_whole(reply, target)
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        raise Refusal(
            1,
            f"The {what} cannot be written to {target}: {error.strerror}.",
            "Choose a place with room that is yours.",
        ) from None
    finally:
        reply.close()


def _taken(target: str) -> Refusal:
    return Refusal(2, f"{target} is there already.", "Choose another name, or remove it first.")


def _write_whole(reply: Reply, target: str) -> None:
    """Write the whole body to ``target``, which exists only once all of it is on the disk."""
    # A name of our own, since another back-up to the same place may be under way.
    partial = f"{target}.{os.getpid()}-{time.monotonic_ns()}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 (pathlib takes 10 ms to import)
            for block in reply.blocks():
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        _put_in_place(partial, target)
    finally:
        if os.path.lexists(partial):
            os.unlink(partial)  # noqa: PTH108 (see above)
    folder = os.open(os.path.dirname(target) or ".", os.O_RDONLY)  # noqa: PTH120 (see above)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _put_in_place(partial: str, target: str) -> None:
    """Give ``partial`` its final name, but never in place of another file as a rename would.

    :raises FileExistsError: there is such a file by now.
    """
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:
        # FAT, as on USB sticks, has no links: take the name with an empty file, which only we then replace.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.rename(partial, target)  # noqa: PTH104 (see above)
