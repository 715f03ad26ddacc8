"""A correction, written in the person's editor or, where there is none, on the terminal."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile

from nix_trinity.client.report import checked, decoded, tell
from nix_trinity.client.wire import Refusal, request, stranger

# What NixOS has unless it was taken out (programs.nano), then what most systems have.
_USUAL = ("nano", "vim", "vi")


def edited(exchange: str, path: str) -> tuple[str, str]:
    """The id of the exchange at ``path``, and what the person made of its answer.

    :raises Refusal: the editor fails, or the answer is as it was.
    """
    editor = _editor()
    if editor is None:
        return exchange, _typed()
    found = decoded(checked(request("GET", path)).body()).get("exchange")
    if not isinstance(found, dict) or not isinstance(found.get("answer"), str):
        raise stranger()
    text = _opened(editor, found["answer"])
    if text.strip() == found["answer"].strip():
        raise Refusal(1, "The answer is unchanged; nothing was sent.", "Say it is good: nix-trinity good")
    return str(found.get("id", exchange)), text


def rewritten(text: str) -> str:
    """What the person makes of ``text`` in their editor or, where there is none, on the terminal.

    :raises Refusal: the editor fails.
    """
    editor = _editor()
    return _typed() if editor is None else _opened(editor, text)


def _editor() -> str | None:
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or next(filter(shutil.which, _USUAL), None)


def _opened(editor: str, text: str) -> str:
    with tempfile.TemporaryDirectory(prefix="nix-trinity-") as folder:
        name = f"{folder}/answer.md"
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123 (pathlib takes 10 ms to import)
            file.write(text)
        try:
            subprocess.run([*shlex.split(editor), name], check=True)  # noqa: S603 (the person's own editor)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise Refusal(
                1,
                f"The editor failed; nothing was sent: {error}.",
                "Set EDITOR to one that works, or give the text: nix-trinity correct --text '…'",
            ) from None
        with open(name, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (see above)
            return file.read()


def _typed() -> str:
    tell("No editor was found. Type what the answer should have been; Ctrl-D on a new line ends it, Ctrl-C drops it.")
    return sys.stdin.buffer.read().decode("utf-8", "replace")
