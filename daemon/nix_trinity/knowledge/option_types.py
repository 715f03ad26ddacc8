"""What an option's type text says: which values it takes.

The texts are those of nixpkgs' ``lib/types.nix`` (``description``) and ``pkgs/pkgs-lib/formats.nix``, as they stand
in ``options.json``. How phrases nest is ``optionDescriptionPhrase`` there: "of" binds closer than "or", and whatever
else could be misread stands in parentheses.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

Kind = Literal[
    "boolean",
    "integer",
    "number",
    "string",
    "path",
    "package",
    "enum",
    "list",
    "attributes",
    "submodule",
    "function",
    "null",
    "either",
    "anything",
]

_LONGEST_TEXT = 65_536  # characters; the longest in NixOS has 17,105
_MOST_REPEATS = 8  # times that "of them" says the type before it again, which doubles it; 3 in NixOS
_DEEPEST = 40  # phrases within phrases; the deepest in NixOS has 11


@dataclass(frozen=True, slots=True)
class OptionType:
    """A type, as far as its text says; ``anything`` where it says too little to check a value against it."""

    kind: Kind
    element: OptionType | None = None
    """Of a list, or of an attribute set's values."""
    members: tuple[str | int | float | bool, ...] = ()
    """Of an enum."""
    minimum: float | None = None
    """The least value of a number, inclusive."""
    maximum: float | None = None
    """The greatest value of a number, inclusive."""
    pattern: str | None = None
    """What a string has to match as a whole (POSIX extended, as Nix' ``builtins.match`` takes it)."""
    alternatives: tuple[OptionType, ...] = ()
    """Of ``either``: a value of any of them will do."""
    not_empty: bool = False
    """A string or list of which an empty one is refused."""
    fractional: bool = False
    """Of a number: an integer is refused (``types.float``), so that 1 has to be written 1.0."""
    separator: str | None = None
    """Of a string: what several definitions are joined with; a newline for the ``extraConfig`` family."""

    @property
    def is_freeform(self) -> bool:
        """Whether names below the option are the person's own: no list says which of them exist."""
        if self.kind == "either":
            return any(alternative.is_freeform for alternative in self.alternatives)
        return self.kind in {"attributes", "anything"}


ANYTHING = OptionType("anything")
NULL = OptionType("null")
BOOLEAN = OptionType("boolean")
INTEGER = OptionType("integer")
NUMBER = OptionType("number")
STRING = OptionType("string")
PATH = OptionType("path")
PACKAGE = OptionType("package")
FUNCTION = OptionType("function")
SUBMODULE = OptionType("submodule")
ATTRIBUTES = OptionType("attributes", element=ANYTHING)
LIST = OptionType("list", element=ANYTHING)
ONE_LINE = OptionType("string", pattern="[^\n\r]*\n?")
NAME = OptionType("string", pattern="[^:\n]*")
FLOAT = OptionType("number", fractional=True)
ABOVE_ZERO = math.ulp(0.0)  # the least number above 0, since bounds are inclusive


def either(*choices: OptionType) -> OptionType:
    """Join types of which any will do; one alone is itself."""
    flat: dict[OptionType, None] = {}
    for choice in choices:
        flat.update(dict.fromkeys(choice.alternatives if choice.kind == "either" else (choice,)))
    return next(iter(flat)) if len(flat) == 1 else OptionType("either", alternatives=tuple(flat))


_TOML = either(BOOLEAN, NUMBER, STRING, PATH, LIST, ATTRIBUTES)
_JSON = either(NULL, _TOML)
_NOUNS: dict[str, OptionType] = {
    "null": NULL,
    "boolean": BOOLEAN,
    "boolean (merged using or)": BOOLEAN,
    "signed integer": INTEGER,
    "integer of at least 16 bits": INTEGER,
    "unsigned integer, meaning >=0": OptionType("integer", minimum=0),
    "positive integer, meaning >0": OptionType("integer", minimum=1),
    "nonzero signed integer, meaning !=0": either(OptionType("integer", maximum=-1), OptionType("integer", minimum=1)),
    "floating point number": FLOAT,
    "nonnegative floating point number, meaning >=0": OptionType("number", minimum=0, fractional=True),
    "nonnegative integer or floating point number, meaning >=0": OptionType("number", minimum=0),
    "positive integer or floating point number, meaning >0": OptionType("number", minimum=ABOVE_ZERO),
    "string": STRING,
    "Concatenated string": replace(STRING, separator=""),
    "non-empty string": OptionType("string", not_empty=True),
    "(optionally newline-terminated) single-line string": ONE_LINE,
    "single-line string": ONE_LINE,
    "string, not containing newlines or colons": NAME,
    "path, not containing newlines or colons": PATH,
    "path": PATH,
    "absolute path": PATH,
    "path in the Nix store": PATH,
    "package": PACKAGE,
    "package with provided sessions": PACKAGE,
    "package that is a Home Assistant component": PACKAGE,
    "ibus-engine": PACKAGE,
    "NetworkManager plug-in": PACKAGE,
    "attribute set": ATTRIBUTES,
    "nixpkgs config": ATTRIBUTES,
    "Nixpkgs package set": ATTRIBUTES,
    "An evaluation of Nixpkgs; the top level attribute set of packages": ATTRIBUTES,
    "nixpkgs overlay": FUNCTION,
    "lambda": FUNCTION,
    "module": either(SUBMODULE, FUNCTION, PATH),
    "submodule": SUBMODULE,
    "attribute-tagged union": SUBMODULE,
    "TOML value": _TOML,
    "Flat key-value file": either(NULL, BOOLEAN, NUMBER, STRING, LIST, ATTRIBUTES),
    "int, bool, string or list of them": either(INTEGER, BOOLEAN, STRING, LIST),
    "sysctl option value": either(NULL, BOOLEAN, INTEGER, STRING),
    "impossible (empty enum)": OptionType("enum"),
    "anything": ANYTHING,
    "unspecified value": ANYTHING,
    "raw value": ANYTHING,
    # Nouns of single modules for strings of a form of their own.
    **dict.fromkeys(
        (
            "string, with spaces inside double quotes",
            "string without line breaks or quotes",
            "string without spaces",
            "string of the form number{b|k|M|G}",
            "string containing all of the characters %Y, %m, %d, %H, %M, %S",
            "string containing either a number or a range",
            "string starting with / or ~/",
            "printable string without spaces, # and /",
            "file mode string",
            "key ID prefixed with BTN_ or KEY_",
            "Minecraft UUID",
            "Network prefix in CIDR notation",
            "IPv4 or IPv6 address",
            "PKCS#11 URI",
            "Go duration (https://golang.org/pkg/time/#ParseDuration)",
            "tmpfiles.d(5) age format",
            "session name",
            "configured template name",
            "coderepo names",
        ),
        STRING,
    ),
}
_ATOMS = {
    **{"null": NULL, "bool": BOOLEAN, "int": INTEGER, "integer": INTEGER, "float": NUMBER, "string": STRING},
    **{"str": STRING, "path": PATH, "package": PACKAGE, "attribute set thereof": ATTRIBUTES},
}

