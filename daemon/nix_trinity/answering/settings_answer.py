"""The settings that a model chose, read from its answer and checked again: an engine may ignore the schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence

from nix_trinity.answering.settings_render import KEYWORDS, NixExpression, Setting, SettingValue
from nix_trinity.answering.settings_schema import (
    DEEPEST,
    LONGEST_STRING,
    LONGEST_TEXT,
    MOST_ELEMENTS,
    NAME_PATTERN,
    PACKAGE_PATTERN,
    PATH_PATTERN,
    Candidate,
    is_settable,
    placeholders,
    type_schema,
)
from nix_trinity.errors import EngineError
from nix_trinity.knowledge.option_types import OptionType, admits

_LONGEST_ANSWER = 100_000  # characters
_MOST_SETTINGS = 16  # in one answer, whatever the schema allowed
_LARGEST = 2**63 - 1
# Characters that a terminal or an editor would show as something else (Unicode's Cc, the bidirectional ones, halves).
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class SettingsError(EngineError):
    """The engine's choice of settings is not one of those that it was given."""

    code = "settings_invalid"


def parse_settings(text: str, candidates: Sequence[Candidate]) -> list[Setting]:
    """Read a model's answer to ``settings_schema``, and check it again.

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
    option, wanted = candidate.option, len(placeholders(candidate.option.path))
    if set(row) != ({"option", "names", "value"} if wanted else {"option", "value"}):
        raise _refused(f"its setting of {option.name} lacks a part or has one too many")
    names = row.get("names", [])
    if not isinstance(names, list) or len(names) != wanted or not all(_is_name(each) for each in names):
        raise _refused(f"it gives no usable names for the placeholders of {option.name}")
    try:
        return Setting(option, _value(candidate.type, row["value"], DEEPEST), tuple(names))
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
    if type_schema(option_type, depth) is None:
        raise ValueError("cannot be said")
    match value:
        case str() if kind == "package" and _is_package(value):
            return NixExpression(value)
        case str() if kind == "path" and re.fullmatch(PATH_PATTERN, value):
            # An absolute path stays a string: as a path literal Nix may copy it, a secret too, into its store.
            return value if value.startswith("/") else NixExpression(value)
        case str() if kind in {"string", "enum"} and admits(option_type, value) and _is_clean(option_type, value):
            return value
        case list() if kind == "list" and option_type.element and len(value) <= 2 * MOST_ELEMENTS:
            _check_size(option_type, value)
            return [_value(option_type.element, each, depth - 1) for each in value]
        case dict() if kind == "attributes" and option_type.element and len(value) <= 2 * MOST_ELEMENTS:
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
    return re.fullmatch(PACKAGE_PATTERN, text) is not None and not KEYWORDS.intersection(text.split("."))


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and re.fullmatch(NAME_PATTERN, name) is not None
        and bool(name.strip())
        and not _HIDDEN.search(name)
    )


def _is_clean(option_type: OptionType, text: str) -> bool:
    several_lines = option_type.separator == "\n" or option_type.kind == "enum"
    longest = LONGEST_TEXT if several_lines else LONGEST_STRING
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
