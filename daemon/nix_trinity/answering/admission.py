"""How many questions run and wait at once. Beyond that the answer is "busy", at once, and not a longer queue."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median

from nix_trinity.errors import BusyError

_REMEMBERED = 20
_FIRST_GUESS_SECONDS = 10.0


class Admission:
    """At most ``max_running`` questions run and ``max_waiting`` wait, first come, first served."""

    def __init__(self, max_running: int, max_waiting: int, clock: Callable[[], float]) -> None:
        self.max_running = max_running
        self.max_waiting = max_waiting
        self.running = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._clock = clock
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def waiting(self) -> int:
        """How many questions wait for a place."""
        return len(self._queue)

    @asynccontextmanager
    async def place(self, on_wait: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Hold a place; ``on_wait`` is told the position in the queue, from 1, when there is none at once.

        :raises BusyError: the queue is full; says when to try again.
        """
        if self.running < self.max_running:
            self.running += 1
        else:
            await self._wait(on_wait)
        began = self._clock()
        try:
            yield
        finally:
            self._durations.append(self._clock() - began)
            self._hand_on()

    async def _wait(self, on_wait: Callable[[int], Awaitable[None]]) -> None:
        if len(self._queue) >= self.max_waiting:
            seconds = self.retry_after_seconds()
            raise BusyError(
                f"{self.running} questions are being answered and {self.waiting} are waiting; that is the limit.",
                f"Ask again in about {seconds} s. The limits are answering.max_running and "
                "answering.max_waiting in the configuration.",
                retry_after_seconds=seconds,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await on_wait(len(self._queue))
            await turn
        except BaseException:
            # Whoever gives up while waiting leaves the queue; a place that was just handed over goes on.
            if turn.done() and not turn.cancelled():
                self._hand_on()
            elif turn in self._queue:
                self._queue.remove(turn)
            raise

    def retry_after_seconds(self) -> int:
        """When a place is likely to be free, in whole seconds, from how long the last answers took."""
        each = median(self._durations) if self._durations else _FIRST_GUESS_SECONDS
        return max(1, math.ceil(each * (self.waiting + 1) / self.max_running))

    def _hand_on(self) -> None:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.running -= 1
