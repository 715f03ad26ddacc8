"""Which settings a model may choose: as a JSON schema for the engine, and as a check of what came back.

The schema keeps to what llama.cpp turns into a grammar (``common/json-schema-to-grammar.cpp``): ``minimum`` and
``maximum`` for integers only, patterns anchored at both ends and matched against the JSON text itself, no look-around,
and no quantifier straight after an escaped character. Ollama keeps the order of properties since 0.5.2, so that a
model names the option before it chooses the value. An engine that ignores the schema is caught by
:func:`parse_settings`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nix_trinity.answering.settings_render import KEYWORDS, NixExpression, Setting, SettingValue, is_placeholder
from nix_trinity.errors import EngineError
from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import OptionType, admits
from nix_trinity.knowledge.options import Option, Path

_LONGEST_ANSWER = 100_000  # characters
_MOST_SETTINGS = 16  # in one answer, whatever the schema allowed
_LONGEST_STRING = 200  # characters, on one line
_LONGEST_TEXT = 1_500  # characters of a text of several lines; llama.cpp refuses more than 2,000 repetitions
_MOST_ELEMENTS = 12  # of a list or an attribute set
_LONGEST_ENUM = 6_000  # characters of all its members: a longer one is checked here only, or the grammar gets slow
_DEEPEST = 2  # lists and attribute sets within each other
_LARGEST = 2**63 - 1

# No quote, no backslash and no control character: these have two spellings, in JSON and decoded.
_CHARACTER = r'[^"\\\x00-\x1F\x7F]'
_NAME = r'^[^"\\<>\x00-\x1F\x7F]{1,64}$'
_PACKAGE = "^pkgs([.][a-zA-Z_][a-zA-Z0-9_-]{0,50}){1,4}$"
_PATH = "^[.]?(/[.]?[a-zA-Z0-9_@+-][a-zA-Z0-9._@+-]{0,60}){1,10}$"  # no part of it is ".."
# Characters that a terminal or an editor would show as something else (Unicode's Cc, the bidirectional ones, halves).
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_POSIX = {
    **{"[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9", "[:xdigit:]": "0-9a-fA-F"},
    **{"[:upper:]": "A-Z", "[:lower:]": "a-z", "[:space:]": " ", "[:print:]": r" !#-\[\]-~"},
}
_PATTERN_TOKEN = re.compile(
    r"\[(\^?)((?:\[:\w+:\]|[^\[\]^\\\"])+)\]|[A-Za-z0-9 _/:@%=,~#-]|\\[.+*?|(){}]|[.()|]|[*+?]|\{\d{1,2}(?:,(?:\d{1,2})?)?\}"
)
_RANGE = re.compile(r"[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]")
_ENDLESS = {"*": "{0,100}", "+": "{1,100}"}


class SettingsError(EngineError):
    """The engine's choice of settings is not one of those that it was given."""

    code = "settings_invalid"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option that a model may set, with its type."""

    option: Option
    type: OptionType

    @classmethod
    def of(cls, option: Option) -> Candidate:
        """Make a candidate of an option."""
        return cls(option, parse_type(option.type))


def is_settable(option: Option) -> bool:
    """Tell whether a model can be asked for this option's value: a schema can say its type, and it may be set."""
    reachable = bool(option.path) and option.path[-1] != "*" and "<function body>" not in option.path
    return reachable and not option.read_only and _schema(parse_type(option.type), _DEEPEST) is not None


def settings_schema(candidates: Sequence[Candidate], *, most: int = 4, least: int = 1) -> dict[str, Any]:
    """Describe ``{"settings": [{"option", "names", "value"}, …]}``, for Ollama's ``format``.

    The alternatives are in the candidates' order; those that are not settable are left out. ValueError where none is
    left, since no schema says "nothing" but ``least=0``.
    """
    items = [item for candidate in candidates if (item := _item(candidate)) is not None]
    if not items:
        raise ValueError("none of the candidates can be set")
    element = items[0] if len(items) == 1 else {"anyOf": items}
    return _object({"settings": {"type": "array", "items": element, "minItems": least, "maxItems": most}})


def parse_settings(text: str, candidates: Sequence[Candidate]) -> list[Setting]:
    """Read a model's answer to :func:`settings_schema`, and check it again.

    Of two settings that Nix could not hold together (the same option twice, or one inside the other) the first stays.
    Raises SettingsError for anything else that the schema does not allow.
    """
    known = {candidate.option.name: candidate for candidate in reversed(candidates) if is_settable(candidate.option)}
    rows = _decoded(text)
    kept: list[Setting] = []
    for row in rows:
        setting = _setting(row, known)
        if not any(_clash(setting, other) for other in kept):
            kept.append(setting)
    return kept


