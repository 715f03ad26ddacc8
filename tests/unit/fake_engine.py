"""An engine at its seam: models in a dict, digests of their content, and faults or deaths at a chosen call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nix_trinity.atomic_files import DiskFiles
from nix_trinity.engines.protocol import (
    ChatChunk,
    ChatMessage,
    ChatRequest,
    CreateRequest,
    InstalledModel,
    ModelDetails,
    ParameterValue,
    Usage,
)
from nix_trinity.errors import ModelMissingError

BASE = "base:1b"


class DiedError(BaseException):
    """The machine went off: nothing that handles errors may run."""


@dataclass(frozen=True, slots=True)
class FakeModel:
    """What a model is made of. Licenses and adapters grow at each creation, as in Ollama."""

    weights: str = "sha256-base"
    system: str = "The base's own words."
    template: str = "{{ .Prompt }}"
    messages: tuple[ChatMessage, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    licenses: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        content = [
            *(self.weights, self.system, self.template, [[m.role, m.content] for m in self.messages]),
            *(dict(self.parameters), self.licenses, self.adapters),
        ]
        return "sha256:" + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Machine:
    """Counts the steps of engine and disk together; dies before, in the middle of or after a chosen one."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.die_at: int | None = None
        self.die_when = "before"
        self.fail: dict[str, BaseException] = {}
        """By the step's first word or whole: what is raised in place of doing it."""
        self.on_step: Callable[[str], object] | None = None

    def step(self, what: str, half: Callable[[], None], whole: Callable[[], None]) -> None:
        number = len(self.steps)
        self.steps.append(what)
        dies = number == self.die_at
        if dies and self.die_when == "before":
            raise DiedError(what)
        error = self.fail.get(what) or self.fail.get(what.split()[0])
        if error is not None:
            raise error
        if dies and self.die_when == "half":
            half()
            raise DiedError(what)
        whole()
        if dies:
            raise DiedError(what)
        if self.on_step is not None:
            self.on_step(what)


class FakeEngine:
    """The engine protocol on a dict. Names are compared as Ollama does."""

    kind = "ollama"
    url = "http://127.0.0.1:11434"
    label = f"Ollama at {url}"

    def of(self, model: str) -> FakeEngine:  # noqa: ARG002 (the protocol's)
        return self

    def remedy(self, model: str) -> str:
        return f"Get it with: ollama pull {model}"

    def __init__(self, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()
        self.models: dict[str, FakeModel] = {BASE: FakeModel()}
        self.created: list[CreateRequest] = []
        self.chats: list[ChatRequest] = []
        self.preloaded: list[tuple[str, int]] = []
        self.spoils: Callable[[FakeModel], FakeModel] = lambda model: model
        """What becomes of a model that is made."""

    async def source(self) -> FakeEngine:
        return self

    async def version(self) -> str:
        return "0.17.4"

    async def list_models(self) -> Sequence[InstalledModel]:
        self.machine.step("list", _nothing, _nothing)
        return [
            InstalledModel(name if ":" in name else f"{name}:latest", model.digest, 98_000_000)
            for name, model in self.models.items()
        ]

    async def show(self, model: str) -> ModelDetails:
        self.machine.step(f"show {model}", _nothing, _nothing)
        found = self._model(model)
        return ModelDetails(
            *(model, found.weights, found.template, found.system, found.messages, dict(found.parameters), 8192)
        )

    async def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        self.machine.step(f"chat {request.model}", _nothing, _nothing)
        self._model(request.model)
        self.chats.append(request)
        yield ChatChunk("Hello.", Usage(3, 1, "stop"))

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self._model(model)
        return [[0.0] for _ in texts]

    async def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:
        base = self._model(request.base)
        self.created.append(request)
        made = replace(
            base,
            system=base.system if request.system is None else request.system,
            template=base.template if request.template is None else request.template,
            messages=request.messages or base.messages,
            parameters={**base.parameters, **request.parameters},
            licenses=base.licenses + request.licenses,
            adapters=base.adapters + request.adapters,
        )
        self.machine.step(f"create {request.name}", _nothing, lambda: self._put(request.name, self.spoils(made)))
        yield "success"

    async def preload(self, model: str, num_ctx: int) -> None:
        self.machine.step(f"preload {model}", _nothing, _nothing)
        self._model(model)
        self.preloaded.append((model, num_ctx))

    async def copy(self, source: str, destination: str) -> None:
        found = self._model(source)
        # Ollama writes the copy in place: half of it is a model that is not listed.
        self.machine.step(
            f"copy {source} {destination}",
            lambda: self._drop(destination),
            lambda: self._put(destination, found),
        )

    async def delete(self, model: str) -> None:
        self._model(model)
        self.machine.step(f"delete {model}", _nothing, lambda: self._drop(model))

    async def close(self) -> None:
        """Nothing is open."""

    def _model(self, name: str) -> FakeModel:
        found = self.models.get(_key(name))
        if found is None:
            raise ModelMissingError(f"The engine was asked for {name!r}, which it has not.", "")
        return found

    def _put(self, name: str, model: FakeModel) -> None:
        self.models[_key(name)] = model

    def _drop(self, name: str) -> None:
        self.models.pop(_key(name), None)


class FakeDisk:
    """Real files, on a machine that may die at each."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._files = DiskFiles()

    def write(self, path: Path, content: bytes) -> None:
        self._machine.step(
            f"write {path.name}",
            lambda: _torn(path, content),
            lambda: self._files.write(path, content),
        )

    def remove(self, path: Path) -> None:
        self._machine.step(f"remove {path.name}", _nothing, lambda: self._files.remove(path))


def _torn(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f".{path.name}.tmp").write_bytes(content[: len(content) // 2])


def _key(name: str) -> str:
    return name.lower().removesuffix(":latest")


def _nothing() -> None:
    """Reads leave nothing behind."""
