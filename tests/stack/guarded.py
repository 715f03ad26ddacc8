"""Owning a server's processes: start it under a guardian, stop or kill it, and know that all are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

GUARDIAN = Path(__file__).with_name("guardian.py")
GUARDIAN_SECONDS = 30.0
"""After this long the guardian itself is taken to hang; killing a group takes it milliseconds."""


class GuardedProcess:
    """A running command with all its descendants, none of which outlives this process."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARDIAN), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        assert self._guardian.stdout is not None
        line = self._guardian.stdout.readline()
        if not line:
            with self._guardian:
                raise OSError(f"{command[0]} cannot be started; see {log}")
        self.pid = int(line)

    @property
    def running(self) -> bool:
        """Whether the command is still there."""
        return self._guardian.poll() is None

    def pids(self) -> list[int]:
        """Return the processes of the command's group that are there now, the command's own first."""
        return [pid for pid, group in _process_groups() if group == self.pid]

    def stop(self, patience_seconds: float = 10) -> None:
        """Ask the command to end, then make it; return when no process of it is left."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._guardian.wait(patience_seconds)
        self._finish()

    def kill(self) -> None:
        """End the command and its descendants at once, as a crash or the kernel out of memory would."""
        self._finish()

    def _finish(self) -> None:
        """Let the guardian kill what is left, by closing its standard input, and wait for it."""
        with self._guardian as guardian:
            assert guardian.stdin is not None
            guardian.stdin.close()
            try:
                guardian.wait(GUARDIAN_SECONDS)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                guardian.kill()


def _process_groups() -> list[tuple[int, int]]:
    """Return (process, group) of all processes, by process number."""
    found: list[tuple[int, int]] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        # A process may end between the listing and the reading.
        with suppress(OSError):
            # The second field, the program's name in brackets, may hold blanks and brackets itself.
            fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            found.append((int(entry.name), int(fields[2])))
    return sorted(found)
