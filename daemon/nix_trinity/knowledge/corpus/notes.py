"""Notes: what options cannot say. One markdown file each, with a TOML head between two lines ``+++``.

The head has ``title``, ``triggers`` (texts of which one stands in a pasted error; ``*`` is any run of
characters within a line), ``asked`` (ways of asking for it) and ``options`` (those the answer names).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Annotated

import msgspec

from nix_trinity.errors import CorpusError

MOST_BYTES = 1 << 18
_HEAD = re.compile(r"\A\ufeff?\+\+\+\r?\n(.*?)\r?\n\+\+\+\r?\n(.*)\Z", re.DOTALL)

Short = Annotated[str, msgspec.Meta(min_length=1, max_length=300)]


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One note, as its file says it."""

    title: Short
    triggers: tuple[Short, ...] = ()
    asked: tuple[Short, ...] = ()
    options: tuple[Short, ...] = ()
    text: str = ""


def parse_note(data: bytes, *, file: str) -> Note:
    """Read one note.

    :raises CorpusError: ``corpus_invalid``; names the file, the key and the form.
    """
    form = 'A note begins with +++, title = "…", +++ and then has its text: docs/reference/notes.md.'
    if len(data) > MOST_BYTES:
        raise CorpusError(f"{file}: a note has at most {MOST_BYTES >> 10} KiB.", "Cut it into several notes.")
    try:
        whole = _HEAD.match(data.decode())
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: byte {error.start} is not UTF-8.", "Save the note as UTF-8.") from error
    if whole is None:
        raise CorpusError(f"{file}: there is no head between two lines +++.", form)
    try:
        note = msgspec.convert(tomllib.loads(whole[1]), Note)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CorpusError(f"{file}: the note's head cannot be used: {error}.", form) from error
    text = whole[2].strip()
    if not text:
        raise CorpusError(f"{file}: the note has no text.", form)
    return msgspec.structs.replace(note, text=text)


def trigger_matches(trigger: str, lines: Sequence[str]) -> bool:
    """Whether ``trigger`` stands in one of the case-folded ``lines``. Linear in their length."""
    pieces = literal_pieces(trigger)
    return bool(pieces) and any(_in_order(pieces, line) for line in lines)


def literal_pieces(trigger: str) -> list[str]:
    """What of a trigger has to stand in a text, case-folded: a text that lacks one of these need not be read in lines."""
    return [piece for piece in trigger.casefold().split("*") if piece]


def literal_length(trigger: str) -> int:
    """How many characters of a trigger have to match as they stand."""
    return len(trigger.replace("*", ""))


def _in_order(pieces: Sequence[str], line: str) -> bool:
    # The leftmost place for each piece leaves the most room for the next ones, so no other need be tried.
    at = 0
    for piece in pieces:
        at = line.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return True
