"""A server with OpenAI's chat completions and embeddings: vLLM, llama.cpp's, llama-swap, LiteLLM, one in a cloud.

Such servers make no models. Ours are definitions (definitions.py): their system text and examples go before each
request's messages, the same each time, so that they stay in the server's prefix cache.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx

from nix_trinity.engines.deadlines import Deadlines
from nix_trinity.engines.definitions import Definition, Definitions, weights_of
from nix_trinity.engines.openai_faults import FieldRefusedError, missing, remedy, translate
from nix_trinity.engines.openai_form import asked_in_words, fault_of, found_json, repair_in_words
from nix_trinity.engines.openai_models import Served, read_served, read_vectors
from nix_trinity.engines.openai_request import Fields, body_of
from nix_trinity.engines.openai_wire import KeySource, OpenAIWire, never_finished
from nix_trinity.engines.protocol import (
    ChatChunk,
    ChatMessage,
    ChatRequest,
    CreateRequest,
    InstalledModel,
    ModelDetails,
    Usage,
)
from nix_trinity.errors import EngineError, EngineProtocolError, ModelMissingError


class OpenAIEngine:
    """The engine protocol on one server. ``url`` ends where ``/chat/completions`` follows."""

    kind = "openai"

    def __init__(
        self,
        url: str,
        definitions: Definitions,
        *,
        key: KeySource | None = None,
        deadlines: Deadlines | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self._wire = OpenAIWire(url, key=key, deadlines=deadlines or Deadlines(), transport=transport)
        self.label = self._wire.label
        self._definitions = definitions
        self._fields = Fields()
        self._served: Served | None = None

    def of(self, model: str) -> OpenAIEngine:  # noqa: ARG002 (the protocol's)
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        return self

    def remedy(self, model: str) -> str:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        return remedy(model)

    async def version(self) -> str:
        """What the server calls itself, where it does; asking it loads nothing."""
        _, headers = await self._models()
        return headers.get("x-litellm-version") or headers.get("server", "")

    async def list_models(self) -> Sequence[InstalledModel]:
        """The definitions, and the models that the server says it has."""
        served, _ = await self._models()
        return [*await self._definitions.installed(), *served.installed(self.url)]

    async def show(self, model: str) -> ModelDetails:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        definition = await self._definitions.find(model)
        served = self._served or (await self._models())[0]
        if definition is not None:
            return definition.details(model, served.context_length(definition.base))
        if not served.has(model):
            served, _ = await self._models()
        if not served.has(model):
            raise missing(self.url, model, served.names)
        return ModelDetails(model, weights_of(model, self.url), "", "", (), {}, served.context_length(model))

    async def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See :class:`~nix_trinity.engines.protocol.Engine`. An answer by a schema comes in one piece."""
        definition = await self._definition(request.model)
        if request.schema is not None:
            yield await self._form(request, request.schema, definition)
            return
        async with aclosing(self._answer(request, definition)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        while True:
            body = self._fields.kept(model, {"model": model, "input": list(texts), "encoding_format": "float"})
            try:
                answer = await self._wire.post("/embeddings", body, "embeddings")
            except FieldRefusedError as error:
                if not self._fields.refused(model, error.field, body):
                    raise
            else:
                break
        try:
            return read_vectors(answer, len(texts))
        except ValueError as error:
            raise translate(error, self.url) from error

    async def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:
        """Define a model. Nothing is asked of the server but whether it has the base."""
        if request.adapters:
            raise EngineError(
                f"{self.label} takes no adapter files, so {request.name} cannot have {request.adapters[0]}.",
                "Serve the model with its adapter there and name that model for the role, or give the role "
                'engine = "ollama".',
            )
        base = await self._definitions.find(request.base)
        if base is None:
            await self.show(request.base)
            base = Definition(base=request.base, server=self.url)
        await self._definitions.put(request.name, base.changed(request))
        yield "success"

    async def preload(self, model: str, num_ctx: int) -> None:
        """Nothing: what such a server keeps loaded is its own affair, and a question for one token may cost money."""

    async def copy(self, source: str, destination: str) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        await self._definitions.put(destination, await self._defined(source))

    async def delete(self, model: str) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`. Only a definition can be removed."""
        if not await self._definitions.delete(model):
            raise ModelMissingError(f"There is no definition {model!r}.", "See which there are: nix-trinity versions")

    async def close(self) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        await self._wire.close()

    async def _models(self) -> tuple[Served, Mapping[str, str]]:
        answer, headers = await self._wire.get("/models", "the list of models")
        try:
            self._served = read_served(answer)
        except ValueError as error:
            raise translate(error, self.url) from error
        return self._served, headers

    async def _definition(self, model: str) -> Definition:
        """The model's definition; of a model that is served itself, one that adds nothing."""
        definition = await self._definitions.find(model)
        if definition is None:
            return Definition(base=model, server=self.url)
        if definition.server != self.url:
            raise ModelMissingError(
                f"{model} stands on {definition.base} of {definition.server}, and the role is on {self.url} now.",
                "Give the role that address again, or let a build make a version for the new one: nix-trinity build",
            )
        return definition

    async def _defined(self, model: str) -> Definition:
        definition = await self._definitions.find(model)
        if definition is None:
            raise ModelMissingError(f"There is no definition {model!r}.", "See which there are: nix-trinity versions")
        return definition

    async def _form(self, request: ChatRequest, schema: Mapping[str, Any], definition: Definition) -> ChatChunk:
        """An answer by a schema, checked; one that does not follow it is mended once."""
        text, usage = await self._whole(request, definition)
        text = found_json(text)
        fault = fault_of(text, schema)
        if not fault or usage.finish_reason == "length":
            return ChatChunk(text, usage)
        words = f"{asked_in_words(schema)}\n\n{repair_in_words(fault)}"
        again = (*request.messages, ChatMessage("assistant", text or "{}"), ChatMessage("user", words))
        mended, second = await self._whole(replace(request, messages=again), definition)
        # What the first one saw of the prompt is what the question is judged by.
        tokens = None if usage.answer_tokens is None else usage.answer_tokens + (second.answer_tokens or 0)
        return ChatChunk(found_json(mended), replace(usage, answer_tokens=tokens, finish_reason=second.finish_reason))

    async def _whole(self, request: ChatRequest, definition: Definition) -> tuple[str, Usage]:
        pieces: list[str] = []
        usage = Usage(None, None, "stop")
        async with aclosing(self._answer(request, definition)) as chunks:
            async for chunk in chunks:
                pieces.append(chunk.text)
                usage = chunk.usage or usage
        return "".join(pieces), usage

    async def _answer(self, request: ChatRequest, definition: Definition) -> AsyncGenerator[ChatChunk, None]:
        """Ask, without the fields that this server was found to refuse, until it takes the rest."""
        said = False
        while True:
            body = self._fields.kept(definition.base, body_of(request, definition))
            try:
                async with aclosing(self._streamed(body)) as chunks:
                    async for chunk in chunks:
                        said = True
                        yield chunk
            except FieldRefusedError as error:
                # After the first word it is a fault that only sounds like it, and asking again would say all twice.
                if said or not self._fields.refused(definition.base, error.field, body):
                    raise
            except ModelMissingError as error:
                served = self._served.names if self._served is not None else ()
                raise missing(self.url, definition.base, served) from error
            else:
                return

    async def _streamed(self, body: Mapping[str, Any]) -> AsyncGenerator[ChatChunk, None]:
        finish: str | None = None
        prompt = answer = tool = None
        said = done = False
        async with aclosing(self._wire.stream("/chat/completions", body)) as pieces:
            async for piece in pieces:
                finish = piece.finish_reason or finish
                done = done or piece.done
                prompt = prompt if piece.prompt_tokens is None else piece.prompt_tokens
                answer = answer if piece.answer_tokens is None else piece.answer_tokens
                tool = piece.tool if tool is None else tool
                if piece.text:
                    said = True
                    yield ChatChunk(piece.text)
        if finish is None and not done:
            raise never_finished(self.label)
        if tool is not None and not said:
            raise EngineProtocolError(
                f"{self.label} wanted to call a tool ({tool or 'without a name'}) that nobody offered, and said nothing else.",
                "Serve the model without automatic tool choice, or name another model for the role.",
            )
        yield ChatChunk("", Usage(prompt, answer, "length" if finish == "length" else "stop"))
