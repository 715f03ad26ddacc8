"""Read a Modelfile."""

from __future__ import annotations

import codecs
import difflib
import re
from typing import Final, NoReturn, cast

from nix_trinity.errors import ModelfileError
from nix_trinity.modelfile.grammar import (
    KEYWORDS,
    MESSAGE_ROLES,
    PARAMETER_NAME,
    SPACES,
    VERSION,
    Message,
    MessageRole,
    Modelfile,
)

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")


def parse_modelfile(text: str | bytes, *, origin: str, require_from: bool = False) -> Modelfile:
    """Read a Modelfile; ``origin`` is the file's name for error texts.

    Raises ModelfileError with ``origin:line``, what is wrong and the fix.
    """
    return _Reader(_decode(text, origin), origin).read(require_from=require_from)


def _decode(text: str | bytes, origin: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    encoding = "utf-16" if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + text[: error.start].count(b"\n")
        raise ModelfileError(
            f"{origin}:{line}: this is not {encoding.removesuffix('-sig').upper()} text.",
            "Save the file as UTF-8.",
        ) from error


class _Reader:
    """Takes one command after the other off the text; ``line`` is where the current command starts."""

    def __init__(self, text: str, origin: str) -> None:
        self._lines = [line for line in _LINE.findall(text) if line]
        self._origin = origin
        self._next = 0
        self._start = 0

    def read(self, *, require_from: bool) -> Modelfile:
        single: dict[str, str] = {}
        parameters: list[tuple[str, str]] = []
        messages: list[Message] = []
        several: dict[str, list[str]] = {"from": [], "adapter": [], "license": []}
        while self._next < len(self._lines):
            self._start = self._next
            line = self._lines[self._next].lstrip(" \t").rstrip("\r\n")
            if not line or line.startswith("#"):
                self._next += 1
                continue
            keyword, rest = self._keyword(line)
            if keyword == "parameter":
                name, rest = self._word(keyword, rest, PARAMETER_NAME, "a name and a value")
                parameters.append((name, self._value(rest)))
            elif keyword == "message":
                role, rest = self._word(keyword, rest, r"[A-Za-z]+", "a role and a text")
                if role not in MESSAGE_ROLES:
                    self._fail(f"{role!r} is no message role.", "Use system, user or assistant, in lower case.")
                messages.append(Message(cast(MessageRole, role), self._value(rest)))
            else:
                value = self._value(rest)
                if keyword == "from" and not value:
                    self._fail("FROM names no model.", "Write FROM <model>.")
                if keyword in several:
                    several[keyword].append(value)
                else:
                    single[keyword] = self._version(value) if keyword == "requires" else value
        weights = several["from"]
        if require_from and not weights:
            raise ModelfileError(f"{self._origin}: there is no FROM line.", "Add the line FROM <model>.")
        return Modelfile(
            base=weights[0] if weights else None,
            further_weights=tuple(weights[1:]),
            parameters=tuple(parameters),
            template=single.get("template"),
            system=single.get("system"),
            adapters=tuple(several["adapter"]),
            licenses=tuple(several["license"]),
            messages=tuple(messages),
            renderer=single.get("renderer"),
            parser=single.get("parser"),
            requires=single.get("requires"),
        )

    def _keyword(self, line: str) -> tuple[str, str]:
        word = re.split(r"[ \t]", line, maxsplit=1)[0]
        keyword = word.lower()
        if keyword not in KEYWORDS:
            close = difflib.get_close_matches(keyword, KEYWORDS, n=1)
            fix = f"Did you mean {close[0].upper()}?" if close else f"Use {', '.join(KEYWORDS).upper()}."
            self._fail(f"{word[:40]!r} is no Modelfile keyword.", f'{fix} Text of several lines needs """.')
        if len(word) == len(line):
            self._fail(f"{keyword.upper()} has no value.", "Write the value on the same line.")
        return keyword, line[len(word) + 1 :]

    def _word(self, keyword: str, rest: str, pattern: str, needs: str) -> tuple[str, str]:
        found = re.match(f"({pattern})[ \t](.*)", rest, re.DOTALL)
        if not found:
            self._fail(f"{keyword.upper()} needs {needs}.", "Put one space between them, and all on one line.")
        return found[1], found[2]

    def _value(self, first: str) -> str:
        """The value whose first line is ``first``; takes its further lines off the text."""
        opening = first.lstrip(SPACES)
        quote = next((mark for mark in ('"""', '"') if opening.startswith(mark)), "")
        ending = self._lines[self._next]
        taken = [opening + ending[len(ending.rstrip("\r\n")) :]]
        self._next += 1
        if not quote:
            return opening.rstrip(SPACES)
        closed = _closes(opening, quote, first=True)
        while not closed:
            if self._next == len(self._lines):
                self._fail(f"the text that starts with {quote} does not end.", f"End its last line with {quote}.")
            taken.append(self._lines[self._next])
            closed = _closes(self._lines[self._next], quote, first=False)
            self._next += 1
        return "".join(taken).rstrip(SPACES)[len(quote) : -len(quote)]

    def _version(self, value: str) -> str:
        if not VERSION.fullmatch(value):
            self._fail(f"REQUIRES {value!r} is no version.", "Write it like 0.17.4.")
        return value.removeprefix("v")

    def _fail(self, what: str, fix: str) -> NoReturn:
        raise ModelfileError(f"{self._origin}:{self._start + 1}: {what}", fix)


def _closes(line: str, quote: str, *, first: bool) -> bool:
    """Whether a quoted value ends with ``line``; on the ``first`` one the opening quote does not count."""
    trimmed = line.rstrip(SPACES)
    return trimmed.endswith(quote) and len(trimmed) >= len(quote) * (2 if first else 1)
