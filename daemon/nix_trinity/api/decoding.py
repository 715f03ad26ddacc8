"""Requests as they come in: read into the protocol's messages, and refused with what is wrong and what works."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from nix_trinity.api.messages import AskRequest, FeedbackRequest
from nix_trinity.errors import RequestError

Message = TypeVar("Message", bound=msgspec.Struct)


def decode(body: bytes, kind: type[Message]) -> Message:
    """Read a request's body.

    :raises RequestError: ``bad_json`` or ``bad_request``; names the field.
    """
    if not body.strip():
        raise RequestError("The request has no body.", f"Send JSON: {example(kind)}", code="bad_json")
    try:
        message = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        name = where.rstrip("`").lstrip(".")
        raise RequestError(
            f"{f'Field {name!r}: ' if name else ''}{what[0].lower() if name else what[0]}{what[1:]}.",
            f"{_choices(kind, name)}Known fields: {', '.join(field.encode_name for field in msgspec.structs.fields(kind))}."
            f" Example: {example(kind)}",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(
            f"The request's body is not valid JSON in UTF-8: {error}.",
            f"Send JSON: {example(kind)}",
            code="bad_json",
        ) from error
    return message


def _choices(kind: type[msgspec.Struct], name: str) -> str:
    """What a field may be, where that is a few words."""
    for field in msgspec.structs.fields(kind):
        if field.encode_name == name and get_origin(field.type) is Literal:
            return f"It is one of: {', '.join(map(str, get_args(field.type)))}. "
    return ""


def check_text(text: str, *, field: str, most: int) -> None:
    """Refuse what no text should have in it.

    :raises RequestError: ``too_large``, ``nul_byte`` or ``bad_text``.
    """
    if len(text) > most:
        raise RequestError(
            f"Field {field!r} has {len(text)} characters; the limit is {most}.",
            "Send only the part that matters; pipe long text in, where both ends of it are used.",
            code="too_large",
        )
    if "\0" in text:
        raise RequestError(
            f"Field {field!r} has a NUL byte in it.",
            "Take it out, for example with: tr -d '\\000'",
            code="nul_byte",
        )
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestError(
            f"Field {field!r} has half of a surrogate pair in it, which is no character.",
            "Send the text as UTF-8.",
            code="bad_text",
        ) from None


def example(kind: type[msgspec.Struct]) -> str:
    """A body that works, for error hints; other rooms' messages have their own in ``EXAMPLE``."""
    examples: dict[type[msgspec.Struct], dict[str, Any]] = {
        AskRequest: {"question": "How do I enable SSH?"},
        FeedbackRequest: {"verdict": "good"},
    }
    return msgspec.json.encode(examples.get(kind) or getattr(kind, "EXAMPLE", {})).decode()
