"""A pseudo-terminal, for what a program does only where a person sits at one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Self


class Terminal:
    """A command that is run at a pseudo-terminal, as its session's foreground job."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, columns: int = 80) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        try:
            subprocess.run(["stty", "cols", str(columns)], stdin=slave, check=True)
            self.process = subprocess.Popen(
                # Makes the terminal the controlling one, so that Ctrl-C is one.
                ["setsid", "--ctty", *command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**environment, "TERM": "xterm"},
            )
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def read_until(self, words: str, seconds: float = 20.0, *, after: str = "") -> None:
        """Wait until the screen shows ``words``, somewhere after ``after``."""
        until = time.monotonic() + seconds
        while words not in (self.screen.partition(after)[2] if after else self.screen):
            assert self._more(until - time.monotonic()), self.screen

    def exit_code(self) -> int:
        """Read to the end."""
        while self._more(20.0):
            pass
        return self.process.wait(20)

    def _more(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return False
        try:
            block = os.read(self._master, 65536)
        except OSError:
            # EIO: nobody holds the other end any more.
            return False
        self.screen += block.decode("utf-8", "replace")
        return bool(block)
