"""The cache folder: what was downloaded or built once is there for every later run.

Three promises: a file is at its final name only when it is whole (made aside, then renamed), two runs never
make the same thing at once (a file lock, which the kernel frees even if its holder is killed), and what is
read back is checked against its checksum.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.console import say


def cache_root() -> Path:
    """Return the project's cache folder, made if missing.

    ``XDG_CACHE_HOME`` counts only when absolute, as its specification demands.
    """
    configured = Path(os.environ.get("XDG_CACHE_HOME") or "")
    base = configured if configured.is_absolute() else Path.home() / ".cache"
    root = base / "nix-trinity"
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextmanager
def locked(root: Path, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of this cache; wait, and say so, while another run holds it."""
    with (root / f"{name}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is preparing {name}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Give a new folder on the cache's own file system, where a rename is atomic; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="staging-", dir=root))
    try:
        yield folder
    finally:
        # Go writes its folders without write permission; what cannot be removed is only left-over space.
        shutil.rmtree(folder, ignore_errors=True)


def publish(made: Path, final: Path) -> None:
    """Move a finished file to its final name in one step, with its content safely on disk first."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with made.open("rb") as handle:
        os.fsync(handle.fileno())
    made.replace(final)


def write_text(path: Path, text: str) -> None:
    """Write a small file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with staging(path.parent) as folder:
        made = folder / path.name
        made.write_text(text, encoding="utf-8")
        publish(made, path)


def log_file(root: Path, name: str) -> Path:
    """Return where a long step's output goes; the newest one is kept, for when it failed."""
    folder = root / "logs"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.log"


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def intact(path: Path, sha256: str) -> bool:
    """Tell whether the file is there and is the one that was meant; say so when it is damaged."""
    if not path.is_file():
        return False
    if sha256_of(path) == sha256:
        return True
    say(f"{path.name} in the cache is damaged and will be made again")
    return False


def megabytes(path: Path) -> float:
    """Return a file's size in megabytes (10^6 bytes)."""
    return path.stat().st_size / 1e6
