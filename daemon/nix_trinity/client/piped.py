"""What is piped in: read whole, kept within what the daemon takes."""

from __future__ import annotations

import os
import sys

from nix_trinity.client.report import tell

MOST_BYTES = 2 * 1024 * 1024
_GAP = "\n[…]\n"
_KEPT = MOST_BYTES - 16  # the mark of the gap needs room too
_HEAD = _KEPT // 3
_TAIL = _KEPT - _HEAD


def piped_text() -> str:
    """Standard input as text, or nothing if it is a terminal or closed.

    Of more than 2 MiB the first third and the last two thirds are kept, whatever the length, in bounded memory:
    a log's cause tends to stand at its end, what it is at its beginning.
    """
    try:
        if sys.stdin is None or sys.stdin.isatty():
            return ""
        descriptor = sys.stdin.fileno()
        buffer = bytearray()
        dropped = 0
        while block := os.read(descriptor, 1 << 20):
            buffer += block
            if len(buffer) > 4 * MOST_BYTES:
                dropped += len(buffer) - _KEPT
                del buffer[_HEAD:-_TAIL]
    except (OSError, ValueError):
        return ""  # closed: there is nothing to ask about
    if not dropped and len(buffer) <= MOST_BYTES:
        return _text(bytes(buffer))
    dropped += len(buffer) - _KEPT
    tell(f"note: {dropped} bytes from the middle of the input were left out; 2 MiB are kept.")
    return f"{_text(bytes(buffer[:_HEAD]))}{_GAP}{_text(bytes(buffer[-_TAIL:]))}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")
