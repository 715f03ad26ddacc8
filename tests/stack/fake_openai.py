"""A stand-in for a server with OpenAI's API at a loopback port, for faults that no real server shows when asked to.

It records every request. What becomes of a chat is a function that a test sets: see :func:`answers`,
:func:`refuses`, :func:`in_turn`, or write one on :class:`Call`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.stack.fake_http import ClientGoneError, FakeCall, FakeHandler, StandIn
from tests.stack.fake_http import in_turn as in_turn

BASE = "served-7b"
"""The one model that is there from the beginning."""
EMBEDDING = "served-embed"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; ``at`` is :func:`time.monotonic`, in seconds."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float


class Call(FakeCall):
    """One chat that is being answered; what a behaviour is handed."""

    def refuse(self, status: int, message: str, *, headers: Mapping[str, str] | None = None, **more: object) -> None:
        """Answer with an HTTP error in OpenAI's form."""
        self._handler.reply({"error": {"message": message, **more}}, status, headers)

    def reply(self, content: object) -> None:
        """Answer with JSON at once, as a server does that does not stream."""
        self._handler.reply(content)

    def start(self) -> None:
        """Begin a stream, with the chunk that names the speaker."""
        self._handler.begin_stream("text/event-stream")
        self.event(delta={"role": "assistant", "content": ""})

    def say(self, *words: str, pause: float = 0.0) -> None:
        """Send an event for each word, after ``pause`` seconds each.

        :raises ClientGoneError: the client has gone.
        """
        for word in words:
            self.wait(pause)
            self.event(delta={"content": word})

    def end(self, *, reason: str = "stop", prompt_tokens: int | None = None, answer_tokens: int = 7) -> None:
        """Send the reason, the usage where it was asked for, and the last line."""
        self.event(delta={}, finish_reason=reason)
        if (self.body.get("stream_options") or {}).get("include_usage"):
            counted = self.counted() if prompt_tokens is None else prompt_tokens
            usage = {"prompt_tokens": counted, "completion_tokens": answer_tokens}
            self.data({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self.raw(b"data: [DONE]\n\n")
        self._handler.end_stream()

    def hang_up(self) -> None:
        """Close the connection in the middle."""
        raise ClientGoneError

    def event(self, *, delta: Mapping[str, object], finish_reason: str | None = None) -> None:
        """Send one chunk."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.data({"id": "c", "object": "chat.completion.chunk", "model": self.body["model"], "choices": [choice]})

    def data(self, content: object) -> None:
        """Send any JSON as an event."""
        self.raw(b"data: " + json.dumps(content).encode() + b"\n\n")

    def counted(self) -> int:
        """About as many tokens as a real tokenizer counts."""
        texts = [str(message["content"]) for message in self.body["messages"]]
        return sum(len(text) for text in texts) // 4 + 4 * len(texts)


Behaviour = Callable[[Call], None]


def answers(*words: str, pause: float = 0.0) -> Behaviour:
    """Answer in so many pieces, with ``pause`` seconds before each."""

    def behave(call: Call) -> None:
        call.start()
        call.say(*words, pause=pause)
        call.end()

    return behave


def refuses(status: int, message: str, *, headers: Mapping[str, str] | None = None, **more: object) -> Behaviour:
    """Answer with an HTTP error."""
    return lambda call: call.refuse(status, message, headers=headers, **more)


def without(field: str, then: Behaviour, *, status: int = 400, message: str = "") -> Behaviour:
    """Refuse requests that have a field, as servers do that do not know it."""

    def behave(call: Call) -> None:
        if field in call.body:
            call.refuse(status, message or f"Unsupported parameter: '{field}'.", param=field)
        else:
            then(call)

    return behave


FINE = answers("A flake is ", "a folder with ", "a lock file.")


class FakeOpenAI(StandIn):
    """The stand-in, from ``with`` to the end of its block. ``chat`` and the rest may be set at any time."""

    def __init__(self, *, key: str = "") -> None:
        super().__init__()
        self.key = key
        """What requests have to bring; '' for nothing."""
        self.models: list[dict[str, Any]] = [{"id": BASE, "object": "model"}, {"id": EMBEDDING, "object": "model"}]
        self.lists_models = True
        self.dimensions = 8
        self.requests: list[Received] = []
        self.chat: Behaviour = FINE

    @property
    def url(self) -> str:
        """What the daemon is to be given."""
        return f"{self.address}/v1"

    @property
    def chats(self) -> list[Mapping[str, Any]]:
        """The bodies of all chats so far."""
        return [request.body for request in self.requests if request.path == "/v1/chat/completions"]

    def reset(self) -> None:
        """Forget what was recorded, and answer as if all were well."""
        self.requests, self.closed, self.chat, self.key = [], [], FINE, ""

    def handle(self, handler: FakeHandler, path: str, body: Mapping[str, Any]) -> None:
        """Answer one request."""
        self.requests.append(Received(path, body, dict(handler.headers), time.monotonic()))
        if self.key and handler.headers.get("Authorization") != f"Bearer {self.key}":
            handler.reply({"error": {"message": f"Incorrect API key provided: {self.key[:6]}***"}}, 401)
        elif path == "/v1/models" and self.lists_models:
            handler.reply({"object": "list", "data": self.models})
        elif path == "/v1/embeddings":
            texts = body["input"]
            data = [{"index": n, "embedding": self._vector(text)} for n, text in enumerate(texts)]
            handler.reply({"object": "list", "data": data[::-1]})
        elif path == "/v1/chat/completions" and body["model"] in {model["id"] for model in self.models}:
            self.behave(self.chat, Call(handler, body))
        else:
            message = f"The model `{body.get('model', path)}` does not exist."
            handler.reply({"error": {"message": message, "code": "model_not_found"}}, 404)

    def _vector(self, text: str) -> list[float]:
        content = (text.encode() * self.dimensions)[: self.dimensions].ljust(self.dimensions, b"x")
        return [byte / 255 for byte in content]
