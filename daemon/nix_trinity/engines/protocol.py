"""What the product asks of a server that runs models.

Values are plain and frozen; errors are the EngineError family of :mod:`nix_trinity.errors`. An
implementation keeps three promises: every wait has a deadline, closing a stream closes the request
upstream, and ``num_ctx`` and ``keep_alive`` are the same in every call for one model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Speaker = Literal["system", "user", "assistant"]
ParameterValue = int | float | bool | str | list[str]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn of a conversation."""

    role: Speaker
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued. ``num_ctx`` and ``max_tokens`` are in tokens."""

    model: str
    messages: tuple[ChatMessage, ...]
    num_ctx: int
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    """A JSON schema that the answer has to follow, where the engine can hold a model to one."""
    temperature: float | None = None
    """None: as the model's own parameters say."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer cost. Tokens as the engine counted them; None where it did not say."""

    prompt_tokens: int | None
    answer_tokens: int | None
    finish_reason: str
    """``stop``: the model ended by itself; ``length``: it ran into ``max_tokens``."""
    load_milliseconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """A piece of an answer; the last one carries the usage."""

    text: str
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that the engine has. ``digest`` changes whenever the model does."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """What a model is made of."""

    name: str
    weights: str
    """What the weights are known by; equal for two models exactly when they share them."""
    template: str
    system: str
    messages: tuple[ChatMessage, ...]
    parameters: Mapping[str, ParameterValue]
    context_length: int | None
    """The longest context that the weights were made for, in tokens; None where it is not said."""


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A model to be made from another one. Messages replace inherited ones; none keeps them."""

    name: str
    base: str
    system: str | None = None
    template: str | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    messages: tuple[ChatMessage, ...] = ()
    licenses: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    """Paths of LoRA adapters (GGUF) that the daemon may read. They and licenses are added to inherited ones."""


class Engine(Protocol):
    """A server that runs models."""

    kind: str
    """``ollama``, ``openai``, ``off``; ``several`` for one that stands in front of others."""
    url: str
    label: str
    """What it is called in a sentence, with its address; equal for two exactly when they are one server."""

    def of(self, model: str) -> Engine:
        """The one engine that has this model, or would have it: itself, unless it stands in front of others."""
        ...

    def remedy(self, model: str) -> str:
        """What a person does to have this model there: a whole clause without its full stop, or with one and more."""
        ...

    async def version(self) -> str:
        """The server's version; loads nothing."""
        ...

    async def list_models(self) -> Sequence[InstalledModel]:
        """The models that are installed; loads nothing."""
        ...

    async def show(self, model: str) -> ModelDetails:
        """What a model is made of; loads nothing."""
        ...

    def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """Continue a conversation; closing the iterator stops the engine's work on it."""
        ...

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector for each text."""
        ...

    def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:
        """Make a model; yields what the server says while it works."""
        ...

    async def preload(self, model: str, num_ctx: int) -> None:
        """Load a model with a context of ``num_ctx`` tokens, so that the next question need not wait for it."""
        ...

    async def copy(self, source: str, destination: str) -> None:
        """Give a model a second name; no weights are copied."""
        ...

    async def delete(self, model: str) -> None:
        """Remove a name, and what no other name uses."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


EngineSource = Callable[[], Awaitable[Engine]]
"""Gives the engine when it is needed."""


class EngineLock(asyncio.Lock):
    """Held by whoever makes, copies or deletes a model: the server's own create and delete share no lock."""
