"""Errors on their way to the terminal, and their exit codes."""

from __future__ import annotations

import sys

from nix_trinity.client.wire import Refusal, Reply, cut_short, request, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_EXIT_CODES = {
    "bad_request": 2,
    "bad_json": 2,
    "bad_text": 2,
    "nul_byte": 2,
    "question_empty": 2,
    "question_too_long": 2,
    "too_large": 2,
    "unknown_role": 2,
    "ambiguous_id": 2,
    "forbidden": 4,
    "busy": 5,
    "engine_busy": 5,
    "engine_unreachable": 6,
    "engine_off": 6,
    "engine_unauthorized": 6,
    "engine_timeout": 6,
    "model_missing": 7,
}


def exit_code_of(code: object) -> int:
    """The exit code for an error's code; 0 when there was none."""
    return 0 if code is None else _EXIT_CODES.get(str(code), 1)


# A terminal obeys these; an answer may quote a log that has them in it. Line feeds and tabs are harmless.
_CONTROLS = dict.fromkeys([*(set(range(0x20)) - {9, 10}), *range(0x7F, 0xA0)], "\ufffd")


def harmless(text: str) -> str:
    """What a terminal may be sent: without the characters that it obeys."""
    return text.translate(_CONTROLS)


def tell(message: str, *, dim: bool = False) -> None:
    """Write a line to standard error, after all that was printed before it."""
    sys.stdout.flush()
    if sys.stderr.isatty():
        message = harmless(message)
    sys.stderr.write((f"\033[2m{message}\033[0m" if dim else message) + "\n")
    sys.stderr.flush()


def report(refusal: Refusal) -> None:
    """Write what went wrong and the next thing to do to standard error."""
    tell(f"error: {refusal.message}" + (f"\n  {refusal.hint}" if refusal.hint else ""))


def refusal_of(error: object) -> Refusal:
    """The protocol's error as what ends the command."""
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return stranger()
    code = error["code"]
    return Refusal(_EXIT_CODES.get(code, 1), str(error.get("message", "")), str(error.get("hint", "")), code)


def decoded(text: bytes) -> dict[str, Any]:
    """A JSON object.

    :raises Refusal: it is none, so the daemon did not write it.
    """
    import json

    try:
        value = json.loads(text)
    except ValueError:
        raise stranger() from None
    if not isinstance(value, dict):
        raise stranger()
    return value


def checked(reply: Reply) -> Reply:
    """Return the reply if it is a success.

    :raises Refusal: it is not; says what the daemon said.
    """
    if 200 <= reply.status < 300:
        return reply
    raise refusal_of(decoded(reply.body()).get("error"))


def events(blocks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come.

    :raises Refusal: the stream says that it cannot go on, or breaks off.
    """
    # Lines are cut from bytes: a block may end in the middle of a character.
    buffer = b""
    for block in blocks:
        buffer += block
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            event = decoded(line)
            if event.get("event") == "error":
                raise refusal_of(event.get("error"))
            yield event
    raise cut_short()


def show_reply(method: str, path: str, *, as_json: bool, body: bytes = b"") -> None:
    """Ask, and write the reply as it is: JSON, or the daemon's own words.

    :raises Refusal: see :func:`checked` and nix_trinity.client.wire.request.
    """
    accept = "application/json" if as_json else "text/plain"
    text = checked(request(method, path, body=body, accept=accept)).body().decode("utf-8", "replace")
    sys.stdout.write((harmless(text) if sys.stdout.isatty() else text).rstrip("\n") + "\n")
