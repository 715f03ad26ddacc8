"""Reads what an option's type text says into the type.

The texts are those of nixpkgs' ``lib/types.nix`` (``description``) and ``pkgs/pkgs-lib/formats.nix``, as they stand
in ``options.json``. How phrases nest is ``optionDescriptionPhrase`` there: "of" binds closer than "or", and whatever
else could be misread stands in parentheses.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from nix_trinity.knowledge.option_type_nouns import ATOMS, JSON, NOUNS
from nix_trinity.knowledge.option_types import ANYTHING, ATTRIBUTES, FUNCTION, NULL, STRING, Kind, OptionType, either

_LONGEST_TEXT = 65_536  # characters; the longest in NixOS has 17,105
_MOST_REPEATS = 8  # times that "of them" says the type before it again, which doubles it; 3 in NixOS
_DEEPEST = 40  # phrases within phrases; the deepest in NixOS has 11

# Where a noun ends: at the end, before "or", before a closing parenthesis, and before what modifies it.
_END = r"(?=$|\)|,? or | convertible to it| \(with check)"
_NOUN = re.compile("(" + "|".join(re.escape(noun) for noun in sorted(NOUNS, key=len, reverse=True)) + ")" + _END)
_FORMAT = re.compile(r"[\w.]+(?: \w+){0,3} [Vv]alues?(?: \([^()]*(?:\([^()]*\)[^()]*)?\))?" + _END)
_BETWEEN = re.compile(
    r"(?:\d+ bit (?:un)?signed integer; |(integer or floating point number )|integer )"
    r"between (-?[\d.]{1,30}) and (-?[\d.]{1,30}) \(both inclusive\)"
)
_ATOM = "(?:" + "|".join(sorted(ATOMS, key=len, reverse=True)) + ")"
_ATOM_LIST = re.compile(rf"(?:(?:[\w-]+ ){{0,2}}(?:atom|type) )?\(({_ATOM}(?:(?:, or |, | or ){_ATOM})+)\)")
_SEPARATED = re.compile(r'strings concatenated with "((?:[^"\\]|\\.)*)"')
_LIST = re.compile(r"(non-empty )?(?:list|pair) of ")
_SET = re.compile(r"(?:lazy )?attribute set of ")
_FUNCTION = re.compile(r"function that evaluates to a\(n\) ")
_SECTION = re.compile(r"(?:section of an INI file \(attrs of )")
_PATTERN = re.compile("string matching the pattern ")
_SCALAR = re.compile(r"(true|false)|(-?\d{1,20}(?:\.\d{1,20})?)|<(\w+)>")
_OF_THEM = re.compile(r" or an? ((?:non-empty )?list|attribute set) of them(?: for duplicate keys)?")
_JOIN = re.compile(r",? or ")
_COERCED = re.compile(r" convertible to it")
_CHECK = re.compile(r" \(with check: (non-empty)?[^()]{0,200}\)")
_STOP = re.compile(r"[()]|,? or | convertible to it")
# The bounds keep it linear where brackets never close.
_IN_PATTERN = re.compile(
    r"\\.|\[\^?\]?(?:\[[:.=]\w{1,20}[:.=]\]|[^\]]){0,250}\]|[()]| or | convertible to it| \(with check", re.DOTALL
)
# A string of an enum is not escaped: it ends at the quote that another member or the end of the enum follows.
_QUOTE = re.compile(r'"(?=$|\)| \(singular enum\)|,? or | convertible to it|, (?:"|-?\d|true\b|false\b|<))')
# Formats that a module describes in sentences of its own.
_PROSE = re.compile(r"`?[\w.]+`? (?:config|configuration)\b(?: type\b)?[.,].*?\battributes?\s+set", re.DOTALL)


@lru_cache(maxsize=4096)
def parse_type(text: str) -> OptionType:
    """Read a type text; what is not understood is ``anything``, never an error. Takes time linear in its length."""
    if len(text) > _LONGEST_TEXT:
        return ANYTHING
    if _PROSE.match(text):
        return ATTRIBUTES
    reader = _Reader(text)
    try:
        found = reader.choices(0)
    except _Unreadable:
        return ANYTHING
    return found if reader.at == len(text) else ANYTHING


class _Unreadable(Exception):  # noqa: N818 - it never leaves this file
    """The text nests deeper than any real one."""


class _Reader:
    """Reads one text from left to right, and never goes back."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._repeats = 0

    def choices(self, depth: int) -> OptionType:
        """Read phrases joined by "or"."""
        if depth > _DEEPEST:
            raise _Unreadable
        found = [self._phrase(depth)]
        while True:
            if self._take(_COERCED):
                continue
            if them := self._take(_OF_THEM):
                self._repeats += 1
                if self._repeats > _MOST_REPEATS:
                    raise _Unreadable
                kind: Kind = "attributes" if them[1] == "attribute set" else "list"
                found.append(OptionType(kind, element=either(*found), not_empty=them[1].startswith("non")))
            elif self._take(_JOIN):
                found.append(self._phrase(depth))
            else:
                return either(*found)

    def _phrase(self, depth: int) -> OptionType:
        if depth > _DEEPEST:
            raise _Unreadable
        if noun := self._take(_NOUN):
            check = self._take(_CHECK)
            return replace(NOUNS[noun[1]], not_empty=True) if check and check[1] else NOUNS[noun[1]]
        if atoms := self._take(_ATOM_LIST):
            return either(*(ATOMS[atom] for atom in re.split(r", or |, | or ", atoms[1])))
        if found := self._take(_LIST):
            return OptionType("list", element=self._phrase(depth + 1), not_empty=bool(found[1]))
        if self._take(_SET):
            return OptionType("attributes", element=self._phrase(depth + 1))
        if self._take(_FUNCTION):
            self._phrase(depth + 1)
            return FUNCTION
        if self._take(_SECTION):
            return OptionType("attributes", element=self._rest_of_group(depth))
        if self._skip("non-empty ("):
            return replace(self._rest_of_group(depth), not_empty=True)
        if self._skip("("):
            return self._rest_of_group(depth)
        return self._special()

    def _special(self) -> OptionType:
        """Read what carries values of its own."""
        if between := self._take(_BETWEEN):
            try:
                return OptionType("number" if between[1] else "integer", minimum=_n(between[2]), maximum=_n(between[3]))
            except ValueError:
                return ANYTHING
        if separated := self._take(_SEPARATED):
            return replace(STRING, separator=separated[1].replace("\\n", "\n"))
        if self._skip("one of "):
            return self._members()
        if self._skip("value "):
            members = self._members()
            return members if self._skip(" (singular enum)") else self._unknown()
        if self._take(_PATTERN):
            return OptionType("string", pattern=self._pattern())
        return JSON if self._take(_FORMAT) else self._unknown()

    def _rest_of_group(self, depth: int) -> OptionType:
        found = self.choices(depth + 1)
        if self._skip(")"):
            return found
        self._unknown()
        self._skip(")")
        return ANYTHING

    def _members(self) -> OptionType:
        """Read an enum's values, which are not escaped."""
        members: list[str | int | float | bool] = []
        others: list[OptionType] = []
        while True:
            if self._skip('"'):
                end = _QUOTE.search(self.text, self.at)
                if end is None:
                    raise _Unreadable
                members.append(self.text[self.at : end.start()])
                self.at = end.end()
            elif scalar := self._take(_SCALAR):
                if scalar[3]:
                    others.append(NULL if scalar[3] == "null" else ANYTHING)
                else:
                    members.append(scalar[1] == "true" if scalar[1] else _n(scalar[2]))
            else:
                others.append(self._unknown())
            if not self._skip(", "):
                return either(*others, OptionType("enum", members=tuple(members)))

    def _pattern(self) -> str:
        """Read a regular expression up to where its parentheses close or another phrase begins."""
        start, depth = self.at, 0
        for found in _IN_PATTERN.finditer(self.text, start):
            token = found[0]
            if token == "(":  # noqa: S105 - a parenthesis
                depth += 1
            elif token[0] == " " or token == ")":  # noqa: S105 - a parenthesis
                if depth == 0:
                    self.at = found.start()
                    break
                depth -= token == ")"  # noqa: S105 - a parenthesis
        else:
            self.at = len(self.text)
        return self.text[start : self.at]

    def _unknown(self) -> OptionType:
        """Pass over a phrase that says nothing, with the parentheses in it."""
        depth = 0
        for stop in _STOP.finditer(self.text, self.at):
            if stop[0] == "(":
                depth += 1
            elif stop[0] == ")" and depth:
                depth -= 1
            elif not depth:
                self.at = stop.start()
                return ANYTHING
        self.at = len(self.text)
        return ANYTHING

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def _skip(self, literal: str) -> bool:
        there = self.text.startswith(literal, self.at)
        self.at += len(literal) * there
        return there


def _n(text: str) -> int | float:
    return float(text) if "." in text else int(text)