# Where a noun ends: at the end, before "or", before a closing parenthesis, and before what modifies it.
_END = r"(?=$|\)|,? or | convertible to it| \(with check)"
_NOUN = re.compile("(" + "|".join(re.escape(noun) for noun in sorted(_NOUNS, key=len, reverse=True)) + ")" + _END)
_FORMAT = re.compile(r"[\w.]+(?: \w+){0,3} [Vv]alues?(?: \([^()]*(?:\([^()]*\)[^()]*)?\))?" + _END)
_BETWEEN = re.compile(
    r"(?:\d+ bit (?:un)?signed integer; |(integer or floating point number )|integer )"
    r"between (-?[\d.]{1,30}) and (-?[\d.]{1,30}) \(both inclusive\)"
)
_ATOM = "(?:" + "|".join(sorted(_ATOMS, key=len, reverse=True)) + ")"
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
_CLASS = re.compile(r"\\.|\[(\^?)(\]?(?:\[[:.=]\w{1,20}[:.=]\]|[^\]]){0,250})\]", re.DOTALL)
_IN_CLASS = re.compile(r"\[:(\w{1,20}):\]|[\[\]\\&~|]|(?<=-)-")
_POSIX = {
    **{"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "word": r"\w"},
    **{"xdigit": "0-9A-Fa-f", "space": r"\s", "blank": r" \t", "print": r"\x20-\x7e", "graph": r"\x21-\x7e"},
    **{"cntrl": r"\x00-\x1f\x7f", "punct": r"!-/:-@\[-`{-~"},
}
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


def admits(option_type: OptionType, value: object) -> bool:
    """Tell whether a type takes a value: plain Python data, with a path as a string and a package as a store path."""
    match option_type.kind:
        case "anything" | "function":
            return option_type.kind == "anything"
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool) and _in_range(option_type, value)
        case "number":
            takes = float if option_type.fractional else (int, float)
            return isinstance(value, takes) and not isinstance(value, bool) and _in_range(option_type, value)
        case "string":
            return isinstance(value, str) and _fits(option_type, value)
        case "path":
            return isinstance(value, str) and value.startswith("/")
        case "package":
            return isinstance(value, str) and value.startswith("/nix/store/")
        case "enum":
            return any(
                member == value and isinstance(member, bool) == isinstance(value, bool)
                for member in option_type.members
            )
        case "either":
            return any(admits(alternative, value) for alternative in option_type.alternatives)
        case "submodule":
            return isinstance(value, dict)
        case "list" | "attributes":
            wanted = list if option_type.kind == "list" else dict
            if not isinstance(value, wanted) or (option_type.not_empty and not value):
                return False
            inner = value.values() if isinstance(value, dict) else value
            return all(admits(option_type.element or ANYTHING, each) for each in inner)


def _in_range(option_type: OptionType, value: int | float) -> bool:
    low, high = option_type.minimum, option_type.maximum
    return (low is None or value >= low) and (high is None or value <= high)


def _fits(option_type: OptionType, text: str) -> bool:
    if option_type.not_empty and not text.strip(" \t\n"):
        return False
    if option_type.pattern is None:
        return True
    expression = _compiled(option_type.pattern)
    return expression is None or expression.fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Turn a POSIX extended expression into one of Python's; None where Python cannot take it."""
    translated = _CLASS.sub(lambda found: found[0] if found[1] is None else _bracket(found[1], found[2]), pattern)
    try:
        return re.compile(translated)
    except (re.error, RecursionError, OverflowError):
        return None


def _bracket(negation: str, content: str) -> str:
    """Write a bracket expression as Python does: named sets spelt out, and nothing in it escapes but by a backslash."""
    inner = _IN_CLASS.sub(lambda found: _POSIX.get(found[1], "") if found[1] else f"\\{found[0]}", content)
    return f"[{negation}{inner}]"


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
            return replace(_NOUNS[noun[1]], not_empty=True) if check and check[1] else _NOUNS[noun[1]]
        if atoms := self._take(_ATOM_LIST):
            return either(*(_ATOMS[atom] for atom in re.split(r", or |, | or ", atoms[1])))
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
        return _JSON if self._take(_FORMAT) else self._unknown()

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
