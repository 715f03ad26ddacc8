"""Cut streamed markdown into pieces that can be checked and shown at once: sentences and whole code blocks.

Nothing is changed: the texts of the segments, put together, are the text that was fed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

_MOST_PROSE: Final = 2_000
_MOST_CODE: Final = 20_000
# A "word" of this length is no word; it is cut wherever it is.
_LONGEST_WORD: Final = 8_000

# Quantifiers are possessive (`*+`): nothing is tried twice, so that no text makes a match slow.
_PREFIX = r"[ \t]*+(?:>[ \t]?+)*+(?:(?:[-*+]|\d{1,9}+[.)])[ \t]++)?+"
_FENCE = re.compile(rf"({_PREFIX})(`{{3,}}+|~{{3,}}+)([^\n]*+)\n")
_MAY_BECOME_FENCE = re.compile(rf"{_PREFIX}(?:`{{3,}}+[^`\n]*+|~{{3,}}+[^\n]*+|`{{0,2}}+|~{{0,2}}+)\Z")
# What begins a block of its own, so that the paragraph before it has ended.
_BLOCK_START = re.compile(r"[ \t>]*+(?:\n|[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|\||(?:-[ \t]*+){3,}+\n)")
_MAY_START_BLOCK = re.compile(r"[ \t>]*+(?:\d{0,9}+[.)]?|[-*+]|#{1,6}+)\Z")
# Where a sentence may end, and what changes whether it does. A run of backticks is taken as a whole.
_EVENT = re.compile(r'`+|[\n.!?…。！？" \t]')
_CLOSERS = re.compile(r'[*_)\]"”’»]*')
_UNDECIDED: Final = '`.!?…。！？*_)]"”’»'
# A run of such marks longer than this is no text, and is not waited for.
_LONGEST_RUN: Final = 64
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|ca|z\.\s?B|bzw|d\.\s?h|usw|p\.\s?ex|Nr|No|Dr|Mr|Ms|Fig|[A-Za-z])"
    r"|^[ \t>]*\d{1,9})\.\Z"
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of an answer. Of a code block longer than the limit each piece is a segment of its own."""

    text: str
    kind: Literal["prose", "code"]
    language: str = ""
    """Of code: the first word after the fence, in lower case."""
    opened: bool = True
    """Of code: the text begins with the opening fence."""
    closed: bool = True
    """Of code: the text ends with the closing fence."""
    closing: str = ""
    """Of code that the answer left open: the line that closes it; '' when nothing has to."""


