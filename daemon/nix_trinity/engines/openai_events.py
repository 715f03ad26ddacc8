"""What a server with OpenAI's API streams: bytes to server-sent events, and these to pieces of an answer.

https://html.spec.whatwg.org/multipage/server-sent-events.html and OpenAI's chat.completion.chunk, as leniently as
servers write them. Nothing here waits for anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_LINE_BYTES = 1 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r")
_DONE = "[DONE]"


class EventDecoder:
    """Cuts a stream's bytes into the data of its events; comments and other fields are passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._seen = 0
        self._data: list[str] = []

    def feed(self, block: bytes) -> Iterator[str]:
        """The events that are whole now.

        :raises ValueError: a line is longer than any event, or not UTF-8.
        """
        self._rest += block
        start = 0
        # Not again what was looked through before: a long line may come in small blocks.
        for end in _LINE_END.finditer(self._rest, self._seen):
            # A carriage return at the very end may be the first half of a line's end.
            if end[0] == b"\r" and end.end() == len(self._rest):
                break
            yield from self._line(self._rest[start : end.start()])
            start = end.end()
        del self._rest[:start]
        self._seen = max(0, len(self._rest) - 1)
        if len(self._rest) > _MOST_LINE_BYTES:
            raise ValueError(f"a line of more than {_MOST_LINE_BYTES:,} bytes")

    def close(self) -> Iterator[str]:
        """What a stream that ended without its last empty line has left.

        :raises ValueError: see :meth:`feed`.
        """
        yield from self._line(self._rest.rstrip(b"\r"))
        yield from self._line(bytearray())

    def _line(self, line: bytearray) -> Iterator[str]:
        text = line.decode("utf-8").removeprefix("\ufeff")
        if not text:
            if self._data:
                yield "\n".join(self._data)
            self._data = []
            return
        name, _, value = text.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))


@dataclass(frozen=True, slots=True)
class Piece:
    """One event of an answer. Tokens as the server counted; None where it does not say."""

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    tool: str | None = None
    """The name of a tool that the model asks for ('' where it has none)."""
    done: bool = False
    """Nothing follows."""
    error: Any = None
    """What the server says went wrong in the middle."""


def read_event(data: str) -> Piece:
    """Read the data of one event.

    :raises ValueError: it is no JSON object, or not of the form that the API has.
    """
    if data.strip() == _DONE:
        return Piece(done=True)
    return read_completion(json.loads(data))


def read_completion(answer: object) -> Piece:
    """Read a chunk, or a whole answer of a server that does not stream.

    :raises ValueError: it is not of the form that the API has.
    """
    if not isinstance(answer, dict):
        raise ValueError(f"{str(answer)[:80]!r} where an object was to be")  # noqa: TRY004 (the protocol is at fault)
    if answer.get("error"):
        return Piece(error=answer["error"])
    choices = answer.get("choices")
    if choices is not None and not isinstance(choices, list):
        raise ValueError("choices that are no list")
    first = choices[0] if choices else {}
    message = (first.get("delta") or first.get("message") or {}) if isinstance(first, dict) else None
    if not isinstance(message, dict):
        raise ValueError("a choice without a message")  # noqa: TRY004
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Piece(
        text=_text(message.get("content")) + _text(message.get("refusal")),
        finish_reason=first.get("finish_reason") if isinstance(first.get("finish_reason"), str) else None,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        answer_tokens=_count(usage.get("completion_tokens")),
        tool=_tool(message),
    )


def _text(content: object) -> str:
    """The words of a message, which may be given in parts."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    raise ValueError("content that is no text")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _tool(message: dict[str, Any]) -> str | None:
    calls = message.get("tool_calls")
    if calls:
        first = calls[0] if isinstance(calls, list) else None
        function = first.get("function") if isinstance(first, dict) else None
        return str(function.get("name") or "") if isinstance(function, dict) else ""
    old = message.get("function_call")
    return str(old.get("name") or "") if isinstance(old, dict) else None
