"""What comes in, looked at before the library sees it: it drops what is no message without a word."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator

_MOST_LINE_BYTES = 32 << 20
_SHOWN = 60


def watch_input() -> None:
    """Let standard input pass through here; what is no message is told on standard error, where clients keep a log."""
    original = os.dup(0)
    ours, theirs = os.pipe()
    os.dup2(ours, 0)
    os.close(ours)
    threading.Thread(target=_pass_on, args=(original, theirs), daemon=True).start()


def _pass_on(source: int, target: int) -> None:
    with os.fdopen(source, "rb", 0) as incoming, os.fdopen(target, "wb", 0) as outgoing:
        for line in _lines(incoming.fileno()):
            why = _wrong(line)
            if why:
                shown = line[:_SHOWN].decode("utf-8", "replace").strip()
                sys.stderr.write(
                    f"error: A line that came in is no message: {why}: {shown!r}.\n"
                    "  Send one JSON-RPC 2.0 object a line, in UTF-8 (Model Context Protocol over stdio).\n"
                )
                sys.stderr.flush()
                continue
            try:
                outgoing.write(line)
            except OSError:
                return  # the server has ended


def _lines(descriptor: int) -> Iterator[bytes]:
    """The lines with their ends; of one that is too long its beginning, without an end."""
    buffer = bytearray()
    dropping = False
    while block := os.read(descriptor, 1 << 20):
        *ends, rest = block.split(b"\n")
        for end in ends:
            if not dropping:
                yield bytes(buffer + end) + b"\n"
            buffer.clear()
            dropping = False
        if not dropping:
            buffer += rest
            if len(buffer) > _MOST_LINE_BYTES:
                yield bytes(buffer[:_SHOWN])
                buffer.clear()
                dropping = True
    if buffer:
        yield bytes(buffer)


def _wrong(line: bytes) -> str:
    """Why a line is no message; '' when it is one."""
    if not line.endswith(b"\n"):
        return "it breaks off, or is longer than a message may be"
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(message, dict):
        return "it is not an object"
    return "" if message.get("jsonrpc") == "2.0" else 'it does not say "jsonrpc": "2.0"'
