"""The reply to a question: a stream of NDJSON events, or one JSON object at the end.

A client that goes away is noticed whatever the model is doing, also before its first word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec
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


class AnswerReply:
    """An ASGI response that follows one running question and ends it when its reader goes away."""

    def __init__(self, running: RunningQuestion, *, stream: bool) -> None:
        self._running = running
        self._stream = stream

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
                    await _send_head(send)
                    started = True
                await _send_line(send, event)
        except TrinityError as error:
            # An error that comes before anything else is a plain HTTP error.
            if not started:
                await error_response(error)(scope, receive, send)
                return
            await _send_line(send, ErrorEvent(detail(error)))
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
            await error_response(error)(scope, receive, send)
            return
        if started is not None and ended is not None:
            fields = {**msgspec.structs.asdict(started), **msgspec.structs.asdict(ended)}
            fields["notices"] = (*started.notices, *ended.notices)
            await json_response(Answer(answer="".join(pieces), **fields))(scope, receive, send)

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


async def _send_head(send: Send) -> None:
    headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_line(send: Send, event: msgspec.Struct) -> None:
    body = msgspec.json.encode(event) + b"\n"
    async with asyncio.timeout(_STALLED_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})
