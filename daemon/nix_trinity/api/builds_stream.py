"""The events of a build on their way to whoever asked for it. The build is not theirs: it goes on without them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response, StreamingResponse

from nix_trinity.api.http import detail
from nix_trinity.api.messages import ErrorEvent
from nix_trinity.errors import TrinityError

if TYPE_CHECKING:
    from nix_trinity.training.progress import BuildEvent

_STOPPED = TrinityError(
    "The daemon was stopped before the build was done; nothing of it is deployed by halves.",
    "See what became of it with: nix-trinity builds",
    code="shutting_down",
)


async def build_reply(events: AsyncGenerator[BuildEvent, None]) -> Response:
    """A stream of NDJSON, one event a line, the last one ``build_ended`` or ``error``.

    :raises TrinityError: the build did not come to its first event; so that this is a plain HTTP error.
    """
    try:
        first = await anext(events)
    except StopAsyncIteration:
        raise _STOPPED from None
    return StreamingResponse(
        _lines(first, events), media_type="application/x-ndjson", headers={"cache-control": "no-store"}
    )


async def _lines(first: BuildEvent, events: AsyncGenerator[BuildEvent, None]) -> AsyncGenerator[bytes, None]:
    from nix_trinity.training.progress import BuildEnded

    async with aclosing(events):
        last = first
        yield _line(first)
        try:
            async for event in events:
                last = event
                yield _line(event)
        except TrinityError as error:
            yield _line(ErrorEvent(detail(error)))
            return
        if not isinstance(last, BuildEnded):
            yield _line(ErrorEvent(detail(_STOPPED)))


def _line(event: msgspec.Struct) -> bytes:
    return msgspec.json.encode(event) + b"\n"
