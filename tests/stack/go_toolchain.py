"""A Go toolchain new enough to build Ollama: the machine's own, or Debian's where that is new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.stack import system_packages
from tests.stack.console import say
from tests.stack.errors import StackError

NEEDED = (1, 24, 1)
FETCHES_NEWER = (1, 21)
"""From this version on Go fetches the toolchain that a module asks for, unless told ``GOTOOLCHAIN=local``."""


def find() -> str | None:
    """Return the path of a usable ``go``, or None."""
    return next((path for path in _candidates() if _usable(path)), None)


def obtain() -> str:
    """Return the path of a usable ``go``, installed from Debian when that helps.

    :raises StackError: there is none to be had.
    """
    if found := find():
        return found
    needed = ".".join(map(str, NEEDED))
    offered = system_packages.candidate_version("golang-go")
    if _numbers(offered.partition(":")[2] or offered) >= NEEDED[:2]:
        say(f"no Go {needed} found; Debian offers golang-go {offered}")
        system_packages.install(["golang-go"], "    golang-go: to build Ollama")
        if found := find():
            return found
    raise StackError(
        "Ollama is not on this machine and cannot be built: that needs "
        f"Go {needed} or newer (Debian here offers {offered or 'none'}).\n"
        "    Either install Ollama 0.5.5 or newer so that `ollama` is on PATH,\n"
        "    or name one in NIX_TRINITY_OLLAMA, or put a new enough `go` on PATH.\n"
        "    NIX_TRINITY_WITHOUT_OLLAMA=1 runs the tests that need no Ollama."
    )


def _candidates() -> Iterator[str]:
    """Yield each ``go`` there is: on PATH, where Go's own archive puts it, where Debian does."""
    if on_path := shutil.which("go"):
        yield on_path
    for path in (Path("/usr/local/go/bin/go"), *sorted(Path("/usr/lib").glob("go-*/bin/go"), reverse=True)):
        if path.is_file():
            yield str(path)


def _usable(go: str) -> bool:
    """Tell whether this Go is new enough, or can fetch one that is."""
    version = _numbers(_output(go, "env", "GOVERSION").removeprefix("go"))
    return version >= NEEDED or (version >= FETCHES_NEWER and _output(go, "env", "GOTOOLCHAIN") != "local")


def _output(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, cwd="/"
    )
    return done.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: ``1.24~2`` gives (1, 24)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in match.group().split(".")) if match else ()
