"""Requests to a server with OpenAI's API: its key, its deadlines, its streams; every fault an EngineError."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import httpx

from nix_trinity.engines.deadlines import Deadlines
from nix_trinity.engines.openai_events import EventDecoder, Piece, read_completion, read_event
from nix_trinity.engines.openai_faults import label_of, read_refusal, translate, without_key
from nix_trinity.errors import EngineAuthError, EngineError, EngineProtocolError, EngineTimeoutError, TrinityError

# The vectors of a batch are the longest answer that there is.
_MOST_BYTES = 64 << 20
_MOST_REFUSAL_BYTES = 64 << 10
_WORDS = "the next words of an answer"

KeySource = Callable[[], str]
"""Reads the key; raises TrinityError where there is none to be had. It is called in a thread."""

Result = TypeVar("Result")


class _Silence:
    """How long a stream may still be silent."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.allowed = deadlines.first_token
        self._gap = deadlines.token_gap
        self._until = asyncio.get_running_loop().time() + self.allowed

    @property
    def left(self) -> float:
        """Seconds from now on."""
        return self._until - asyncio.get_running_loop().time()

    def heard(self, *, began: bool) -> None:
        """Something came. Until there are words the prompt is still being read, whatever else is sent."""
        if began:
            self.allowed = self._gap
        self._until = asyncio.get_running_loop().time() + self.allowed


class OpenAIWire:
    """One server. ``transport`` is the seam for faults that no real server shows."""

    def __init__(
        self,
        url: str,
        *,
        key: KeySource | None,
        deadlines: Deadlines,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url
        self.label = label_of(url)
        self._key = key
        self._secret = ""
        self._deadlines = deadlines
        self._client = httpx.AsyncClient(
            # Silence is timed here, piece by piece; httpx only watches the connection being made.
            timeout=httpx.Timeout(None, connect=deadlines.connect),
            # A proxy meant for the internet has no business between the daemon and its engine, and a key goes to
            # the address that it was given for, and to no other.
            trust_env=False,
            follow_redirects=False,
            transport=transport,
        )

    async def get(self, path: str, what: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The JSON object at a path, and the reply's headers.

        :raises EngineError: it cannot be had.
        """
        async with self._reply("GET", path, None, self._deadlines.short_call, what) as response:
            return self._object(await self._body(response, self._deadlines.short_call, what)), response.headers

    async def post(self, path: str, body: Mapping[str, Any], what: str) -> dict[str, Any]:
        """The JSON object that answers ``body``.

        :raises EngineError: it cannot be had.
        """
        async with self._reply("POST", path, body, self._deadlines.first_token, what) as response:
            return self._object(await self._body(response, self._deadlines.first_token, what))

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Piece, None]:
        """The pieces of an answer as they come; closing the iterator closes the connection.

        :raises EngineError: it cannot be had, or breaks off.
        """
        async with self._reply("POST", path, body, self._deadlines.first_token, _WORDS) as response:
            if "json" in response.headers.get("content-type", ""):
                # A server that does not stream.
                content = await self._body(response, self._deadlines.first_token, _WORDS)
                yield self._read(read_completion, self._object(content))
                yield Piece(done=True)
                return
            silence = _Silence(self._deadlines)
            async with aclosing(self._events(response, silence)) as events:
                async for data in events:
                    piece = self._read(read_event, data)
                    if piece.error is not None:
                        raise self._refusal(_status(piece.error), json.dumps({"error": piece.error}), {}, body)
                    silence.heard(began=bool(piece.text))
                    yield piece
                    if piece.done:
                        return

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def _events(self, response: httpx.Response, silence: _Silence) -> AsyncGenerator[str, None]:
        """The stream's events, each within its time; comments, which keep a connection alive, do not count."""
        decoder, blocks = EventDecoder(), response.aiter_bytes()
        while True:
            try:
                block = await self._within(anext(blocks), silence.left, _WORDS, silence.allowed)
            except StopAsyncIteration:
                for data in self._read(lambda _: list(decoder.close()), None):
                    yield data
                return
            for data in self._read(lambda block: list(decoder.feed(block)), block):
                yield data

    @asynccontextmanager
    async def _reply(
        self, method: str, path: str, body: Mapping[str, Any] | None, seconds: float, what: str
    ) -> AsyncIterator[httpx.Response]:
        key = await self._read_key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            request = self._client.build_request(method, f"{self.url}{path}", json=body, headers=headers)
        except (httpx.InvalidURL, ValueError) as error:
            raise translate(ValueError(without_key(str(error), key)), self.url) from None
        response = await self._within(self._client.send(request, stream=True), seconds, what)
        try:
            if not response.is_success:
                text = await self._body(response, seconds, what, _MOST_REFUSAL_BYTES)
                words = text.decode("utf-8", "replace")
                raise self._refusal(response.status_code, words, response.headers, body or {})
            yield response
        finally:
            await response.aclose()

    async def _body(self, response: httpx.Response, seconds: float, what: str, most: int = _MOST_BYTES) -> bytes:
        async def read() -> bytes:
            content = bytearray()
            async for block in response.aiter_bytes():
                content += block
                if len(content) > most:
                    if most == _MOST_REFUSAL_BYTES:
                        break
                    raise ValueError(f"more than {most:,} bytes")
            return bytes(content)

        return await self._within(read(), seconds, what)

    async def _read_key(self) -> str:
        if self._key is None:
            return ""
        try:
            self._secret = await asyncio.to_thread(self._key)
        except TrinityError as error:
            raise EngineAuthError(f"The key for {self.label} cannot be read: {error.message}", error.hint) from error
        return self._secret

    def _object(self, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            shown = without_key(content[:_MOST_REFUSAL_BYTES].decode("utf-8", "replace"), self._secret)[:80]
            raise translate(ValueError(f"{shown!r} where a JSON object was to be"), self.url)
        return answer

    def _read(self, reader: Callable[[Any], Result], content: object) -> Result:
        try:
            return reader(content)
        except (ValueError, RecursionError) as error:
            raise translate(ValueError(without_key(str(error), self._secret)), self.url) from error

    def _refusal(self, status: int, text: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> EngineError:
        words = without_key(text, self._secret)
        return read_refusal(self.url, status, words, headers=headers, model=body.get("model"), sent=tuple(body))

    async def _within(self, work: Awaitable[Result], seconds: float, what: str, allowed: float | None = None) -> Result:
        """Await with a deadline, and turn whatever goes wrong into an error a person can read."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                return await work
        except TimeoutError as error:
            raise EngineTimeoutError(
                f"{self.label} did not send {what} within {allowed or seconds:g} s.",
                "See what it is busy with in its own log; a longer time is set with first_token_timeout_seconds and "
                "token_gap_timeout_seconds in [openai].",
            ) from error
        except (httpx.HTTPError, httpx.StreamError, ConnectionError, ValueError) as error:
            raise translate(error, self.url) from error


def never_finished(label: str) -> EngineProtocolError:
    """The error for an answer that ends without saying that it is whole."""
    return EngineProtocolError(
        f"{label} ended its answer without saying that it was finished.",
        "It may have been stopped or run out of memory: see its own log.",
    )


def _status(error: object) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    code = int(code) if isinstance(code, str) and code.isdigit() else code
    return code if isinstance(code, int) and 400 <= code < 600 else 500
