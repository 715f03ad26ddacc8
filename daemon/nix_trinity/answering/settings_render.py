"""Settings as Nix code: full option names, one a line, quoted so that Nix reads back exactly the value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import ANYTHING, OptionType, admits
from nix_trinity.knowledge.options import Option

T = TypeVar("T")

_WIDTH = 96  # columns that a value may take before it is broken over lines
_LARGEST = 2**63 - 1  # Nix integers have 64 bits, and the least one cannot be written
_SHORT = 100  # characters of an example that still serves as a one-line answer

_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_'-]*")
KEYWORDS = frozenset({"if", "then", "else", "assert", "with", "let", "in", "rec", "inherit", "or"})
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPED = re.compile(r'[\\"\n\r\t]|\$(?=\{)')
# What stands in an indented string only with tricks: the string is written on one line instead.
_NOT_INDENTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|'\$\{|'\Z|\n *[ ]\Z")
_ARGUMENT = re.compile(r"[a-zA-Z_][\w'-]*(?:\.[a-zA-Z_][\w'-]*)*|\.?(?:/[\w.@+-]+)+")
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\$\n]|\\.|\$(?!\{))*")|(?P<number>-?(?:\d+\.\d+|\d{1,18})(?![\w.]))"""
    r"|(?P<expression>pkgs(?:\.[a-zA-Z_][\w'-]*)+|\.(?:/[\w.@+-]+)+|(?:/[\w.@+-]+)+)"
    r"|(?P<word>[a-zA-Z_][\w'-]*)|(?P<sign>[\[\]{}=;.()]))"
)
_WORDS = {"true": True, "false": False, "null": None}
_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class NixExpression:
    """Nix code that stands as it is: a package (``pkgs.hello``) or a path relative to the file (``./motd``)."""

    text: str


SettingValue: TypeAlias = (
    "bool | int | float | str | NixExpression | Sequence[SettingValue] | Mapping[str, SettingValue] | None"
)


@dataclass(frozen=True, slots=True)
class Setting:
    """An option with the value to give it."""

    option: Option
    value: SettingValue
    names: tuple[str, ...] = ()
    """One for each placeholder such as ``<name>`` in the option's path, in its order."""

    @property
    def segments(self) -> tuple[str | None, ...]:
        """The attributes to write, the person's names in the placeholders' places; None is a list's element.

        ``*`` in an option list is always an element of a list (``types.listOf``), which no attribute path reaches.
        Placeholders that no name is given for stay as they are.
        """
        names = iter(self.names)
        return tuple(
            None if part == "*" else next(names, part) if is_placeholder(part) else part for part in self.option.path
        )


def is_placeholder(attribute: str) -> bool:
    """Tell whether a person chooses this attribute's name."""
    return attribute.startswith("<") and attribute.endswith(">")


def render_settings(settings: Sequence[Setting]) -> str:
    """Write settings as Nix bindings, in their order; those of one list element come together. Ends with a newline."""
    return "".join(f"{line}\n" for line in _bindings([(setting.segments, setting.value) for setting in settings]))


def render_option(option: Option) -> str:
    """Write one option with the likeliest value, on one line, without a newline.

    That is ``true`` for a switch, else its example, else its default, where these are short literals of its type; a
    comment where none is.
    """
    if option.read_only:
        return f"# {option.name} is read-only"
    option_type = parse_type(option.type)
    if option_type.kind == "boolean" and (option.path[-1] == "enable" or option.default in {"false", ""}):
        return render_settings([Setting(option, value=True)]).rstrip("\n")
    for text in (option.example, option.default):
        try:
            value = _Literal(text).read()
        except ValueError:
            continue
        if _suits(option_type, value):
            line = render_settings([Setting(option, value)]).rstrip("\n")
            if "\n" not in line:
                return line
    kind = " ".join(option.type.split())
    return f"# {option.name} = …;  ({kind if len(kind) <= _SHORT else kind[:_SHORT] + '…'})"


def render_name(path: Sequence[str]) -> str:
    """Write an attribute path, with quotes where Nix needs them."""
    return ".".join(render_attribute(part) for part in path)


def render_attribute(name: str) -> str:
    """Write one attribute's name, in quotes unless it is an identifier and no keyword."""
    return name if _IDENTIFIER.fullmatch(name) and name not in KEYWORDS else _quoted(name)


