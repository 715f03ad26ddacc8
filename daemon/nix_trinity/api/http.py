"""What all routes share: reading a body within limits, and the one shape of errors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from nix_trinity.api.messages import ErrorDetail, ErrorReply
from nix_trinity.errors import BusyError, InternalError, RequestError, TrinityError

MOST_BODY_BYTES = 16 << 20
# What is too large is still read up to here before it is refused: a socket that is closed with bytes
# unread takes the refusal with it.
_MOST_DRAINED_BYTES = 64 << 20
_BODY_SECONDS = 30.0

_STATUS: Mapping[str, int] = {
    "bad_request": 400,
    "bad_json": 400,
    "bad_text": 400,
    "nul_byte": 400,
    "question_empty": 400,
    "unknown_role": 400,
    "ambiguous_id": 400,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "too_large": 413,
    "question_too_long": 413,
    "busy": 429,
    "engine_failed": 502,
    "engine_garbage": 502,
    "empty_answer": 502,
    "engine_unreachable": 503,
    "engine_busy": 503,
    "model_missing": 503,
    "storage_unavailable": 503,
    "shutting_down": 503,
    "engine_timeout": 504,
    "context_too_long": 413,
}


def status_of(error: TrinityError) -> int:
    """The HTTP status that goes with an error; 500 for a code that has none."""
    return _STATUS.get(error.stable_code, 500)


def detail(error: TrinityError) -> ErrorDetail:
    """An error as the protocol writes it."""
    return ErrorDetail(error.stable_code, error.message, error.hint)


def json_response(value: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON reply."""
    return Response(msgspec.json.encode(value) + b"\n", status, headers, media_type="application/json")


def error_response(error: TrinityError) -> Response:
    """An error reply; a busy one says when to try again."""
    headers = {"retry-after": str(error.retry_after_seconds)} if isinstance(error, BusyError) else None
    return json_response(ErrorReply(detail(error)), status_of(error), headers)


def wants_text(request: Request) -> bool:
    """Whether the client prefers words for a person over JSON."""
    return request.headers.get("accept", "").startswith("text/plain")


def text_response(text: str) -> Response:
    """Words for a person."""
    return PlainTextResponse(text)


async def read_body(request: Request) -> bytes:
    """The request's body.

    :raises RequestError: ``too_large``, or ``request_timeout`` for a client that sends only half of it.
    """
    blocks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for block in request.stream():
                size += len(block)
                if size <= MOST_BODY_BYTES:
                    blocks.append(block)
                elif size > _MOST_DRAINED_BYTES:
                    break
    except TimeoutError as error:
        raise RequestError(
            f"The request's body did not arrive whole within {_BODY_SECONDS:g} s.",
            "Send as many bytes as Content-Length says.",
            code="request_timeout",
        ) from error
    if size > MOST_BODY_BYTES:
        raise RequestError(
            f"The request's body is larger than {MOST_BODY_BYTES} bytes.",
            "Send only the part that matters.",
            code="too_large",
        )
    return b"".join(blocks)


async def on_trinity_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    assert isinstance(error, TrinityError)  # noqa: S101 (the only class it is registered for)
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what its router refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101 (the only class it is registered for)
    if error.status_code == 405:
        return error_response(
            RequestError(
                f"{request.url.path} does not take {request.method}.",
                f"It takes: {(error.headers or {}).get('Allow', 'another method')}. See GET /v1/openapi.json.",
                code="method_not_allowed",
            )
        )
    return error_response(
        RequestError(f"There is nothing at {request.url.path}.", "See GET /v1/openapi.json.", code="not_found")
    )


async def on_other_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for faults of our own; it goes on to log them."""
    return error_response(
        InternalError(
            f"NixTrinity itself failed ({type(error).__name__}).",
            "Please report it with the lines of: journalctl -u nix-trinity -e",
        )
    )
