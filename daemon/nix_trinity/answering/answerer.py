"""From a question to its answer: redact, route, known?, retrieve, prompt, engine, check; and when no model can.

The order of the steps and what each hands on is all that stands here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

import structlog

from nix_trinity.answering.admission import Admission
from nix_trinity.answering.answer_line import AnswerLine, Asked, Limits
from nix_trinity.answering.checking import AnswerCheck, SyntaxCheck
from nix_trinity.answering.fall_back import FallBack
from nix_trinity.answering.grounding import Grounding, Grounds
from nix_trinity.answering.incoming import without_secrets
from nix_trinity.answering.known_answer import give_again, known_answer
from nix_trinity.answering.missing_options import missing_options
from nix_trinity.answering.outcome import outcome_of, packs_among
from nix_trinity.answering.passages import given_notes
from nix_trinity.answering.past import PastSource, by_id
from nix_trinity.answering.prompt import Situation, Turn
from nix_trinity.answering.question import Question, Queued, Source, Text, pack_sources
from nix_trinity.answering.record import Record
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.answering.router import Route, RoutingContext, route
from nix_trinity.answering.running import RunningQuestion
from nix_trinity.answering.search_answer import found_instead, search_answer
from nix_trinity.answering.start import Start
from nix_trinity.engines.protocol import EngineSource
from nix_trinity.errors import (
    EngineError,
    EngineOffError,
    EngineTimeoutError,
    EngineUnreachableError,
    ModelMissingError,
)
from nix_trinity.knowledge.exchanges import new_id
from nix_trinity.knowledge.past_answers import Past
from nix_trinity.knowledge.store import KnowledgeStore

_MOST_TURNS = 12
# Of a session in which somebody named the turns that count, having asked some of them again.
_MOST_LOOKED_THROUGH = 200
# An engine that refuses does so at once; until then the answer may still be a plain HTTP error.
_FIRST_LOOK_SECONDS = 0.25

# With these no model answers at all, and the search does.
_NO_MODEL = (EngineUnreachableError, ModelMissingError, EngineTimeoutError)

_log = structlog.get_logger("answering")


class Answerer:
    """Everything that an answer needs, put together once."""

    def __init__(
        self,
        *,
        engine: EngineSource,
        models: RoleModels,
        store: KnowledgeStore,
        grounding: Grounding,
        syntax: SyntaxCheck | None,
        admission: Admission,
        limits: Limits,
        nixos_release: str | None,
        fall_back: FallBack | None = None,
    ) -> None:
        """``fall_back``: who may answer where a role's engine is away; None: nobody."""
        self._engine = engine
        self._models = models
        self._store = store
        self._grounding = grounding
        self._syntax = syntax
        self._admission = admission
        self._limits = limits
        self._nixos_release = nixos_release
        self._fall_back = fall_back or FallBack(engine, ())

    async def answer(self, question: Question, running: RunningQuestion, record: Record) -> None:
        """See :class:`~nix_trinity.answering.pipeline.Answers`.

        :raises TrinityError: the question cannot be answered.
        """
        # In a thread, since a megabyte of pasted log takes the redactor a noticeable part of a second. Not to be
        # interrupted: a question that is cancelled meanwhile is still a row, and a row is redacted.
        work = asyncio.create_task(asyncio.to_thread(without_secrets, question), name="redact")
        try:
            came = await asyncio.shield(work)
        except asyncio.CancelledError:
            came = await work
            record.begin(uid=question.uid, interface=question.interface, question=came.text, attachment=came.kept)
            raise
        record.begin(
            uid=question.uid,
            interface=question.interface,
            question=came.text,
            attachment=came.kept,
            level=question.level,
            nixos_release=self._nixos_release,
            learnable=came.learnable,
        )
        session, turns, last_role, of_packs = await self._session(question)
        record.rests_on_packs(of_packs)
        context = RoutingContext(question.level, came.attachment, question.role)
        chosen = _with_session(route(came.text, context), last_role)
        record.routed(session, chosen.role, chosen.reason)
        notices = _redaction_notices(came.secrets)
        past: PastSource | Sequence[Past] = partial(self._store.accepted_like, question.uid)
        if came.alone and not (turns or question.fresh):
            known, past = await known_answer(self._grounding, self._store, question.uid, came.text, self._syntax)
            if known is not None:
                await give_again(known, running, record, session=session, role=chosen.role, notices=notices)
                await self._end(running, record)
                return

        async def on_wait(position: int) -> None:
            await running.put(Queued(running.id, position))

        async with self._admission.place(on_wait):
            record.admitted()
            grounds = await self._grounding.grounds(came.text, came.attachment, past=past)
            asked = Asked(
                came.text,
                came.attachment,
                chosen.role,
                Situation(question.level, question.local_time, self._nixos_release, came.wishes),
                turns,
                grounds,
                came.before,
            )
            degraded: EngineError | None = None
            notices = (*notices, *missing_options(f"{came.text}\n{came.attachment}", grounds.tree))
            started = Start(running, record, session, chosen, notices)
            try:
                line = await self._answered(asked, running, record, started)
            except EngineError as error:
                helpless = isinstance(error, _NO_MODEL) or error.stable_code == "empty_answer"
                if record.has_text or grounds.verifier is None or not helpless:
                    raise
                if not isinstance(error, EngineOffError):
                    # An engine that is not to be there is no fault: the search alone is then what was wanted.
                    degraded = error
                    record.degraded(error.stable_code)
                await self._search_only(grounds, running, record, started, error)
            else:
                notes = given_notes(grounds.retrieved, by_id(grounds.past))
                record.rests_on_packs(packs_among(grounds, notes))
                outcome = outcome_of(grounds, line.check, repaired=line.repaired, notes=notes)
                record.came_to(outcome, grounds.release)
                if line.main is not None:
                    record.check_seen(line.main, line.answer_tokens)
                found = found_instead(grounds, outcome)
                if found:
                    record.add(found)
                    await running.put(Text(found))
        await self._end(running, record, degraded)

    async def _end(self, running: RunningQuestion, record: Record, degraded: EngineError | None = None) -> None:
        kept = await record.finish("answered")
        await running.put(record.ended(kept))
        if degraded is None:
            _log.info("answered", **record.summary())
        else:
            # A warning, so that an engine that stays away is one line with a count, however much is asked.
            _log.warning("answered by the search alone", code=degraded.stable_code, **record.summary())

    async def _answered(self, asked: Asked, running: RunningQuestion, record: Record, started: Start) -> AnswerLine:
        """Let the role's model answer; where its engine is away before the first word, who may stand in for it.

        :raises EngineError: nobody does: the error of the role's own engine.
        """
        line = self._line(asked)
        try:
            await self._pass_on(line, running, record, started)
        except EngineUnreachableError as error:
            async for other in self._fall_back.for_role(asked.role):
                if record.has_text:
                    raise
                line = self._line(replace(asked, role=other.role))
                started.instead(other.notice(asked.role, error))
                try:
                    await self._pass_on(line, running, record, started)
                except _NO_MODEL as also:
                    if record.has_text:
                        raise
                    _log.info("nor does who would stand in", role=other.role, code=also.stable_code)
                else:
                    return line
            raise
        return line

    def _line(self, asked: Asked) -> AnswerLine:
        return AnswerLine(asked, engine=self._engine, models=self._models, limits=self._limits, syntax=self._syntax)

    async def _pass_on(self, line: AnswerLine, running: RunningQuestion, record: Record, started: Start) -> None:
        """Stream the answer; ``Started`` comes with its first words, or earlier when these take long."""
        async with aclosing(line.pieces()) as pieces:
            first: asyncio.Task[str] = asyncio.create_task(_first_of(pieces))
            try:
                await asyncio.wait([first], timeout=_FIRST_LOOK_SECONDS)
                if not first.done():
                    await started.say(line)
                piece = await first
            finally:
                await _stopped(first)
            record.first_token()
            await started.say(line)
            record.add(piece)
            await running.put(Text(piece))
            async for piece in pieces:
                record.add(piece)
                await running.put(Text(piece))
        if line.stuck:
            record.note("The model began to repeat itself, so the rest of its answer was left out.")
        if line.cut_short is not None:
            record.note(f"The answer could not be mended where it is marked: {line.cut_short.message}")

    async def _search_only(
        self, grounds: Grounds, running: RunningQuestion, record: Record, started: Start, error: EngineError
    ) -> None:
        """Answer from the search alone, and say why."""
        check = AnswerCheck(grounds.verifier, self._syntax)
        text = await check.add(search_answer(grounds))
        await started.say_without_model(error)
        record.first_token()
        record.add(text)
        await running.put(Text(text))
        found = grounds.retrieved
        notes = found.notes[:1] if found is not None else ()
        record.rests_on_packs(packs_among(grounds, notes))
        record.came_to(outcome_of(grounds, check, repaired=False, notes=notes), grounds.release)

    async def _session(self, question: Question) -> tuple[str, list[Turn], str | None, list[Source]]:
        """The session's name, its turns so far (oldest first), the role that spoke last in it, and the texts of packs that
        its answers rest on: the next one may repeat them.
        """
        session = question.session
        if session is None and question.continues:
            session = await self._store.last_session(question.uid)
        if session is None:
            return new_id(), [], None, []
        limit = _MOST_LOOKED_THROUGH if question.follows else _MOST_TURNS
        past = await self._store.session_history(question.uid, session, limit=limit)
        if question.follows:
            past = [exchange for exchange in past if exchange.id in question.follows][-_MOST_TURNS:]
        turns = [Turn(exchange.question, exchange.answer) for exchange in past if not exchange.truncated]
        of_packs = [source for exchange in past for source in pack_sources(exchange.sources)]
        return session, turns, past[-1].role if past else None, of_packs


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


async def _first_of(pieces: AsyncIterator[str]) -> str:
    """The first piece that has text.

    :raises EngineError: ``empty_answer``, there is none.
    """
    async for piece in pieces:
        if piece:
            return piece
    raise EngineError(
        "The model ended its answer without a word.",
        "Ask in other words, or another role (--role expert).",
        code="empty_answer",
    )


async def _stopped(task: asyncio.Task[str]) -> None:
    """Cancel a task that is not done and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
