"""A question at work, as whoever reads its answer sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from nix_trinity.answering.question import Event
from nix_trinity.errors import TrinityError

_EVENTS_AHEAD = 256


class RunningQuestion:
    """A question at work. Iterate over :meth:`events`; :meth:`cancel` when nobody listens any more."""

    def __init__(self, exchange_id: str) -> None:
        self.id = exchange_id
        self.task: asyncio.Task[None]
        self.cancelled_because: TrinityError | None = None
        self._events: asyncio.Queue[Event | TrinityError | None] = asyncio.Queue(_EVENTS_AHEAD)

    async def put(self, event: Event | TrinityError | None) -> None:
        """Hand on an event; waits for a reader that is slow, and so slows the engine down too."""
        await self._events.put(event)

    def end_with(self, error: TrinityError) -> None:
        """Make ``error`` the next thing that the reader gets, whatever was still to come."""
        while not self._events.empty():
            self._events.get_nowait()
        self._events.put_nowait(error)

    async def events(self) -> AsyncIterator[Event]:
        """The events in order.

        :raises TrinityError: in place of the rest, when the question cannot be answered.
        """
        while (event := await self._events.get()) is not None:
            if isinstance(event, TrinityError):
                raise event
            yield event

    async def cancel(self, because: TrinityError | None = None) -> None:
        """Stop the work, upstream too, and wait until the row says so; a reader who is there is told why."""
        self.cancelled_because = because
        self.task.cancel()
        await asyncio.wait([self.task])
