"""Which settings a model may choose, as a JSON schema for the engine.

The schema keeps to what llama.cpp turns into a grammar (``common/json-schema-to-grammar.cpp``): ``minimum`` and
``maximum`` for integers only, patterns anchored at both ends and matched against the JSON text itself, no look-around,
and no quantifier straight after an escaped character. Ollama keeps the order of properties since 0.5.2, so that a
model names the option before it chooses the value. An engine that ignores the schema is caught by
settings_answer.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nix_trinity.answering.settings_render import is_placeholder
from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import OptionType
from nix_trinity.knowledge.options import Option, Path

LONGEST_STRING = 200  # characters, on one line
LONGEST_TEXT = 1_500  # characters of a text of several lines; llama.cpp refuses more than 2,000 repetitions
MOST_ELEMENTS = 12  # of a list or an attribute set
_LONGEST_ENUM = 6_000  # characters of all its members: a longer one is checked here only, or the grammar gets slow
DEEPEST = 2  # lists and attribute sets within each other

# No quote, no backslash and no control character: these have two spellings, in JSON and decoded.
_CHARACTER = r'[^"\\\x00-\x1F\x7F]'
NAME_PATTERN = r'^[^"\\<>\x00-\x1F\x7F]{1,64}$'
PACKAGE_PATTERN = "^pkgs([.][a-zA-Z_][a-zA-Z0-9_-]{0,50}){1,4}$"
PATH_PATTERN = "^[.]?(/[.]?[a-zA-Z0-9_@+-][a-zA-Z0-9._@+-]{0,60}){1,10}$"  # no part of it is ".."
_POSIX = {
    **{"[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:alnum:]": "a-zA-Z0-9", "[:xdigit:]": "0-9a-fA-F"},
    **{"[:upper:]": "A-Z", "[:lower:]": "a-z", "[:space:]": " ", "[:print:]": r" !#-\[\]-~"},
}
_PATTERN_TOKEN = re.compile(
    r"\[(\^?)((?:\[:\w+:\]|[^\[\]^\\\"])+)\]|[A-Za-z0-9 _/:@%=,~#-]|\\[.+*?|(){}]|[.()|]|[*+?]|\{\d{1,2}(?:,(?:\d{1,2})?)?\}"
)
_RANGE = re.compile(r"[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9]")
_ENDLESS = {"*": "{0,100}", "+": "{1,100}"}


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
    return reachable and not option.read_only and type_schema(parse_type(option.type), DEEPEST) is not None


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


def _item(candidate: Candidate) -> dict[str, Any] | None:
    option = candidate.option
    value = type_schema(candidate.type, DEEPEST) if is_settable(option) else None
    if value is None:
        return None
    properties: dict[str, Any] = {"option": {"const": option.name}}
    if count := len(placeholders(option.path)):
        properties["names"] = _array({"type": "string", "pattern": NAME_PATTERN}, count, count)
    return _object(properties | {"value": value})


def type_schema(option_type: OptionType, depth: int) -> dict[str, Any] | None:
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
            return {"type": "string", "pattern": PATH_PATTERN}
        case "package":
            return {"type": "string", "pattern": PACKAGE_PATTERN}
        case "enum" if option_type.members:
            small = sum(len(str(member)) for member in option_type.members) <= _LONGEST_ENUM
            return {"enum": list(option_type.members)} if small else _string(OptionType("string"))
        case "list" | "attributes" if option_type.element is not None and depth:
            inner = type_schema(option_type.element, depth - 1)
            if inner is None or inner == {"type": "null"}:
                return None
            if option_type.kind == "list":
                return _array(inner, int(option_type.not_empty), MOST_ELEMENTS)
            return {"type": "object", "additionalProperties": inner}
        case "either":
            return _either(option_type, depth)
        case _:
            return None


def _string(option_type: OptionType) -> dict[str, Any]:
    if option_type.separator == "\n":
        return {"type": "string", "minLength": int(option_type.not_empty), "maxLength": LONGEST_TEXT}
    pattern = _engine_pattern(option_type.pattern) if option_type.pattern else None
    least = int(option_type.not_empty)
    return {"type": "string", "pattern": pattern or f"^{_CHARACTER}{{{least},{LONGEST_STRING}}}$"}


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
        schema = type_schema(alternative, depth)
        if schema is not None and schema not in choices:
            choices.append(schema)
    # What a string says anyway: an absolute path.
    if any(alternative.kind == "string" and not alternative.pattern for alternative in option_type.alternatives):
        choices = [choice for choice in choices if choice.get("pattern") != PATH_PATTERN]
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


def placeholders(path: Path) -> list[str]:
    """The parts of a path that the person has to name, in its order."""
    return [part for part in path if is_placeholder(part)]
