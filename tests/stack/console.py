"""What a person sees while parts are prepared: progress on standard error, results on standard output."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.stack.errors import StackError, closing_lines


def say(text: str) -> None:
    """Tell a person what is going on."""
    print(f"[stack] {text}", file=sys.stderr, flush=True)


def run_long(
    what: str,
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    limit_seconds: float = 3600,
    heartbeat_seconds: float = 15,
) -> None:
    """Run a step that takes minutes: its output goes to ``log``, a sign of life to the person.

    :raises StackError: the command failed, with the end of its output, or ran over its limit.
    """
    started = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        while True:
            try:
                code = process.wait(heartbeat_seconds)
                break
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - started
                say(f"{what}: {elapsed:.0f} s so far")
                if elapsed > limit_seconds:
                    raise StackError(f"{what}: given up after {elapsed:.0f} s") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0:
        tail = closing_lines(log.read_text(errors="replace"))
        raise StackError(f"{what} failed (exit code {code}):\n{tail}\n    The whole log: {log}")
