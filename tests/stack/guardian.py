"""A process between us and a server that leaves nothing behind, however either of them ends.

Run as ``python guardian.py COMMAND…``. It starts the command in a process group of its own, writes the
command's process id to standard output and then waits for the first of two events: the command ends, or
standard input closes, which the kernel does for us when our parent dies in whatever way. After either it
kills the whole group, takes in every orphan (Ollama's runners outlive a killed Ollama) and ends. So once
the guardian is gone, all are gone, not even zombies are left.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def guard(command: Sequence[str]) -> None:
    """Run the command until it ends or our parent goes away; then see that nothing of it is left."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        process_group=0,
        # Should this very process be killed outright, at least the command itself goes with it.
        preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0),
    ) as process:
        try:
            print(process.pid, flush=True)
            ended = os.pidfd_open(process.pid)
            select.select([sys.stdin.fileno(), ended], [], [])
        finally:
            # The command is not reaped yet, so its group's number cannot have gone to someone else.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


if __name__ == "__main__":
    guard(sys.argv[1:])
