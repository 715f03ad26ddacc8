"""The reply to a question: a stream of events, or one JSON object at the end; in our own form, or in another API's.

A client that goes away is noticed whatever the model is doing, also before its first word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nix_trinity.answering.question import Ended, Event, Started, Text
from nix_trinity.answering.running import RunningQuestion
from nix_trinity.api.http import detail, error_response, json_response
from nix_trinity.api.messages import Answer, ErrorEvent
from nix_trinity.errors import TrinityError

# A reader that takes nothing for this long is gone or stopped; its place is given to others.
_STALLED_SECONDS = 60.0


class _ClientGoneError(Exception):
    """Nobody is there any more to read the answer."""


class Form(Protocol):
    """How a reply is written."""

    media_type: str
    """Of a stream."""

    def of_event(self, event: Event) -> bytes:
        """An event as the stream has it."""
        ...

    def of_error(self, error: TrinityError) -> bytes:
        """What ends a stream that has begun and cannot go on."""
        ...

    def whole(self, started: Started, answer: str, ended: Ended) -> Response:
        """The reply in one piece."""
        ...

    def refusal(self, error: TrinityError) -> Response:
        """The reply where an error comes before anything else."""
        ...


class OwnForm:
    """The protocol's own: NDJSON, an event a line."""

    media_type = "application/x-ndjson"

    def of_event(self, event: Event) -> bytes:
        """See :class:`Form`."""
        return msgspec.json.encode(event) + b"\n"

    def of_error(self, error: TrinityError) -> bytes:
        """See :class:`Form`."""
        return msgspec.json.encode(ErrorEvent(detail(error))) + b"\n"

    def whole(self, started: Started, answer: str, ended: Ended) -> Response:
        """See :class:`Form`."""
        fields = {**msgspec.structs.asdict(started), **msgspec.structs.asdict(ended)}
        fields["notices"] = (*started.notices, *ended.notices)
        return json_response(Answer(answer=answer, **fields))

    def refusal(self, error: TrinityError) -> Response:
        """See :class:`Form`."""
        return error_response(error)


class AnswerReply:
    """An ASGI response that follows one running question and ends it when its reader goes away."""

    def __init__(self, running: RunningQuestion, *, stream: bool, form: Form | None = None) -> None:
        self._running = running
        self._stream = stream
        self._form = form or OwnForm()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        gone = asyncio.create_task(_disconnected(receive), name="client gone")
        try:
            if self._stream:
                await self._send_stream(gone, scope, receive, send)
            else:
                await self._send_whole(gone, scope, receive, send)
        except (_ClientGoneError, TimeoutError):
            pass
        finally:
            gone.cancel()
            if not self._running.task.done():
                await self._running.cancel()

    async def _send_stream(self, gone: asyncio.Task[None], scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        try:
            async for event in self._events(gone):
                if not started:
                    await _send_head(send, self._form.media_type)
                    started = True
                await _send_block(send, self._form.of_event(event))
        except TrinityError as error:
            # An error that comes before anything else is a plain HTTP error.
            if not started:
                await self._form.refusal(error)(scope, receive, send)
                return
            await _send_block(send, self._form.of_error(error))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_whole(self, gone: asyncio.Task[None], scope: Scope, receive: Receive, send: Send) -> None:
        started: Started | None = None
        ended: Ended | None = None
        pieces: list[str] = []
        try:
            async for event in self._events(gone):
                if isinstance(event, Started):
                    started = event
                elif isinstance(event, Text):
                    pieces.append(event.text)
                elif isinstance(event, Ended):
                    ended = event
        except TrinityError as error:
            await self._form.refusal(error)(scope, receive, send)
            return
        if started is not None and ended is not None:
            await self._form.whole(started, "".join(pieces), ended)(scope, receive, send)

    async def _events(self, gone: asyncio.Task[None]) -> AsyncGenerator[Event, None]:
        events = self._running.events()
        while True:
            upcoming: asyncio.Task[Event] = asyncio.ensure_future(anext(events))
            await asyncio.wait({upcoming, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not upcoming.done():
                upcoming.cancel()
                raise _ClientGoneError
            try:
                yield upcoming.result()
            except StopAsyncIteration:
                return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_head(send: Send, media_type: str) -> None:
    headers = [(b"content-type", media_type.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_block(send: Send, body: bytes) -> None:
    async with asyncio.timeout(_STALLED_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})
