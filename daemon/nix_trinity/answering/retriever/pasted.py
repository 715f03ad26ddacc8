"""Reduce a pasted error to what identifies it: the same fault has other paths, hashes and numbers each time."""

from __future__ import annotations

import re
from itertools import pairwise

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_STORE_PATH = re.compile(r"/nix/store/[0-9a-z]{32}-([\w.+?=-]*)(?:/[^\s'\"’`:]*)?")
_PATH = re.compile(r"(?<![\w.<])(?:~|\.{0,2})?/(?:[^\s'\"’`:,;()]+/)*[^\s'\"’`:,;()]*(?::\d+(?::\d+)?)?")
_HASH = re.compile(r"\b(?:sha(?:1|256|512)[-:][0-9A-Za-z+/]+=*|(?:[0-9a-f]{16,}|[0-9a-df-np-sv-z]{32,})\b)")
_NUMBER = re.compile(r"\b\d+(?:[.:]\d+)*\b")
_STAMP = re.compile(r"^(?:[A-Z][a-z]{2} +\d+ [\d:]+ \S+ |\d{4}-\d\d-\d\d[T ][\d:.,+Z-]+ )")
# A stack of where the evaluator was says nothing of the fault, and names options that are not at fault.
_NOISE = re.compile(
    r"^\s*(?:…|\.\.\.)?\s*(?:while (?:evaluating|calling)|at /|\d+\||\||from call site|\(stack trace|note:|building '"
    r"|copying path|trace:|\^)",
    re.IGNORECASE,
)
_TELLING = re.compile(
    r"\berror\b|\bwarning\b|\bfail(?:ed|ure)?\b|fatal|cannot|can't|could not|denied|refus|not found|no such|invalid"
    r"|does not exist|missing|undefined|conflict|collision|mismatch|broken|unfree|insecure|timed? ?out|unable",
    re.IGNORECASE,
)
# What Nix, systemd, Git and compilers begin a line with, or what stands indented below such a line. The possessive
# quantifiers keep it linear: a question of blanks alone is none to ponder over.
_ANNOUNCED = re.compile(
    r"^[^\S\n]*+(?:error|fatal|fatal error|warning|evaluation warning|failed assertions):"
    r"|^[^\S\n]++[^\n]*(?:error|failed|cannot)\b",
    re.IGNORECASE | re.MULTILINE,
)
_MOST_LINES = 12
_LONGEST_LINE = 400


def telling_lines(text: str) -> list[str]:
    """The lines of pasted text that say what went wrong, the last ones first when there are many."""
    lines = [_ANSI.sub("", line).strip()[:_LONGEST_LINE] for line in text.splitlines()]
    lines = [_STAMP.sub("", line) for line in lines if line and not _NOISE.match(line)]
    told = [line for line in lines if _TELLING.search(line)]
    # What a failing assertion or a list of causes says stands below the line that announces it.
    below = [after for line, after in pairwise(lines) if _TELLING.search(line)]
    chosen = list(dict.fromkeys([*reversed(told), *reversed(below)])) or lines[-_MOST_LINES:]
    return chosen[:_MOST_LINES]


def reduced(line: str) -> str:
    """``line`` without what differs from one machine to the next; a store path keeps its package's name."""
    line = _STORE_PATH.sub(r" \1 ", line)
    for what in (_HASH, _PATH, _NUMBER):
        line = what.sub(" ", line)
    return " ".join(line.split())


def looks_pasted(text: str) -> bool:
    """Whether ``text`` has an error in it and not only a question."""
    bare = _ANSI.sub("", text).strip()
    if "\n" not in bare:
        return re.search(r"\berror:", bare, re.IGNORECASE) is not None
    if _ANNOUNCED.search(bare):
        return True
    return any(_STAMP.match(line) and _TELLING.search(line) for line in bare.splitlines())
