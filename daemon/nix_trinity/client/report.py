"""Errors on their way to the terminal, and their exit codes."""

from __future__ import annotations

import sys

from nix_trinity.client.wire import Refusal, Reply

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
    "engine_timeout": 6,
    "model_missing": 7,
}


def tell(message: str) -> None:
    """Write a line to standard error."""
    sys.stdout.flush()
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def refusal_of(error: dict[str, str]) -> Refusal:
    """The protocol's error as what ends the command."""
    return Refusal(_EXIT_CODES.get(error.get("code", ""), 1), error.get("message", ""), error.get("hint", ""))


def checked(reply: Reply) -> Reply:
    """Return the reply if it is a success.

    :raises Refusal: it is not; says what the daemon said.
    """
    if reply.status < 400:
        return reply
    import json

    try:
        error = json.loads(reply.body())["error"]
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            1, f"What answers on this socket is not NixTrinity (status {reply.status}).", "Check NIX_TRINITY_SOCKET."
        ) from None
    raise refusal_of(error)
