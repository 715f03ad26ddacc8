"""What all routes share: reading a body within limits, and the one shape of errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from nix_trinity.api.messages import ErrorDetail, ErrorReply
from nix_trinity.api.openai_errors import RIGHT_PATHS, is_openai, openai_error, worth_retrying
from nix_trinity.errors import BusyError, InternalError, RequestError, TrinityError

MOST_BODY_BYTES = 16 << 20
# What is too large is still read up to here before it is refused: a socket that is closed with bytes
# unread takes the refusal with it.
_MOST_DRAINED_BYTES = 64 << 20
_BODY_SECONDS = 30.0
MOST_IMPORT_BYTES = 64 << 20
MOST_LINE_BYTES = 4 << 20

Value = TypeVar("Value", bound=msgspec.Struct)

_STATUS: Mapping[str, int] = {
    "bad_request": 400,
    "bad_json": 400,
    "bad_text": 400,
    "nul_byte": 400,
    "question_empty": 400,
    "unknown_role": 400,
    "content_unsupported": 400,
    "ambiguous_id": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "origin_refused": 403,
    "not_found": 404,
    "model_not_found": 404,
    "answer_changed": 409,
    "already_deployed": 409,
    "never_deployed": 409,
    "version_removed": 409,
    "smoke_failed": 502,
    "model_differs": 502,
    "copy_differs": 502,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "too_large": 413,
    "question_too_long": 413,
    "host_refused": 421,
    "busy": 429,
    "engine_failed": 502,
    "engine_garbage": 502,
    "empty_answer": 502,
    "engine_unreachable": 503,
    "engine_off": 503,
    "engine_unauthorized": 503,
    "engine_busy": 503,
    "model_missing": 503,
    "storage_unavailable": 503,
    "options_missing": 503,
    "shutting_down": 503,
    "host_unavailable": 503,
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


def error_response_at(path: str, error: TrinityError) -> Response:
    """An error reply in the shape that the clients of a path know: ours, or OpenAI's."""
    if not is_openai(path):
        return error_response(error)
    response = json_response(openai_error(error, status_of(error)), status_of(error))
    if isinstance(error, BusyError):
        response.headers["retry-after"] = str(error.retry_after_seconds)
    if not worth_retrying(error):
        # OpenAI's own clients ask again twice at a 5xx; each time would be a question, and a row.
        response.headers["x-should-retry"] = "false"
    return response


def wants_text(request: Request) -> bool:
    """Whether the client prefers words for a person over JSON."""
    return request.headers.get("accept", "").startswith("text/plain")


def text_response(text: str) -> Response:
    """Words for a person."""
    return PlainTextResponse(text)


def reply(request: Request, value: Value, in_words: Callable[[Value], str]) -> Response:
    """JSON, or words where the client prefers them."""
    return text_response(in_words(value)) if wants_text(request) else json_response(value)


def whole_number(request: Request, name: str, *, usual: int, most: int) -> int:
    """A number of the query from 1 on.

    :raises RequestError: it is none.
    """
    given: str = request.query_params.get(name, str(usual))
    if not given.isascii() or not given.isdigit() or len(given) > 9 or not 1 <= int(given) <= most:
        raise RequestError(f"{name}={given[:40]!r} is not a number from 1 to {most}.", f"For example: ?{name}={usual}")
    return int(given)


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


async def body_lines(request: Request) -> AsyncGenerator[bytes, None]:
    """The request's lines as they come, without their ends, at most MOST_IMPORT_BYTES in all.

    :raises RequestError: ``too_large``, or ``request_timeout`` for a client that falls silent. What came before
        was handed out already.
    """
    size = 0
    rest = b""
    blocks = aiter(request.stream())
    while (block := await _next_block(blocks)) is not None:
        size += len(block)
        *lines, rest = (rest + block).split(b"\n")
        if size > MOST_IMPORT_BYTES or len(rest) > MOST_LINE_BYTES:
            raise await _too_large(blocks, size)
        for line in lines:
            yield line
    if rest:
        yield rest


async def _next_block(blocks: AsyncIterator[bytes]) -> bytes | None:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await anext(blocks, None)
    except TimeoutError as error:
        raise RequestError(
            f"Nothing more of the request's body came for {_BODY_SECONDS:g} s.",
            "Send as many bytes as Content-Length says.",
            code="request_timeout",
        ) from error


async def _too_large(blocks: AsyncIterator[bytes], size: int) -> RequestError:
    while size <= MOST_IMPORT_BYTES + _MOST_DRAINED_BYTES and (block := await _next_block(blocks)) is not None:
        size += len(block)
    return RequestError(
        f"The body is larger than {MOST_IMPORT_BYTES} bytes, or a line of it than {MOST_LINE_BYTES}.",
        "Send it in parts; lines that were imported already are not imported twice.",
        code="too_large",
    )


async def on_trinity_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for our own errors."""
    assert isinstance(error, TrinityError)  # noqa: S101 (the only class it is registered for)
    return error_response_at(request.url.path, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for what its router refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101 (the only class it is registered for)
    if error.status_code == 405:
        return error_response_at(
            request.url.path,
            RequestError(
                f"{request.url.path} does not take {request.method}.",
                f"It takes: {(error.headers or {}).get('Allow', 'another method')}. See GET /v1/openapi.json.",
                code="method_not_allowed",
            ),
        )
    hint = RIGHT_PATHS if is_openai(request.url.path) else "See GET /v1/openapi.json."
    return error_response_at(
        request.url.path, RequestError(f"There is nothing at {request.url.path}.", hint, code="not_found")
    )


async def on_other_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for faults of our own; it goes on to log them."""
    return error_response_at(
        request.url.path,
        InternalError(
            f"NixTrinity itself failed ({type(error).__name__}).",
            "Please report it with the lines of: journalctl -u nix-trinity -e",
        ),
    )
