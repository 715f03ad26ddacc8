"""Is a literal value one that an option takes? What cannot be known without evaluation is taken to be right."""

from __future__ import annotations

from nix_trinity.answering.verifier.nix_expression import Expression
from nix_trinity.knowledge.option_types import OptionType, admits

_SHOWN_MEMBERS = 8


def may_take(option_type: OptionType, value: Expression) -> bool:
    """Whether an option of the type may take the value; False only where Nix would surely refuse it."""
    if value.kind in {"unknown", "apply"} or _is_secret(value):
        return True
    if value.kind == "choice":
        return all(may_take(option_type, each) for each in value.elements)
    match option_type.kind:
        case "anything":
            return True
        case "either":
            return any(may_take(choice, value) for choice in option_type.alternatives)
        case "list":
            element = option_type.element
            return value.kind == "list" and (element is None or all(may_take(element, each) for each in value.elements))
        case "attributes" | "submodule":
            # A function or a path can be a module, which is a set in the end.
            return value.kind in {"attributes", "function", "path"}
        case "function":
            return value.kind in {"function", "attributes", "path"}
        case "package":
            return value.kind in {"attributes", "path"} or (value.kind == "string" and _is_store_path(value))
        case "path":
            if value.kind == "string":
                return value.literal is None or str(value.literal).startswith("/")
            return value.kind in {"path", "attributes"}
        case _:
            return _may_be_scalar(option_type, value)


def _may_be_scalar(option_type: OptionType, value: Expression) -> bool:
    if value.kind in {"list", "attributes", "function", "path"}:
        return False
    if value.literal is not None or value.kind == "null":
        return admits(option_type, value.literal)
    kinds = {
        "boolean": {"boolean"},
        "integer": {"integer"},
        "number": {"integer", "float"},
        "string": {"string"},
        "null": {"null"},
    }
    if option_type.kind == "enum":
        return value.kind in {"string", "integer", "boolean", "float"}
    return value.kind in kinds.get(option_type.kind, {value.kind})


def _is_secret(value: Expression) -> bool:
    """`{ _secret = "/run/…"; }`, which many modules take in place of any value that they write to a file."""
    return [binding.path for binding in value.bindings] == [("_secret",)]


def _is_store_path(value: Expression) -> bool:
    return value.literal is None or str(value.literal).startswith("/nix/store/")


def described_type(option_type: OptionType) -> str:
    """Say in a few words what an option takes."""
    match option_type.kind:
        case "boolean":
            return "`true` or `false`, without quotes"
        case "integer" | "number":
            return _described_number(option_type)
        case "string":
            return "a string in quotes"
        case "path":
            return "an absolute path"
        case "package":
            return "a package, as in `pkgs.hello`"
        case "enum":
            members = [_written(member) for member in option_type.members]
            more = ", …" if len(members) > _SHOWN_MEMBERS else ""
            return f"one of {', '.join(members[:_SHOWN_MEMBERS])}{more}"
        case "list":
            inner = option_type.element
            if inner is None or inner.kind in {"anything", "either"}:
                return "a list in `[ ]`"
            return f"a list in `[ ]`, each element {described_type(inner)}"
        case "attributes" | "submodule":
            return "a set in `{ }`"
        case "null":
            return "`null`"
        case "either":
            return " or ".join(dict.fromkeys(described_type(choice) for choice in option_type.alternatives))
        case "function":
            return "a function"
        case "anything":
            return "any value"


def refused_part(option_type: OptionType, value: Expression) -> tuple[OptionType, Expression]:
    """The element of a list that is refused, with its type; the value itself where it is no list."""
    if value.kind == "list" and option_type.kind == "either":
        lists = [choice for choice in option_type.alternatives if choice.kind == "list"]
        option_type = lists[0] if len(lists) == 1 else option_type
    if value.kind == "list" and option_type.kind == "list" and option_type.element is not None:
        for element in value.elements:
            if not may_take(option_type.element, element):
                return option_type.element, element
    return option_type, value


def described_value(value: Expression) -> str:
    """Say what was given instead."""
    if value.kind == "string":
        return _written(value.literal) if value.literal is not None and len(str(value.literal)) <= 40 else "a string"
    if value.literal is not None:
        return _written(value.literal)
    names = {"attributes": "a set", "list": "a list", "function": "a function", "path": "a path", "null": "`null`"}
    return names.get(value.kind, f"a value of kind {value.kind}")


def _described_number(option_type: OptionType) -> str:
    noun = "a whole number" if option_type.kind == "integer" else "a number"
    low, high = option_type.minimum, option_type.maximum
    if low is not None and high is not None:
        return f"{noun} between {low:.15g} and {high:.15g}"
    if low is not None:
        return f"{noun} of at least {low:.15g}" if low >= 1 or low <= 0 else f"{noun} above 0"
    return f"{noun} of at most {high:.15g}" if high is not None else f"{noun}, without quotes"


def _written(value: str | int | float | bool | None) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return '`"' + value.replace("`", "'") + '"`' if isinstance(value, str) else f"`{value}`"
