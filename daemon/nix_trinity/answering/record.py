"""The row of one question, from the moment it is asked to whatever became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from nix_trinity.answering.generation import Generation
from nix_trinity.answering.question import Ended, Outcome, Source
from nix_trinity.errors import StorageError
from nix_trinity.knowledge.exchanges import Exchange
from nix_trinity.knowledge.store import KnowledgeStore


class Record:
    """Gathers times and text, and writes the row twice: when the question is asked, and at its end.

    The first write happens beside the engine's work and delays nothing; it is what remains of a question when
    the machine loses power in the middle of the answer.
    """

    def __init__(
        self,
        store: KnowledgeStore,
        exchange_id: str,
        *,
        keeps: bool,
        clock: Callable[[], float],
        asked_at_ms: int,
    ) -> None:
        self._store = store
        self._keeps = keeps
        self._clock = clock
        self._began = clock()
        self._exchange = Exchange(
            id=exchange_id, asked_at_ms=asked_at_ms, uid=-1, session="", interface="", question=""
        )
        self._pieces: list[str] = []
        self._first_write: asyncio.Task[bool] | None = None
        self._problem = ""
        self._notices: list[str] = []
        self._cut_at: int | None = None
        self._of_packs: tuple[Source, ...] = ()

    def begin(self, **known: Any) -> None:
        """Take down what is known at the start, and begin to write it."""
        self._set(**known)
        if self._keeps:
            self._first_write = asyncio.create_task(self._write(), name=f"first write {self._exchange.id}")

    def admitted(self) -> None:
        """Take down how long the question waited for a place."""
        self._set(queue_ms=self._elapsed())

    def routed(self, session: str, role: str, reason: str) -> None:
        """Take down which role answers, and why."""
        self._set(session=session, role=role, role_reason=reason)

    def started(self, model: str | None, version: str | None) -> None:
        """Take down which model answers; None for the search alone."""
        self._set(model=model, model_version=version)

    def first_token(self) -> None:
        """Take down when the first words came."""
        self._set(first_token_ms=self._elapsed())

    def add(self, piece: str) -> None:
        """Take down a piece of the answer."""
        self._pieces.append(piece)

    @property
    def has_text(self) -> bool:
        """Whether anything of an answer is there."""
        return bool(self._pieces)

    def note(self, notice: str) -> None:
        """Take down what the person is to be told at the end."""
        self._notices.append(notice)

    def known(self) -> None:
        """Take down that the answer is one that was accepted before: models learn it from there, not from here."""
        self._set(learnable=False)

    def rests_on_packs(self, sources: Sequence[Source]) -> None:
        """Take down which texts of packs the answer may rest on; nothing learns them, for they are to go with the pack."""
        if sources:
            self._of_packs = (*self._of_packs, *sources)
            self._set(learnable=False)

    def degraded(self, code: str) -> None:
        """Take down why no model answered."""
        self._set(error_code=code)

    def came_to(self, outcome: Outcome, release: str | None) -> None:
        """Take down what the check of the answer came to, by the options of which release."""
        named = dict.fromkeys((*outcome.sources, *self._of_packs))
        sources = tuple(msgspec.structs.asdict(source) for source in named)
        self._set(
            verdict=outcome.verdict,
            sources=msgspec.json.encode(sources).decode(),
            options_release=release,
            option_types=msgspec.json.encode(outcome.option_types).decode(),
        )
        self._notices.extend(outcome.notices)

    def check_seen(self, generation: Generation, answer_tokens: int) -> None:
        """Take down what the answer cost, and whether the model saw the whole prompt."""
        usage = generation.usage
        if usage is not None:
            self._set(prompt_tokens=usage.prompt_tokens, answer_tokens=answer_tokens, truncated=generation.truncated)
            if usage.finish_reason == "length":
                self._cut_at = usage.answer_tokens

    async def finish(self, outcome: str, *, error_code: str | None = None) -> bool:
        """Write the row as it ended; returns whether it is kept. A cancellation cannot interrupt this."""
        self._set(
            outcome=outcome,
            error_code=error_code or self._exchange.error_code,
            total_ms=self._elapsed(),
            answer="".join(self._pieces),
            learnable=self._exchange.learnable and not self._exchange.truncated,
        )
        if not self._keeps or self._exchange.uid < 0:
            return False
        return await asyncio.shield(asyncio.create_task(self._last_write()))

    def ended(self, kept: bool) -> Ended:
        """The last event of an answer."""
        e = self._exchange
        notices = list(dict.fromkeys(self._notices))
        if e.truncated:
            notices.append(
                "The model did not see the whole prompt, so do not rely on this answer: the engine counted "
                f"{e.prompt_tokens} tokens where many more were sent."
            )
        if self._cut_at is not None:
            notices.append(
                f"The answer was cut off at {self._cut_at} tokens; ask to go on with: ask-nix-guru --continue go on"
            )
        if self._keeps and not kept:
            notices.append(f"This exchange is not being kept: {self._problem}")
        return Ended(
            id=e.id,
            outcome=e.outcome,
            kept=kept,
            truncated=e.truncated,
            queue_ms=e.queue_ms or 0.0,
            first_token_ms=e.first_token_ms,
            total_ms=e.total_ms or 0.0,
            prompt_tokens=e.prompt_tokens,
            answer_tokens=e.answer_tokens,
            verdict=e.verdict or "ungrounded",
            sources=tuple(msgspec.json.decode(e.sources, type=list[Source])),
            options_release=e.options_release,
            degraded=e.error_code,
            cut_off=self._cut_at is not None,
            notices=tuple(notices),
        )

    def summary(self) -> dict[str, Any]:
        """What the journal's one line says of it: no text of the question or the answer."""
        e = self._exchange
        numbers = {"queue_ms": e.queue_ms, "first_token_ms": e.first_token_ms, "total_ms": e.total_ms}
        return {
            "role": e.role,
            "model": e.model,
            "uid": e.uid,
            "interface": e.interface,
            "tokens": e.answer_tokens,
            "verdict": e.verdict,
            **({"truncated": True} if e.truncated else {}),
            **{name: round(value, 1) for name, value in numbers.items() if value is not None},
        }

    async def _last_write(self) -> bool:
        if self._first_write is not None:
            await self._first_write
        return await self._write()

    async def _write(self) -> bool:
        try:
            await self._store.keep(self._exchange)
        except StorageError as error:
            self._problem = error.message
            return False
        return True

    def _set(self, **values: Any) -> None:
        self._exchange = msgspec.structs.replace(self._exchange, **values)

    def _elapsed(self) -> float:
        return (self._clock() - self._began) * 1000
