"""Errors as the clients of OpenAI's API expect them.

Most of these programs show a person ``message`` and nothing else, so the hint is part of it there. ``code`` is ours.
"""

from __future__ import annotations

import msgspec

from nix_trinity.errors import BusyError, RequestError, TrinityError

# All that a client of OpenAI's may look for, also what is not here: it is to read why. And the same without /v1, which
# is what a base URL that lacks it makes of them.
_FAMILIES = ("chat", "completions", "models", "embeddings", "responses", "audio", "images", "moderations", "files")
_PREFIXES = tuple(f"{base}/{family}" for base in ("/v1", "") for family in _FAMILIES)
RIGHT_PATHS = (
    "Of OpenAI's API there are POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models: set the base URL to "
    "http://127.0.0.1:PORT/v1 and choose chat completions."
)
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# What is over by itself in a moment; all else fails the same way again.
_PASSING = frozenset({"busy", "engine_busy", "shutting_down"})


class OpenAIError(msgspec.Struct, frozen=True):
    """What happened and what to do next. ``hint`` is our addition; clients ignore it."""

    message: str
    type: str
    param: str | None
    code: str
    hint: str


class OpenAIErrorReply(msgspec.Struct, frozen=True):
    """The shape of errors on the paths of OpenAI's API."""

    error: OpenAIError


class FieldError(RequestError):
    """One field of a request is wrong; ``param`` is where, as messages[0].content."""

    def __init__(self, param: str, message: str, hint: str, *, code: str | None = None) -> None:
        super().__init__(message, hint, code=code)
        self.param = param


def is_openai(path: str) -> bool:
    """Whether a path belongs to OpenAI's API, be it here or not."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _PREFIXES)


def openai_error(error: TrinityError, status: int) -> OpenAIErrorReply:
    """An error with its HTTP status as OpenAI writes it."""
    kind = _TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    param = error.param or None if isinstance(error, FieldError) else None
    return OpenAIErrorReply(
        OpenAIError(f"{error.message} {error.hint}".strip(), kind, param, error.stable_code, error.hint)
    )


def worth_retrying(error: TrinityError) -> bool:
    """Whether asking again in a moment may help."""
    return isinstance(error, BusyError) or error.stable_code in _PASSING
