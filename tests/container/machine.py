"""A booted machine that is told what to do by commands run inside it, as NixOS' own tests do."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.container.booting import LOOK_AGAIN_SECONDS, BootedContainer
from tests.stack.errors import closing_lines

COMMAND_SECONDS = 60.0
_TIMED_OUT = {124, 137}
_ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb")

# The daemon judges by the caller's groups: they are those of the account, as a login gives them.
_AS_USER = (
    'HOME="$(getent passwd "$0" | cut -d: -f6)" '
    'exec setpriv --reuid="$0" --regid="$(id --group "$0")" --init-groups -- "$@"'
)
_WRITE = 'mkdir -p "$(dirname "$0")" && rm -f "$0" && install -m "$1" /dev/stdin "$0"'


@dataclass(frozen=True, slots=True)
class Done:
    """How a command inside ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything it wrote."""
        return self.stdout + self.stderr


class Machine(BootedContainer):
    """What a test does with the machine. A command is a line for bash, or a program with its arguments.

    ``user`` is whose rights and groups a command has, root's unless given; ``timeout`` is in seconds.
    """

    def run(
        self,
        command: str | Sequence[str],
        *,
        user: str | None = None,
        input: str = "",  # noqa: A002 – as subprocess.run calls it
        timeout: float = COMMAND_SECONDS,
    ) -> Done:
        """Run a command to its end, whatever its exit code.

        :raises StackError: the machine is not there, or the command takes too long; then it is ended.
        """
        started = time.monotonic()
        try:
            done = subprocess.run(
                self._inside(command, user, timeout),
                input=input,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout + 30,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self.error(f"{_shown(command)}: cannot be ended; does the machine hang?") from None
        if done.returncode in _TIMED_OUT and time.monotonic() - started >= timeout:
            wrote = closing_lines(done.stdout + done.stderr)
            raise self.error(f"{_shown(command)}: given up after {timeout:g} s\n{wrote}")
        return Done(done.returncode, done.stdout, done.stderr)

    def succeed(
        self,
        command: str | Sequence[str],
        *,
        user: str | None = None,
        input: str = "",  # noqa: A002
        timeout: float = COMMAND_SECONDS,
    ) -> str:
        """Run a command that has to succeed, and return what it wrote to standard output.

        :raises StackError: it fails; what it wrote is in the text.
        """
        done = self.run(command, user=user, input=input, timeout=timeout)
        if done.code != 0:
            raise self.error(f"{_shown(command)}: exit code {done.code}\n{closing_lines(done.output)}")
        return done.stdout

    def fail(
        self,
        command: str | Sequence[str],
        *,
        user: str | None = None,
        input: str = "",  # noqa: A002
        timeout: float = COMMAND_SECONDS,
    ) -> Done:
        """Run a command that has to fail, and return how it did.

        :raises StackError: it succeeds.
        """
        done = self.run(command, user=user, input=input, timeout=timeout)
        if done.code == 0:
            raise self.error(f"{_shown(command)}: succeeded, and should not have\n{closing_lines(done.output)}")
        return done

    def spawn(
        self, command: str | Sequence[str], *, user: str | None = None, timeout: float = COMMAND_SECONDS
    ) -> subprocess.Popen[str]:
        """Start a command and go on; what it writes can be read as it comes. Use it in a ``with``.

        It ends after ``timeout`` seconds at the latest; ending it from here earlier ends it inside as well if it
        listens to the end of its input or output.
        """
        return subprocess.Popen(
            self._inside(command, user, timeout),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit, as ``systemctl show`` prints it."""
        return self.succeed(["systemctl", "show", "--property", name, "--value", unit]).strip()

    def journal(self, unit: str, *, since: str = "") -> str:
        """Return what a unit wrote in this boot, and what systemd wrote of it; after the mark ``since`` if given."""
        after = [f"--after-cursor={since}"] if since else []
        self.succeed(["journalctl", "--sync"])
        return self.succeed(["journalctl", "--boot", "--no-pager", "--output=cat", "--unit", unit, *after])

    def journal_mark(self) -> str:
        """Return a mark for :meth:`journal`: what is written from now on comes after it."""
        self.succeed(["journalctl", "--sync"])
        shown = self.succeed(["journalctl", "--boot", "--quiet", "--lines=0", "--show-cursor"])
        return shown.rpartition("cursor:")[2].strip()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file, with the folders above it; a link that is there is replaced, not followed."""
        self.succeed(["/bin/sh", "-c", _WRITE, path, f"{mode:o}"], input=text)

    def read(self, path: str) -> str:
        """Return a file's text."""
        return self.succeed(["cat", path])

    def wait_until(self, holds: str | Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until a line for bash succeeds, or a function here says yes.

        :raises StackError: it does not within so many seconds.
        """
        deadline = time.monotonic() + seconds
        while not (self.run(holds).code == 0 if isinstance(holds, str) else holds()):
            if time.monotonic() > deadline:
                what = holds if isinstance(holds, str) else "what is waited for"
                raise self.error(f"{what}: not within {seconds:g} s")
            time.sleep(LOOK_AGAIN_SECONDS)

    def _inside(self, command: str | Sequence[str], user: str | None, timeout: float) -> list[str]:
        words = ["/bin/bash", "-c", command] if isinstance(command, str) else list(command)
        # Ended from inside: whoever ends nsenter does not end what it has started.
        words = ["timeout", "--kill-after=2", str(timeout), *words]
        if user is not None:
            words = ["/bin/sh", "-c", _AS_USER, user, *words]
        return [*self.enter(), "env", "-i", *_ENVIRONMENT, *words]


def _shown(command: str | Sequence[str]) -> str:
    return command if isinstance(command, str) else shlex.join(command)
