"""Let a real Nix parse a block: the last word on its syntax. The only file of the verifier that does I/O.

Parsing evaluates nothing and needs neither a store nor the network. The program runs with limits of time and
memory, since what it reads was written by a model.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path
from typing import Final

from nix_trinity.answering.verifier.nix_code import SyntaxProblem

_SECONDS: Final = 2.0
# Nix reserves its heap in advance, so that less makes it fail on an empty file.
_MEMORY_KIB: Final = 2 * 1024 * 1024
_MOST_CODE: Final = 100_000
_ERROR = re.compile(r"error:\s*(.+?)(?:\n|\Z)")
_PLACE = re.compile(r"(?:«stdin»|\(string\)|\(stdin\)|\bstdin):(\d{1,7}):\d{1,7}")
# Fragments use names that are bound elsewhere in the file that they belong to: that is no fault of theirs.
_NOT_SYNTAX = re.compile(r"undefined variable")


async def parse_with_nix(source: str, program: Path) -> tuple[SyntaxProblem, ...] | None:
    """Say what ``program`` (a path to ``nix-instantiate``) finds wrong with the syntax of ``source``.

    None when it cannot tell: it does not start, takes too long or too much memory, or fails for another reason.
    """
    if len(source) > _MOST_CODE:
        return None
    try:
        # A store of no kind: parsing needs none, and without a Nix daemon one would be made in the home folder.
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", f'ulimit -v {_MEMORY_KIB}; exec "$0" --store dummy:// --parse -', str(program)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(_SECONDS):
            _, said = await process.communicate(source.encode("utf-8", "replace"))
    except (TimeoutError, OSError):
        return None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return () if process.returncode == 0 else _problems(said.decode("utf-8", "replace"))


def _problems(said: str) -> tuple[SyntaxProblem, ...] | None:
    error = _ERROR.search(said)
    if error is None:
        return None
    if _NOT_SYNTAX.search(error[1]):
        return ()
    if "syntax error" not in error[1] and "already defined" not in error[1] and "duplicate" not in error[1]:
        return None
    place = _PLACE.search(said, error.end())
    line = int(place[1]) - 1 if place else 0
    return (SyntaxProblem(max(line, 0), re.sub(r"\s+", " ", error[1]).strip()),)
