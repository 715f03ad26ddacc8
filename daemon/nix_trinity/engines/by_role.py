"""One engine in front of several: each role's models are on the engine that the configuration gives the role."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from nix_trinity.engines.definitions import Definitions
from nix_trinity.engines.protocol import ChatChunk, ChatRequest, CreateRequest, Engine, InstalledModel, ModelDetails
from nix_trinity.errors import EngineError, ModelMissingError

# ``nix-<role>``, and of a version ``nix-<role>-YYYYMMDD`` with what follows.
_ROLE_MODEL = re.compile(r"nix-([a-z]+)(?:-[0-9]{8}(?:-[0-9]+)?)?(?::latest)?", re.IGNORECASE)

_log = structlog.get_logger("engine")


@dataclass(frozen=True, slots=True)
class Part:
    """One engine, and the roles that it is for. One without roles holds versions of before, or makes vectors only."""

    engine: Engine
    roles: tuple[str, ...]


class ByRole:
    """See :class:`~nix_trinity.engines.protocol.Engine`. The first part is asked for what belongs to no role."""

    kind = "several"
    url = ""

    def __init__(
        self,
        parts: Sequence[Part],
        definitions: Definitions,
        *,
        embedding_model: str = "",
        embedding: Engine | None = None,
    ) -> None:
        """``definitions`` are those that all servers with OpenAI's API share."""
        self.parts = tuple(parts)
        self._definitions = definitions
        self.label = " and ".join(part.engine.label for part in self.parts)
        self._roles: Mapping[str, Engine] = {role: part.engine for part in parts for role in part.roles}
        self._embedding_model = embedding_model
        self._embedding = embedding

    def of(self, model: str) -> Engine:
        """See Engine."""
        found = _ROLE_MODEL.fullmatch(model)
        if found is not None and found[1].lower() in self._roles:
            return self._roles[found[1].lower()]
        if self._embedding is not None and model == self._embedding_model:
            return self._embedding
        return self.parts[0].engine

    def remedy(self, model: str) -> str:
        """See Engine."""
        return self.of(model).remedy(model)

    async def version(self) -> str:
        """See Engine: of each."""
        return ", ".join([await part.engine.version() for part in self.parts])

    async def list_models(self) -> Sequence[InstalledModel]:
        """All models of all engines, a name once: of a role, the one on the role's own engine.

        :raises EngineError: one of the engines cannot be asked. Half a list would let what is on the other seem gone.
        """
        found = {model.name: model for model in await self._definitions.installed()}
        for part in self.parts:
            for model in await part.engine.list_models():
                name = model.name.lower().removesuffix(":latest")
                if name not in found or self.of(name) is part.engine:
                    found[name] = model
        return list(found.values())

    async def show(self, model: str) -> ModelDetails:
        """See Engine."""
        return await self.of(model).show(model)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See Engine."""
        async with aclosing(self.of(request.model).chat(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See Engine."""
        return await (self._embedding or self.of(model)).embed(model, texts)

    async def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:
        """See Engine."""
        async with aclosing(self.of(request.name).create(request)) as progress:
            async for line in progress:
                yield line
        await self._tidied(request.name)

    async def preload(self, model: str, num_ctx: int) -> None:
        """See Engine."""
        await self.of(model).preload(model, num_ctx)

    async def copy(self, source: str, destination: str) -> None:
        """See Engine. Both names are one role's."""
        await self.of(destination).copy(source, destination)
        await self._tidied(destination)

    async def delete(self, model: str) -> None:
        """Remove a name wherever it is: a version of before a role changed its engine holds texts too.

        :raises ModelMissingError: it is nowhere. :raises EngineError: one of the engines cannot be asked.
        """
        removed = _ROLE_MODEL.fullmatch(model) is not None and await self._definitions.delete(model)
        missing: ModelMissingError | None = None
        for engine in self._holders(model):
            try:
                await engine.delete(model)
            except ModelMissingError as error:
                missing = missing or error
            else:
                removed = True
        if missing is not None and not removed:
            raise missing

    async def close(self) -> None:
        """See Engine."""
        for part in self.parts:
            await part.engine.close()

    async def _tidied(self, model: str) -> None:
        """Remove what a role's name still is on the engine that the role left; what cannot be asked is let be."""
        own = self.of(model)
        if own.kind != "openai" and _ROLE_MODEL.fullmatch(model) is not None:
            await self._definitions.delete(model)
        for engine in self._holders(model):
            if engine is own:
                continue
            try:
                await engine.delete(model)
            except ModelMissingError:
                continue
            except EngineError as error:
                _log.info("an engine that the role left was not tidied", model=model, error=error.message)

    def _holders(self, model: str) -> list[Engine]:
        """The engines that may hold a model besides the folder of definitions, its own first."""
        own = self.of(model)
        if _ROLE_MODEL.fullmatch(model) is None:
            return [own]
        others = [part.engine for part in self.parts if part.engine is not own and part.engine.kind != "openai"]
        return [own, *others]