def _item(candidate: Candidate) -> dict[str, Any] | None:
    option = candidate.option
    value = _schema(candidate.type, _DEEPEST) if is_settable(option) else None
    if value is None:
        return None
    properties: dict[str, Any] = {"option": {"const": option.name}}
    if count := len(_placeholders(option.path)):
        properties["names"] = _array({"type": "string", "pattern": _NAME}, count, count)
    return _object(properties | {"value": value})


def _schema(option_type: OptionType, depth: int) -> dict[str, Any] | None:
    """Say a type; None for one that cannot be said, such as a function, a submodule or anything at all."""
    match option_type.kind:
        case "boolean" | "null":
            return {"type": option_type.kind}
        case "integer" | "number":
            bounds = {"minimum": option_type.minimum, "maximum": option_type.maximum}
            # llama.cpp passes over a number's bounds, other engines do not.
            return {"type": option_type.kind} | {key: bound for key, bound in bounds.items() if bound is not None}
        case "string":
            return _string(option_type)
        case "path":
            return {"type": "string", "pattern": _PATH}
        case "package":
            return {"type": "string", "pattern": _PACKAGE}
        case "enum" if option_type.members:
            small = sum(len(str(member)) for member in option_type.members) <= _LONGEST_ENUM
            return {"enum": list(option_type.members)} if small else _string(OptionType("string"))
        case "list" | "attributes" if option_type.element is not None and depth:
            inner = _schema(option_type.element, depth - 1)
            if inner is None or inner == {"type": "null"}:
                return None
            if option_type.kind == "list":
                return _array(inner, int(option_type.not_empty), _MOST_ELEMENTS)
            return {"type": "object", "additionalProperties": inner}
        case "either":
            return _either(option_type, depth)
        case _:
            return None


def _string(option_type: OptionType) -> dict[str, Any]:
    if option_type.separator == "\n":
        return {"type": "string", "minLength": int(option_type.not_empty), "maxLength": _LONGEST_TEXT}
    pattern = _engine_pattern(option_type.pattern) if option_type.pattern else None
    least = int(option_type.not_empty)
    return {"type": "string", "pattern": pattern or f"^{_CHARACTER}{{{least},{_LONGEST_STRING}}}$"}


def _engine_pattern(pattern: str) -> str | None:
    """Write a POSIX expression as one of JSON schema that has an end; None where that is not surely the same."""
    # A backslash before the last "-" of a bracket is a character of its own there: one fewer to choose from.
    pattern = pattern.replace(r"\-]", "-]")
    if pattern.startswith("^") and pattern.endswith("$") and not re.search(r"\$\||\|\^", pattern):
        pattern = pattern[1:-1]
    written, at = [], 0
    while at < len(pattern):
        found = _PATTERN_TOKEN.match(pattern, at)
        if found is None:
            return None
        token, at = found[0], found.end()
        if found[2]:
            bracket = _engine_bracket(found[1], found[2])
            if bracket is None:
                return None
            token = bracket
        elif token == ".":  # noqa: S105 - a full stop
            token = _CHARACTER
        elif token.startswith("\\"):
            token = f"[{token[1]}]"
        written.append(_ENDLESS.get(token) or re.sub(r",\}$", ",100}", token))
    try:
        re.compile("".join(written))
    except re.error:
        return None
    return f"^{''.join(written)}$" if "|" not in written else f"^({''.join(written)})$"


def _engine_bracket(negation: str, content: str) -> str | None:
    """Write a bracket expression that takes neither a quote nor a backslash nor a control character."""
    shown = re.sub(r"[\x00-\x1f\x7f]", "", content)
    written = shown
    for name, characters in _POSIX.items():
        shown, written = shown.replace(name, ""), written.replace(name, characters)
    # What is left of "-" could stand for a range with a quote or a backslash in it.
    if "[:" in shown or "-" in _RANGE.sub("", shown)[:-1] or (shown.endswith("-") and not written.endswith("-")):
        return None
    return f'[^{written}"\\\\\\x00-\\x1F\\x7F]' if negation else f"[{written}]"


