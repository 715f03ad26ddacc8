"""Ollama, through its own client library."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import ollama

from nix_trinity.engines.deadlines import Deadlines
from nix_trinity.engines.ollama_details import as_modelfile, details
from nix_trinity.engines.ollama_faults import read_refusal, translate
from nix_trinity.engines.protocol import (
    ChatChunk,
    ChatRequest,
    CreateRequest,
    InstalledModel,
    ModelDetails,
    Usage,
)
from nix_trinity.errors import EngineError, EngineProtocolError, EngineTimeoutError
from nix_trinity.modelfile.render import render_modelfile

# Until 0.5.5 /api/create took a Modelfile's text; since then it takes fields (ollama/ollama#8379).
_STRUCTURED_CREATE = (0, 5, 5)

Result = TypeVar("Result")


class OllamaEngine:
    """The engine protocol on an Ollama server. ``transport`` is the seam for faults no real server shows."""

    kind = "ollama"

    def __init__(
        self,
        url: str,
        *,
        keep_alive: str,
        deadlines: Deadlines | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self.label = f"Ollama at {url}"
        self._keep_alive = _keep_alive(keep_alive)
        self._deadlines = deadlines or Deadlines()
        self._client = ollama.AsyncClient(
            url,
            # Silence is timed here, token by token; httpx only watches the connection being made.
            timeout=httpx.Timeout(None, connect=self._deadlines.connect),
            # A proxy meant for the internet has no business between the daemon and its engine.
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    def of(self, model: str) -> OllamaEngine:  # noqa: ARG002 (the protocol's)
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        return self

    def remedy(self, model: str) -> str:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        return f'Get it with: ollama pull {model}. On NixOS: services.ollama.loadModels = [ "{model}" ];'

    async def version(self) -> str:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        answer = await self._call("GET", "/api/version", "the version")
        return str(answer.get("version", ""))

    async def list_models(self) -> Sequence[InstalledModel]:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        answer = await self._within(self._client.list(), self._deadlines.short_call, "the list of models")
        return [InstalledModel(model.model or "", model.digest or "", int(model.size or 0)) for model in answer.models]

    async def show(self, model: str) -> ModelDetails:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        # Not the library's show(): it leaves out system and messages, and the Modelfile's text that it gives
        # instead cannot be read back where a text in it has quotes at the wrong place.
        answer = await self._call("POST", "/api/show", f"the details of {model}", body={"model": model}, model=model)
        return details(model, answer)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        stream = await self._within(
            self._client.chat(
                request.model,
                [{"role": message.role, "content": message.content} for message in request.messages],
                stream=True,
                format=dict(request.schema) if request.schema is not None else None,
                options=_options(request),
                keep_alive=self._keep_alive,
            ),
            self._deadlines.connect,
            "a chat",
            request.model,
        )
        finished = False
        limit = self._deadlines.first_token
        # aclosing: whoever stops reading closes the connection, and Ollama stops generating.
        async with aclosing(cast("AsyncGenerator[ollama.ChatResponse, None]", stream)) as parts:
            while True:
                try:
                    part = await self._within(anext(parts), limit, "the next words of an answer", request.model)
                except StopAsyncIteration:
                    break
                limit = self._deadlines.token_gap
                usage = _usage(part) if part.done else None
                finished = finished or usage is not None
                yield ChatChunk(part.message.content or "", usage)
        if not finished:
            raise EngineProtocolError(
                f"Ollama at {self.url} ended its answer without saying that it was finished.",
                "It may have been stopped or run out of memory: journalctl -u ollama -e",
            )

    async def embed(self, model: str, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        answer = await self._within(
            self._client.embed(model, list(texts), keep_alive=self._keep_alive),
            self._deadlines.first_token,
            "embeddings",
            model,
        )
        return answer.embeddings

    async def create(self, request: CreateRequest) -> AsyncGenerator[str, None]:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        body: dict[str, Any]
        if _release(await self.version()) < _STRUCTURED_CREATE:
            body = {"name": request.name, "modelfile": render_modelfile(as_modelfile(request))}
        else:
            body = {
                "model": request.name,
                "from": request.base,
                "system": request.system,
                "template": request.template,
                "parameters": dict(request.parameters) or None,
                "messages": [{"role": m.role, "content": m.content} for m in request.messages] or None,
                "license": list(request.licenses) or None,
                "adapters": await self._uploaded(request) or None,
            }
        body = {key: value for key, value in body.items() if value is not None}
        # The library's own create() knows no Modelfile text and no error line after an answer of 200.
        lines = self._lines("/api/create", body, model=request.name)
        last = ""
        async with aclosing(lines):
            async for line in lines:
                last = str(line.get("status", ""))
                yield last
        if last != "success":
            raise EngineProtocolError(
                f"Ollama at {self.url} stopped making {request.name} without saying that it was done "
                f"(its last word: {last!r}).",
                "Look at its log: journalctl -u ollama -e",
            )

    async def preload(self, model: str, num_ctx: int) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        # A chat of no messages loads the model and says that it is done.
        async with aclosing(self.chat(ChatRequest(model, (), num_ctx, max_tokens=1))) as parts:
            async for _ in parts:
                pass

    async def copy(self, source: str, destination: str) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        await self._within(
            self._client.copy(source, destination), self._deadlines.short_call, f"a copy of {source}", source
        )

    async def delete(self, model: str) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        await self._within(self._client.delete(model), self._deadlines.short_call, f"the removal of {model}", model)

    async def close(self) -> None:
        """See :class:`~nix_trinity.engines.protocol.Engine`."""
        await self._http.aclose()

    async def _uploaded(self, request: CreateRequest) -> dict[str, str]:
        """Give the server the adapters' files; returns their digests by name."""
        digests: dict[str, str] = {}
        for path in map(Path, request.adapters):
            try:
                digests[path.name] = await self._within(
                    self._client.create_blob(path), self._deadlines.create, f"the upload of {path}", request.name
                )
            except OSError as error:
                raise EngineError(
                    f"The adapter {path} for {request.name} cannot be read: {error.strerror or error}.",
                    "Give learning.adapters the path of a file that the daemon's user may read.",
                    code="adapter_unreadable",
                ) from error
        return digests

    async def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        body: dict[str, Any] | None = None,
        model: str | None = None,
    ) -> dict[str, Any]:
        async def send() -> dict[str, Any]:
            response = await self._http.request(method, path, json=body)
            response.raise_for_status()
            answer = response.json()
            if not isinstance(answer, dict):
                raise ValueError(f"a JSON object was expected, {response.text[:80]!r} came")  # noqa: TRY004
            return answer

        return await self._within(send(), self._deadlines.short_call, what, model)

    async def _lines(self, path: str, body: dict[str, Any], *, model: str) -> AsyncGenerator[dict[str, Any], None]:
        request = self._http.build_request("POST", path, json=body)
        response = await self._within(
            self._http.send(request, stream=True), self._deadlines.create, f"the making of {model}", model
        )
        try:
            if response.is_error:
                await response.aread()
                raise read_refusal(self.url, model, response.status_code, response.text)
            lines = response.aiter_lines()
            while True:
                try:
                    line = await self._within(anext(lines), self._deadlines.create, f"the making of {model}", model)
                except StopAsyncIteration:
                    return
                part = self._decoded(line)
                if "error" in part:
                    raise read_refusal(self.url, model, 500, str(part["error"]))
                yield part
        finally:
            await response.aclose()

    def _decoded(self, line: str) -> dict[str, Any]:
        try:
            part = json.loads(line)
        except ValueError:
            part = None
        if not isinstance(part, dict):
            raise translate(ValueError(line[:80]), self.url, None)
        return part

    async def _within(self, work: Awaitable[Result], seconds: float, what: str, model: str | None = None) -> Result:
        """Await with a deadline, and turn whatever goes wrong into an error a person can read."""
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError as error:
            raise EngineTimeoutError(
                f"Ollama at {self.url} did not send {what} within {seconds:g} s.",
                "It may be loading a model that is too big for the memory: see ollama ps and "
                "journalctl -u ollama -e; a smaller tier (services.nixTrinity.tier) answers sooner.",
            ) from error
        except (httpx.HTTPError, ollama.ResponseError, ConnectionError, ValueError) as error:
            raise translate(error, self.url, model) from error

    @property
    def _http(self) -> httpx.AsyncClient:
        # The library keeps its httpx client to itself; what it has no call for goes through the same one.
        client: httpx.AsyncClient = self._client._client
        return client


def _usage(part: ollama.ChatResponse) -> Usage:
    return Usage(
        prompt_tokens=part.prompt_eval_count,
        answer_tokens=part.eval_count,
        finish_reason=part.done_reason or "stop",
        load_milliseconds=(part.load_duration or 0) / 1e6,
    )


def _keep_alive(value: str) -> str | int:
    # Ollama takes a bare number as seconds only when it is a number in JSON too.
    return int(value) if value.lstrip("-").isdigit() else value


def _release(version: str) -> tuple[int, ...]:
    """``0.17.4-rc1`` as (0, 17, 4); a version that is no number (a build of one's own) counts as new."""
    numbers = version.split("-")[0].split("+")[0].split(".")
    if not all(number.isdigit() for number in numbers) or version.startswith("0.0.0"):
        return (999,)
    return tuple(int(number) for number in numbers)


def _options(request: ChatRequest) -> dict[str, int | float]:
    options: dict[str, int | float] = {"num_ctx": request.num_ctx, "num_predict": request.max_tokens}
    return options if request.temperature is None else {**options, "temperature": request.temperature}