def render_value(value: SettingValue, room: int = _WIDTH) -> str:
    """Write a value; on one line where it fits into ``room`` columns. ValueError for what Nix has no literal for."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            if abs(value) > _LARGEST:
                raise ValueError(f"{value} does not fit into a Nix integer")
            return str(value)
        case float():
            return _float(value)
        case NixExpression():
            return value.text
        case str():
            return _string(value)
        case Mapping():
            return _group(
                "{", [f"{render_attribute(k)} = {render_value(v, room - 2)};" for k, v in value.items()], "}", room
            )
        case _:
            return _group("[", [_argument(element, room - 2) for element in value], "]", room)


def _bindings(entries: Sequence[tuple[tuple[str | None, ...], SettingValue]]) -> list[str]:
    """Write entries as bindings, those below one list joined into its single element."""
    plain: dict[tuple[str, ...], str] = {}
    below: dict[tuple[str, ...], list[tuple[tuple[str | None, ...], SettingValue]]] = {}
    for segments, value in entries:
        path = tuple(part for part in segments if part is not None)
        if None in segments:
            path = path[: segments.index(None)]
            below.setdefault(path, []).append((segments[len(path) + 1 :], value))
            plain.setdefault(path, "")
        else:
            plain[path] = render_value(value)
    for path, inner in below.items():
        whole = [_argument(value, _WIDTH - 2) for rest, value in inner if not rest]
        fields = [(rest, value) for rest, value in inner if rest]
        element = [_group("{", _bindings(fields), "}", _WIDTH - 2)] if fields else []
        plain[path] = _group("[", [*whole, *element], "]", _WIDTH)
    return [f"{render_name(path)} = {text};" for path, text in plain.items()]


def _group(opening: str, parts: Sequence[str], closing: str, room: int) -> str:
    line = " ".join((opening, *parts, closing))
    if len(line) <= room and "\n" not in line:
        return line
    return "\n".join((opening, *(_indented(part) for part in parts), closing))


def _indented(text: str) -> str:
    """Move lines to the right; an indented string in them moves as a whole, which Nix takes away again."""
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))


def _argument(value: SettingValue, room: int) -> str:
    """Write a list's element: what is more than one word for Nix goes into parentheses."""
    text = render_value(value, room)
    negative = isinstance(value, int | float) and text.startswith("-")
    loose = isinstance(value, NixExpression) and _ARGUMENT.fullmatch(text) is None
    return f"({text})" if negative or loose else text


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"Nix has no number {value}")
    digits, exponent, power = repr(value).partition("e")
    return f"{digits}{'' if '.' in digits else '.0'}{exponent}{power}"  # 1e5 is no number to Nix, 1.0e5 is


def _string(text: str) -> str:
    lines = text.split("\n")
    # Nix takes away the indentation that all lines share, so that one of them has to start at the margin.
    if len(lines) < 2 or _NOT_INDENTED.search(text) or not any(line[:1].strip(" ") for line in lines):
        return _quoted(text)
    escaped = text.replace("''", "'''").replace("${", "''${")
    return f"''\n{_indented(escaped)}''"


def _quoted(text: str) -> str:
    return '"' + _ESCAPED.sub(lambda found: _ESCAPES.get(found[0], "\\$"), text) + '"'


def _suits(option_type: OptionType, value: SettingValue) -> bool:
    """Tell whether a type takes a value; an expression is a package or a path, and no string."""
    choices = option_type.alternatives or (option_type,)
    match value:
        case NixExpression():
            return any(choice.kind in {"package", "path", "anything"} for choice in choices)
        case dict() | list() if value:
            is_list = isinstance(value, list)
            kind, whole = ("list", {"anything"}) if is_list else ("attributes", {"anything", "submodule"})
            inner = value.values() if isinstance(value, dict) else value
            return any(
                choice.kind in whole
                or (choice.kind == kind and all(_suits(choice.element or ANYTHING, each) for each in inner))
                for choice in choices
            )
        case _:
            return admits(option_type, value)


class _Literal:
    """Reads a short Nix text that is plain data; ValueError for anything else, such as a function or a sentence."""

    def __init__(self, text: str) -> None:
        if len(text) > _SHORT:
            raise ValueError("too long for one line")
        self._tokens = self._split(text.strip())
        self._at = 0

    def read(self) -> SettingValue:
        """Read the whole text as one value."""
        value = self._value()
        if self._at != len(self._tokens):
            raise ValueError("more than one value")
        return value

    @staticmethod
    def _split(text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise ValueError("no plain data")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        return tokens

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise ValueError("cut off")
        self._at += 1
        return self._tokens[self._at - 1]

    def _value(self) -> SettingValue:
        kind, text = self._next()
        if kind == "string":
            return re.sub(r"\\(.)", lambda found: _UNESCAPED.get(found[1], found[1]), text[1:-1])
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "expression":
            return text if text.startswith("/") else NixExpression(text)
        if text in _WORDS:
            return _WORDS[text]
        if text == "[":
            return self._until("]", self._value)
        if text == "{":
            return dict(self._until("}", self._binding))
        raise ValueError("no plain data")

    def _until(self, closing: str, read: Callable[[], T]) -> list[T]:
        found = []
        while self._tokens[self._at : self._at + 1] != [("sign", closing)]:
            found.append(read())
        self._at += 1
        return found

    def _binding(self) -> tuple[str, SettingValue]:
        kind, name = self._next()
        if kind not in {"word", "string"} or "\\" in name or self._next() != ("sign", "="):
            raise ValueError("no plain binding")
        value = self._value()
        if self._next() != ("sign", ";"):
            raise ValueError("a binding without an end")
        return name.strip('"'), value