def _either(option_type: OptionType, depth: int) -> dict[str, Any] | None:
    choices: list[dict[str, Any]] = []
    for alternative in option_type.alternatives:
        freeform = alternative.element is not None and alternative.element.kind == "anything"
        if freeform and alternative.kind == "attributes":
            return None  # a format's value (JSON, TOML, …): a single scalar of it would never be meant
        schema = _schema(alternative, depth)
        if schema is not None and schema not in choices:
            choices.append(schema)
    # What a string says anyway: an absolute path.
    if any(alternative.kind == "string" and not alternative.pattern for alternative in option_type.alternatives):
        choices = [choice for choice in choices if choice.get("pattern") != _PATH]
    choices.sort(key=lambda choice: choice == {"type": "null"})
    if not choices or choices == [{"type": "null"}]:
        return None
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(items: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _placeholders(path: Path) -> list[str]:
    return [part for part in path if is_placeholder(part)]


def _decoded(text: str) -> list[object]:
    if len(text) > _LONGEST_ANSWER:
        raise _refused(f"it is longer than {_LONGEST_ANSWER:,} characters")
    try:
        answer = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _refused("it is not JSON, or cut off") from error
    rows = answer.get("settings") if isinstance(answer, dict) and set(answer) == {"settings"} else None
    if not isinstance(rows, list):
        raise _refused('it is not an object with a list of "settings" alone')
    if len(rows) > _MOST_SETTINGS:
        raise _refused(f"it sets more than {_MOST_SETTINGS} options")
    return rows


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _setting(row: object, known: Mapping[str, Candidate]) -> Setting:
    name = row.get("option") if isinstance(row, dict) else None
    candidate = known.get(name) if isinstance(name, str) else None
    if not isinstance(row, dict) or candidate is None:
        raise _refused("it sets something that is none of the options to choose from")
    option, wanted = candidate.option, len(_placeholders(candidate.option.path))
    if set(row) != ({"option", "names", "value"} if wanted else {"option", "value"}):
        raise _refused(f"its setting of {option.name} lacks a part or has one too many")
    names = row.get("names", [])
    if not isinstance(names, list) or len(names) != wanted or not all(_is_name(each) for each in names):
        raise _refused(f"it gives no usable names for the placeholders of {option.name}")
    try:
        return Setting(option, _value(candidate.type, row["value"], _DEEPEST), tuple(names))
    except ValueError as error:
        raise _refused(
            f"its value for {option.name} is not of the type “{' '.join(option.type.split())[:100]}”"
        ) from error


def _value(option_type: OptionType, value: object, depth: int) -> SettingValue:
    """Give a value the form that its type takes in Nix. ValueError where the type refuses it."""
    kind = option_type.kind
    if kind == "either":
        # What is more than a string comes first: "pkgs.hello" is a package where one is taken.
        order = sorted(option_type.alternatives, key=lambda choice: choice.kind in {"string", "path"})
        for alternative in sorted(order, key=lambda choice: choice.kind == "path"):
            try:
                return _value(alternative, value, depth)
            except ValueError:
                continue
        raise ValueError("none of the alternatives")
    if _schema(option_type, depth) is None:
        raise ValueError("cannot be said")
    match value:
        case str() if kind == "package" and _is_package(value):
            return NixExpression(value)
        case str() if kind == "path" and re.fullmatch(_PATH, value):
            # An absolute path stays a string: as a path literal Nix may copy it, a secret too, into its store.
            return value if value.startswith("/") else NixExpression(value)
        case str() if kind in {"string", "enum"} and admits(option_type, value) and _is_clean(option_type, value):
            return value
        case list() if kind == "list" and option_type.element and len(value) <= 2 * _MOST_ELEMENTS:
            _check_size(option_type, value)
            return [_value(option_type.element, each, depth - 1) for each in value]
        case dict() if kind == "attributes" and option_type.element and len(value) <= 2 * _MOST_ELEMENTS:
            _check_size(option_type, value)
            if not all(_is_name(name) for name in value):
                raise ValueError("a name that cannot be one")
            return {name: _value(option_type.element, each, depth - 1) for name, each in value.items()}
        case None | bool() if kind in {"null", "boolean", "enum"} and admits(option_type, value):
            return value
        case int() | float() if kind in {"integer", "number", "enum"} and not isinstance(value, bool):
            return _number(option_type, value)
    raise ValueError("of another type")


def _number(option_type: OptionType, value: int | float) -> int | float:
    if abs(value) > _LARGEST if isinstance(value, int) else not math.isfinite(value):
        raise ValueError("out of Nix' range")
    number = float(value) if option_type.fractional else value
    if not admits(option_type, number):
        raise ValueError("out of range")
    return number


def _check_size(option_type: OptionType, value: Sequence[object] | Mapping[str, object]) -> None:
    if option_type.not_empty and not value:
        raise ValueError("empty")


def _is_package(text: str) -> bool:
    return re.fullmatch(_PACKAGE, text) is not None and not KEYWORDS.intersection(text.split("."))


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and re.fullmatch(_NAME, name) is not None
        and bool(name.strip())
        and not _HIDDEN.search(name)
    )


def _is_clean(option_type: OptionType, text: str) -> bool:
    several_lines = option_type.separator == "\n" or option_type.kind == "enum"
    longest = _LONGEST_TEXT if several_lines else _LONGEST_STRING
    return len(text) <= longest and not _HIDDEN.search(text) and (several_lines or not re.search(r"[\n\t]", text))


def _clash(one: Setting, other: Setting) -> bool:
    """Tell whether one's path is the other's or lies below it; elements of a list lie beside each other."""
    mine, theirs = one.segments, other.segments
    shorter = min(len(mine), len(theirs))
    return mine[:shorter] == theirs[:shorter]


def _refused(what: str) -> SettingsError:
    return SettingsError(
        f"The model's choice of settings cannot be used: {what}.",
        "Ask again; if it happens often, give the role a larger model.",
    )