class Segmenter:
    """Is fed one answer in pieces of any size; time is linear in its length."""

    def __init__(self) -> None:
        self._text = ""
        self._start = 0  # where the next segment begins in _text
        self._at = 0  # up to where _text was looked at
        self._line = 0  # where the line that is looked at begins
        self._new_line = True
        self._span = ""  # the backticks of the code span that is open
        self._quoted = False  # inside a quoted attribute of a name
        self._space = -1  # the last place where prose can be cut
        self._fence: re.Match[str] | None = None
        self._opened = False

    def feed(self, piece: str) -> list[Segment]:
        """Take the next piece, and give what has become whole by it."""
        self._text += piece
        found = list(self._segments(last=False))
        # Kept short, so that the next piece is not joined to all that has been released.
        cut = self._start
        self._text = self._text[cut:]
        self._start, self._at, self._line, self._space = 0, self._at - cut, self._line - cut, self._space - cut
        return found

    def flush(self) -> list[Segment]:
        """End the answer, and give what is left; an open code block becomes a segment that says how to close it."""
        found = list(self._segments(last=True))
        rest = self._text[self._start :]
        if rest and self._fence is None:
            found.append(Segment(rest, "prose"))
        elif self._fence is not None:
            found.append(self._code(len(self._text), closed=False, closing=_closing(self._fence, rest)))
        return found

    def _segments(self, *, last: bool) -> Iterator[Segment]:
        while self._at < len(self._text):
            before = (self._at, self._start, self._new_line)
            yield from self._in_code(last) if self._fence is not None else self._in_prose(last)
            if (self._at, self._start, self._new_line) == before:
                return

    def _in_code(self, last: bool) -> Iterator[Segment]:
        """Go on to the end of the next line of code."""
        assert self._fence is not None  # noqa: S101 - for the type checker; the caller looked
        end = self._text.find("\n", self._at)
        stop = end + 1 if end >= 0 else len(self._text)
        if (end >= 0 or last) and _closes(self._fence, self._text[self._at : stop]):
            self._at = stop
            yield self._code(stop, closed=True)
            self._fence = None
            self._fresh_line()
        elif end >= 0:
            self._at = stop
        if self._fence is not None and (len(self._text) if end < 0 else self._at) - self._start > _MOST_CODE:
            # At the end of a line where there is one, so that lines stay whole.
            self._at = self._at if self._at > self._start else len(self._text)
            while self._at - self._start > 2 * _MOST_CODE:
                yield self._code(self._start + _MOST_CODE, closed=False)
            yield self._code(self._at, closed=False)

    def _in_prose(self, last: bool) -> Iterator[Segment]:
        if self._new_line:
            rest = self._text[self._at : self._at + _MOST_PROSE]
            fence = _FENCE.match(self._text, self._at)
            if fence and not (fence[2][0] == "`" and "`" in fence[3]):
                yield from self._prose(self._at)
                self._fence, self._opened = fence, False
                self._at = fence.end()
                return
            undecided = _MAY_BECOME_FENCE.match(rest) or (self._start < self._at and _MAY_START_BLOCK.match(rest))
            if undecided and not last and len(rest) < _MOST_PROSE and "\n" not in rest:
                return
            if _BLOCK_START.match(self._text, self._at):
                yield from self._prose(self._at)
            self._new_line = False
        # Whether the marks at the very end close a sentence or a code span depends on what follows them.
        tail = self._text[-_LONGEST_RUN:]
        horizon = len(self._text) - (0 if last else len(tail) - len(tail.rstrip(_UNDECIDED)))
        event = _EVENT.search(self._text, self._at, max(horizon, self._at))
        self._at = event.end() if event else max(horizon, self._at)
        if event:
            yield from self._happened(event)
        yield from self._too_long()

    def _happened(self, event: re.Match[str]) -> Iterator[Segment]:
        sign = event[0]
        if sign == "\n":
            line = self._text[self._line : event.start()].strip(" \t>")
            self._end_line()
            if not line or line.startswith(("#", "|")):
                yield from self._prose(self._at)
        elif sign[0] == "`":
            self._span = "" if self._span == sign else self._span or sign
        elif self._span:
            return
        elif sign == '"':
            self._quoted = not self._quoted and self._text[event.start() - 1 : event.start()] == "."
        elif self._quoted:
            return
        elif sign in " \t":
            self._space = self._at
        else:
            yield from self._sentence_end(event)

    def _sentence_end(self, event: re.Match[str]) -> Iterator[Segment]:
        closers = _CLOSERS.match(self._text, self._at)
        end = closers.end() if closers else self._at
        after = self._text[end : end + 1]
        if event[0] not in "。！？":
            if after.strip():
                return
            if _ABBREVIATION.search(self._text[max(self._line, event.start() - 12) : event.end()]):
                return
        self._at = end
        if after == "\n":
            self._at += 1
            self._end_line()
        elif after in (" ", "\t"):
            self._at += 1
        yield from self._prose(self._at)

    def _end_line(self) -> None:
        # A code span or a quoted attribute that a model forgot to close ends with its line.
        self._span, self._quoted = "", False
        self._space = self._at
        self._fresh_line()

    def _fresh_line(self) -> None:
        self._line, self._new_line = self._at, True

    def _too_long(self) -> Iterator[Segment]:
        while self._at - self._start > _MOST_PROSE:
            if self._space > self._start:
                yield from self._prose(self._space)
            elif self._at - self._start > _LONGEST_WORD:
                yield from self._prose(self._start + _LONGEST_WORD)
            else:
                return

    def _prose(self, end: int) -> Iterator[Segment]:
        if end > self._start:
            text, self._start = self._text[self._start : end], end
            yield Segment(text, "prose")

    def _code(self, end: int, *, closed: bool, closing: str = "") -> Segment:
        assert self._fence is not None  # noqa: S101 - for the type checker; the callers looked
        text, self._start = self._text[self._start : end], end
        words = self._fence[3].split()
        opened, self._opened = not self._opened, True
        language = words[0].strip("{}.").lower() if words else ""
        return Segment(text, "code", language, opened=opened, closed=closed, closing=closing)


def _closes(fence: re.Match[str], line: str) -> bool:
    """Whether a line of code is the fence that ends the block."""
    bare = line.lstrip(" \t>").rstrip()
    return len(bare) >= len(fence[2]) and set(bare) == {fence[2][0]}


def _closing(fence: re.Match[str], text: str) -> str:
    indent = re.sub(r"[^ \t>]", " ", fence[1])
    return ("\n" if text and not text.endswith("\n") else "") + indent + fence[2] + "\n"
