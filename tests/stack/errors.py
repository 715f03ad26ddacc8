"""What goes wrong while the real parts are got or run, in words for the person who started it."""

from __future__ import annotations

WIDEST = 400
"""A linker's command line can have tens of thousands of characters."""


class StackError(Exception):
    """A real part cannot be had or does not run; the text says why and what to do."""


def closing_lines(text: str, count: int = 30) -> str:
    """Return the end of a log, indented and with overlong lines cut, to be shown inside an error."""
    return "\n".join(f"    {line[:WIDEST]}" for line in text.splitlines()[-count:])
