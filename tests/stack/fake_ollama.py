"""A stand-in for Ollama at a loopback port, for faults that no real server can be made to show.

It speaks the part of the API that the daemon uses and records every request. What becomes of a chat is a
function that a test sets: see :func:`answers`, :func:`refuses`, :func:`in_turn`, or write one on :class:`Call`.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.stack.fake_http import POLL_SECONDS, FakeCall, FakeHandler, StandIn
from tests.stack.fake_http import in_turn as in_turn

BASE = "base:1b"
"""The one model that is there from the beginning."""

_TEMPLATE = "{{ .Prompt }}"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came; ``at`` is :func:`time.monotonic`, in seconds."""

    path: str
    body: Mapping[str, Any]
    at: float


@dataclass(slots=True)
class Model:
    """What a model is made of; all of them share one set of weights."""

    system: str = ""
    template: str = _TEMPLATE
    messages: list[dict[str, str]] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What it is known by; another one for every change."""
        content = json.dumps([self.system, self.template, self.messages, self.parameters], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


class Call(FakeCall):
    """One chat or creation that is being answered; what a behaviour is handed."""

    def refuse(self, status: int, error: str) -> None:
        """Answer with an HTTP error in Ollama's form."""
        self._handler.reply({"error": error}, status)

    def start(self) -> None:
        """Begin a stream."""
        self._handler.begin_stream()

    def say(self, *words: str, pause: float = 0.0) -> None:
        """Send a line for each word, after ``pause`` seconds each.

        :raises ClientGoneError: the client has gone.
        """
        for word in words:
            self.wait(pause)
            self._line({"message": {"role": "assistant", "content": word}, "done": False})

    def end(self, *, prompt_tokens: int | None = None, answer_tokens: int = 7, reason: str = "stop") -> None:
        """Send the last line; by default with a prompt count as a real tokenizer would have it."""
        counted = self._handler.fake.prompt_tokens(self.body) if prompt_tokens is None else prompt_tokens
        last = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": reason}
        self._line({**last, "prompt_eval_count": counted, "eval_count": answer_tokens, "load_duration": 0})
        self._handler.end_stream()

    def wait_for(self, event: threading.Event) -> None:
        """Say nothing until a test sets ``event``.

        :raises ClientGoneError: the client has gone.
        """
        while not event.is_set():
            self._handler.check_peer(POLL_SECONDS)

    def _line(self, content: Mapping[str, Any]) -> None:
        line = {"model": self.body["model"], "created_at": "2025-01-01T00:00:00Z", **content}
        self.raw(json.dumps(line).encode() + b"\n")


Behaviour = Callable[[Call], None]


def answers(*words: str, pause: float = 0.0, prompt_tokens: int | None = None) -> Behaviour:
    """Answer in so many pieces, with ``pause`` seconds before each."""

    def behave(call: Call) -> None:
        call.start()
        call.say(*words, pause=pause)
        call.end(prompt_tokens=prompt_tokens)

    return behave


def refuses(status: int, error: str) -> Behaviour:
    """Answer with an HTTP error."""
    return lambda call: call.refuse(status, error)


FINE = answers("A flake is ", "a folder with ", "a lock file.")


class FakeOllama(StandIn):
    """The stand-in, from ``with`` to the end of its block. ``chat`` and ``making`` may be set at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.version = "0.17.4"
        self.models: dict[str, Model] = {BASE: Model()}
        self.requests: list[Received] = []
        self.most_at_once = 0
        self.chat: Behaviour = FINE
        self.making: Behaviour | None = None
        """In place of making the model that /api/create is asked for."""
        self._at_once = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """What the daemon is to be given."""
        return self.address

    @property
    def chats(self) -> list[Mapping[str, Any]]:
        """The bodies of all chats so far."""
        return [request.body for request in self.requests if request.path == "/api/chat"]

    def reset(self) -> None:
        """Forget what was recorded, and answer as if all were well; the models stay."""
        self.requests, self.closed, self.most_at_once = [], [], 0
        self.chat, self.making = FINE, None

    def prompt_tokens(self, body: Mapping[str, Any]) -> int:
        """About as many tokens as a real tokenizer counts: the model's own texts and the request's messages."""
        model = self.models[_full(str(body["model"]))]
        texts = [model.system, *(message["content"] for message in [*model.messages, *body["messages"]])]
        return sum(len(text) for text in texts) // 4 + 4 * len(texts)

    def handle(self, handler: FakeHandler, path: str, body: Mapping[str, Any]) -> None:
        """Answer one request."""
        self.requests.append(Received(path, body, time.monotonic()))
        match path:
            case "/api/version":
                handler.reply({"version": self.version})
            case "/api/tags":
                handler.reply({"models": [_listed(name, model) for name, model in self.models.items()]})
            case "/api/show" if (name := _full(str(body["model"]))) in self.models:
                handler.reply(_shown(self.models[name]))
            case "/api/create":
                self._create(handler, body)
            case "/api/chat" if _full(str(body["model"])) in self.models:
                self._chat(handler, body)
            case "/api/copy" if (name := _full(str(body["source"]))) in self.models:
                self.models[_full(str(body["destination"]))] = self.models[name]
                handler.reply({})
            case "/api/delete" if (name := _full(str(body["model"]))) in self.models:
                del self.models[name]
                handler.reply({})
            case "/api/embed":
                texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
                handler.reply({"model": body["model"], "embeddings": [_vector(text) for text in texts]})
            case _:
                handler.reply({"error": f"model '{body.get('model', path)}' not found"}, 404)

    def _create(self, handler: FakeHandler, body: Mapping[str, Any]) -> None:
        if self.making is not None:
            self.making(Call(handler, body))
            return
        base = self.models[_full(str(body["from"]))]
        self.models[_full(str(body["model"]))] = Model(
            system=body.get("system", base.system),
            template=body.get("template", base.template),
            messages=body.get("messages", base.messages),
            parameters={**base.parameters, **body.get("parameters", {})},
        )
        handler.begin_stream()
        handler.chunk(b'{"status": "success"}\n')
        handler.end_stream()

    def _chat(self, handler: FakeHandler, body: Mapping[str, Any]) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.behave(self.chat, Call(handler, body))
        finally:
            with self._lock:
                self._at_once -= 1


def _full(name: str) -> str:
    return name if ":" in name else f"{name}:latest"


def _listed(name: str, model: Model) -> dict[str, Any]:
    return {"name": name, "model": name, "digest": model.digest, "size": 1000, "modified_at": "2025-01-01T00:00:00Z"}


def _shown(model: Model) -> dict[str, Any]:
    lines = [
        f"{name}    {json.dumps(one)}"
        for name, value in model.parameters.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return {
        "modelfile": f"FROM /models/blobs/sha256-{'0' * 64}\n",
        "system": model.system,
        "template": model.template,
        "messages": model.messages,
        "parameters": "\n".join(lines),
        "model_info": {"fake.context_length": 8192},
    }


def _vector(text: str) -> list[float]:
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()]
