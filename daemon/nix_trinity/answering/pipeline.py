"""The questions that are at work: each in a task of its own, with its row, whatever becomes of it.

Apart from the connection that it came on: a connection that goes away is one cancellation, the row is written in
every case, and the daemon knows what is running. How one is answered is answerer.py's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from nix_trinity.answering.admission import Admission
from nix_trinity.answering.question import Question
from nix_trinity.answering.record import Record
from nix_trinity.answering.running import RunningQuestion
from nix_trinity.errors import InternalError, TrinityError
from nix_trinity.knowledge.exchanges import new_id
from nix_trinity.knowledge.store import KnowledgeStore

_log = structlog.get_logger("answering")


class Answers(Protocol):
    """What answers one question: answerer.Answerer."""

    async def answer(self, question: Question, running: RunningQuestion, record: Record) -> None:
        """Hand the events to ``running`` and take down in ``record`` what becomes of the question."""
        ...


class Answering:
    """All questions that are at work. What answers them is loaded with the first one: status needs none of it."""

    def __init__(
        self,
        *,
        answerer: Callable[[], Awaitable[Answers]],
        store: KnowledgeStore,
        admission: Admission,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.admission = admission
        self._answerer = answerer
        self._store = store
        self._clock = clock
        self._wall_clock = wall_clock
        self._running: dict[str, RunningQuestion] = {}

    @property
    def active(self) -> int:
        """How many questions are being worked on or wait."""
        return len(self._running)

    def ask(self, question: Question) -> RunningQuestion:
        """Start on a question."""
        running = RunningQuestion(new_id())
        running.task = asyncio.create_task(self._run(question, running), name=f"question {running.id}")
        self._running[running.id] = running
        running.task.add_done_callback(lambda _: self._running.pop(running.id, None))
        return running

    async def cancel_all(self, because: TrinityError) -> None:
        """Stop all questions, tell their readers why, and wait until their rows are written."""
        await asyncio.gather(*(running.cancel(because) for running in list(self._running.values())))

    async def _run(self, question: Question, running: RunningQuestion) -> None:
        structlog.contextvars.bind_contextvars(request=running.id)
        record = Record(
            self._store,
            running.id,
            keeps=question.keep and self._store.keeps_exchanges,
            clock=self._clock,
            asked_at_ms=int(self._wall_clock() * 1000),
        )
        try:
            answerer = await self._answerer()
            await answerer.answer(question, running, record)
        except asyncio.CancelledError:
            because = running.cancelled_because
            await record.finish("cancelled", error_code=because.stable_code if because else None)
            _log.info("cancelled", **record.summary())
            if because is not None:
                running.end_with(because)
            raise
        except TrinityError as error:
            await record.finish("failed", error_code=error.stable_code)
            _log.warning("failed", code=error.stable_code, error=error.message, **record.summary())
            await running.put(error)
        except Exception as error:
            await record.finish("failed", error_code=InternalError.code)
            _log.exception("failed", code=InternalError.code, **record.summary())
            await running.put(
                InternalError(
                    f"NixTrinity itself failed on this question ({type(error).__name__}).",
                    f"Please report it with the lines of: journalctl -u nix-trinity --grep {running.id}",
                )
            )
        else:
            await running.put(None)
