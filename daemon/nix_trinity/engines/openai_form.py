"""An answer that has to follow a JSON schema: asked for in words, found in what a model wrote, and checked.

For servers that cannot hold a model to a schema, and for those that say they can and do not. The check knows the
keywords that answering/settings_schema.py writes; any other keyword is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_MOST_DEPTH = 32
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def asked_in_words(schema: Mapping[str, Any]) -> str:
    """What a model is told where the server cannot hold it to the schema."""
    return (
        "Answer with one JSON object and nothing else: no sentence, no code fence. It has to follow this JSON schema:\n"
        + json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    )


def repair_in_words(fault: str) -> str:
    """What a model is told of an answer that does not follow the schema."""
    return f"That does not follow the schema: {fault}. Write the whole JSON object again, mended, and nothing else."


def found_json(text: str) -> str:
    """The JSON object in an answer: without a fence, and without words before and after it; else the text itself."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            _, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
        else:
            return text[start:end]
    return text


def fault_of(text: str, schema: Mapping[str, Any]) -> str:
    """What is wrong with an answer by its schema, for the model to read; '' when nothing is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON, or cut off"
    return _fault(value, schema, "the object", 0)


def _fault(value: object, schema: Mapping[str, Any], where: str, depth: int) -> str:
    if depth > _MOST_DEPTH:
        return f"{where} goes too deep"
    if "const" in schema and not _same(value, schema["const"]):
        return f"{where} has to be {_shown(schema['const'])}"
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        return f"{where} has to be one of {', '.join(map(_shown, schema['enum'][:20]))}"
    if "anyOf" in schema:
        faults = [_fault(value, one, where, depth + 1) for one in schema["anyOf"]]
        return "" if "" in faults else f"{where} is none of those to choose from ({min(faults, key=len)})"
    kind = schema.get("type")
    if kind in _TYPES and not _is(value, str(kind)):
        return f"{where} has to be of the type {kind}"
    match value:
        case str():
            return _of_string(value, schema, where)
        case bool():
            return ""
        case int() | float():
            return _of_number(value, schema, where)
        case list():
            return _of_array(value, schema, where, depth)
        case dict():
            return _of_object(value, schema, where, depth)
    return ""


def _of_string(value: str, schema: Mapping[str, Any], where: str) -> str:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return f"{where} is too short or too long"
    pattern = schema.get("pattern")
    if pattern is not None and re.search(pattern, value) is None:
        return f"{where} does not match {pattern}"
    return ""


def _of_number(value: int | float, schema: Mapping[str, Any], where: str) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return (
        f"{where} is out of range" if (low is not None and value < low) or (high is not None and value > high) else ""
    )


def _of_array(value: Sequence[object], schema: Mapping[str, Any], where: str, depth: int) -> str:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        return f"{where} has {len(value)} elements, not {least} to {most}"
    items = schema.get("items")
    if not isinstance(items, Mapping):
        return ""
    faults = (_fault(one, items, f"{where}[{number}]", depth + 1) for number, one in enumerate(value))
    return next((fault for fault in faults if fault), "")


def _of_object(value: Mapping[str, object], schema: Mapping[str, Any], where: str, depth: int) -> str:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    missing = [name for name in schema.get("required", ()) if name not in value]
    if missing:
        return f"{where} lacks {_shown(missing[0])}"
    for name, one in value.items():
        wanted = properties.get(name, others)
        if wanted is False:
            return f"{where} has {_shown(name)}, which is not to be there"
        if isinstance(wanted, Mapping) and (fault := _fault(one, wanted, f"{where}.{name}", depth + 1)):
            return fault
    return ""


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _same(one: object, other: object) -> bool:
    # True is 1 to Python, and not to JSON.
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]
