"""The type of an option's value, and which values it takes.

How the text of a type is read is in option_type_text.py.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
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

# A bracket expression or an escaped character; the bounds keep it linear where brackets never close.
_CLASS = re.compile(r"\\.|\[(\^?)(\]?(?:\[[:.=]\w{1,20}[:.=]\]|[^\]]){0,250})\]", re.DOTALL)
_IN_CLASS = re.compile(r"\[:(\w{1,20}):\]|[\[\]\\&~|]|(?<=-)-")
_POSIX = {
    **{"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "word": r"\w"},
    **{"xdigit": "0-9A-Fa-f", "space": r"\s", "blank": r" \t", "print": r"\x20-\x7e", "graph": r"\x21-\x7e"},
    **{"cntrl": r"\x00-\x1f\x7f", "punct": r"!-/:-@\[-`{-~"},
}


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
