"""The ask line, from a question to an answer that is kept: route, prompt, engine, knowledge.

Each question runs in a task of its own, apart from the connection that it came on. So a connection that
goes away is one cancellation, the row is written in every case, and the daemon knows what is running.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from nix_trinity.answering.admission import Admission
from nix_trinity.answering.generation import Generation, generate
from nix_trinity.answering.prompt import Budget, Prompt, Situation, Turn, build_prompt
from nix_trinity.answering.question import Event, Question, Queued, Started, Text
from nix_trinity.answering.record import Record
from nix_trinity.answering.role_models import EngineSource, ReadyModel, RoleModels
from nix_trinity.answering.router import Route, RoutingContext, route
from nix_trinity.errors import EngineError, InternalError, TrinityError
from nix_trinity.knowledge.exchanges import new_id
from nix_trinity.knowledge.redaction import redact
from nix_trinity.knowledge.store import KnowledgeStore

_MOST_TURNS = 12
_EVENTS_AHEAD = 256
# An engine that refuses does so at once; until then the answer may still be a plain HTTP error.
_FIRST_LOOK_SECONDS = 0.25

_log = structlog.get_logger("answering")


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens that an answer and a session's history may have."""

    answer_tokens: int
    history_tokens: int


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


class Answering:
    """Everything that the ask line needs, put together once."""

    def __init__(
        self,
        *,
        engine: EngineSource,
        models: RoleModels,
        store: KnowledgeStore,
        admission: Admission,
        limits: Limits,
        nixos_release: str | None,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self.admission = admission
        self._engine = engine
        self._models = models
        self._store = store
        self._limits = limits
        self._nixos_release = nixos_release
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
            await self._answer(question, running, record)
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

    async def _answer(self, question: Question, running: RunningQuestion, record: Record) -> None:
        # In a thread, since a megabyte of pasted log takes the redactor a noticeable part of a second.
        text, attachment = await asyncio.to_thread(lambda: (redact(question.text), redact(question.attachment)))
        session, turns, last_role = await self._session(question)
        chosen = _with_session(
            route(text.text, RoutingContext(question.level, attachment.text, question.role)), last_role
        )
        record.begin(
            uid=question.uid,
            session=session,
            interface=question.interface,
            question=text.text,
            attachment=attachment.text,
            level=question.level,
            role=chosen.role,
            role_reason=chosen.reason,
            nixos_release=self._nixos_release,
        )
        notices = _redaction_notices(text.count + attachment.count)

        async def on_wait(position: int) -> None:
            await running.put(Queued(running.id, position))

        async with self.admission.place(on_wait):
            record.admitted()
            generation = await self._generate(question, text.text, attachment.text, chosen, turns)
            await self._pass_on(generation, running, record, session, chosen, notices)
            record.check_seen(generation)
        kept = await record.finish("answered")
        await running.put(record.ended(kept, generation))
        _log.info("answered", **record.summary())

    async def _generate(
        self, question: Question, text: str, attachment: str, chosen: Route, turns: list[Turn]
    ) -> Generation:
        def prompt_for(model: ReadyModel, halved: bool) -> Prompt:
            budget = self._budget(model)
            return build_prompt(
                text,
                attachment=attachment,
                situation=Situation(question.level, question.local_time, self._nixos_release),
                history=turns,
                budget=budget.halved() if halved else budget,
                marker=f"data-{secrets.token_hex(6)}",
            )

        engine = await self._engine()
        return Generation(engine, self._models, chosen.role, prompt_for, self._answer_tokens)

    async def _pass_on(
        self,
        generation: Generation,
        running: RunningQuestion,
        record: Record,
        session: str,
        chosen: Route,
        notices: tuple[str, ...],
    ) -> None:
        """Stream the answer; ``Started`` comes with its first words, or earlier when these take long."""
        started = False

        async def start() -> None:
            nonlocal started
            model = generation.model
            if started or model is None:
                return
            started = True
            record.started(model.name, model.version)
            told = (*notices, *generation.notices)
            await running.put(Started(running.id, session, chosen.role, chosen.reason, model.name, model.version, told))

        async with aclosing(generate(generation)) as pieces:
            first: asyncio.Task[str] = asyncio.create_task(_first(pieces))
            try:
                await asyncio.wait([first], timeout=_FIRST_LOOK_SECONDS)
                if not first.done():
                    await start()
                piece = await first
            finally:
                if not first.done():
                    first.cancel()
                    await asyncio.wait([first])
            record.first_token()
            await start()
            record.add(piece)
            await running.put(Text(piece))
            async for piece in pieces:
                record.add(piece)
                await running.put(Text(piece))

    async def _session(self, question: Question) -> tuple[str, list[Turn], str | None]:
        """The session's name, its turns so far (oldest first), and the role that spoke last in it."""
        session = question.session
        if session is None and question.continues:
            session = await self._store.last_session(question.uid)
        if session is None:
            return new_id(), [], None
        past = await self._store.session_history(question.uid, session, limit=_MOST_TURNS)
        turns = [Turn(exchange.question, exchange.answer) for exchange in past if not exchange.truncated]
        return session, turns, past[-1].role if past else None

    def _budget(self, model: ReadyModel) -> Budget:
        return Budget(
            num_ctx=model.num_ctx,
            prefix=model.prefix_most,
            answer=self._answer_tokens(model),
            history=self._limits.history_tokens,
        )

    def _answer_tokens(self, model: ReadyModel) -> int:
        # A third of the window at most, so that a small one keeps room for the question.
        return min(self._limits.answer_tokens, model.answer_limit or self._limits.answer_tokens, model.num_ctx // 3)


async def _first(pieces: AsyncIterator[str]) -> str:
    async for piece in pieces:
        return piece
    raise EngineError(
        "The model ended its answer without a word.",
        "Ask in other words, or another role (--role expert).",
        code="empty_answer",
    )


def _with_session(chosen: Route, last_role: str | None) -> Route:
    """Let a follow-up in which nothing stands out be answered by the role that spoke last."""
    runner_up = chosen.scores[1][1] if len(chosen.scores) > 1 else 0.0
    if chosen.forced or last_role is None or chosen.scores[0][1] - runner_up > 1.0:
        return chosen
    return Route(last_role, f"it follows up on what {last_role} answered", False, chosen.scores)


def _redaction_notices(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    what = "1 secret was" if count == 1 else f"{count} secrets were"
    return (f"{what} taken out of what you sent, before the model or any log saw it.",)
