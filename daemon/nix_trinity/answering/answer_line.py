"""One question's way through the engine: settings first, then the explanation, each released after its check."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from nix_trinity.answering.checking import AnswerCheck, SyntaxCheck
from nix_trinity.answering.generation import Generation, Models, generate
from nix_trinity.answering.grounding import Grounds
from nix_trinity.answering.passages import passages
from nix_trinity.answering.prompt import Budget, Prompt, Situation, Turn, build_prompt
from nix_trinity.answering.role_models import ReadyModel
from nix_trinity.answering.settings_answer import parse_settings
from nix_trinity.answering.settings_part import (
    ANSWER_TOKENS,
    MOST_SETTINGS,
    NOTHING_FOUND_TASK,
    SETTINGS_TASK,
    explanation_task,
    least_settings,
    settings_candidates,
    snippet_text,
    told_by_the_options,
)
from nix_trinity.answering.settings_render import Setting, render_settings
from nix_trinity.answering.settings_schema import settings_schema
from nix_trinity.answering.verifier.findings import Checked, repair_request
from nix_trinity.engines.protocol import ChatMessage, EngineSource
from nix_trinity.errors import (
    EngineBusyError,
    EngineError,
    EngineTimeoutError,
    EngineUnreachableError,
    ModelMissingError,
)

# With these a second request would fare no better than the first.
_NOBODY_ANSWERS = (EngineBusyError, EngineTimeoutError, EngineUnreachableError, ModelMissingError)

_log = structlog.get_logger("answering")


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens that an answer, a session's history and what was found may have."""

    answer_tokens: int
    history_tokens: int
    passages_tokens: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the model is to see it: redacted, with what it is answered from."""

    text: str
    attachment: str
    role: str
    situation: Situation
    history: Sequence[Turn]
    grounds: Grounds
    before: str = ""
    """What was said before, as another program has it."""


class AnswerLine:
    """Gives the pieces of one checked answer; what it cost and came to is known at its end."""

    def __init__(
        self,
        asked: Asked,
        *,
        engine: EngineSource,
        models: Models,
        limits: Limits,
        syntax: SyntaxCheck | None,
        temperature: float | None = None,
        marker: str | None = None,
    ) -> None:
        """``temperature`` and ``marker`` are for answers that are to be compared; else each has a marker of its own."""
        self.check = AnswerCheck(asked.grounds.verifier, syntax)
        self.main: Generation | None = None
        """The request whose prompt the answer as a whole is judged by."""
        self.repaired = False
        self.cut_short: EngineError | None = None
        """Why a repair could not be had; what was to be mended is marked instead."""
        self.stuck = False
        """Whether the model repeated itself and was stopped."""
        self.answer_tokens = 0
        self._asked = asked
        self._engine = engine
        self._models = models
        self._limits = limits
        self._temperature = temperature
        # One marker for all requests of a question, so that their common beginning is the same.
        self._marker = marker or f"data-{secrets.token_hex(6)}"
        found = asked.grounds.retrieved
        self._passages = passages(found, asked.grounds.past) if found is not None else []

    async def pieces(self) -> AsyncGenerator[str, None]:
        """The answer as it may be shown.

        :raises EngineError: no model can answer; nothing was given yet, or the engine died in mid-answer.
        """
        settings = await self._settings()
        form = self.main
        snippet = render_settings(settings)
        if snippet:
            yield await self.check.add(snippet_text(snippet))
        task = explanation_task(snippet) if snippet else self._task_without_settings()
        if snippet:
            self.check.told(task)
        self.main = await self._generation(task)
        wrong: Checked | None = None
        async with aclosing(generate(self.main)) as stream:
            async for text, found_wrong in self._released(self.main, stream, may_repair=True):
                if text:
                    yield text
                wrong = found_wrong
        self._count(self.main)
        if self.main.usage is None and form is not None and form.usage is not None and snippet:
            # It was stopped in its middle, so that the engine never said what it had seen; of the form it did.
            self.main = form
        if snippet and (wrong is not None or self.stuck):
            # What is known of the settings is surer than a second try of a model that went astray.
            self.check.start_again()
            self.repaired = wrong is not None
            yield await self.check.add(told_by_the_options(settings, after=self.check.said))
        elif wrong is not None:
            async with aclosing(self._repaired(wrong, task)) as mended:
                async for text in mended:
                    yield text

    def _task_without_settings(self) -> str:
        nothing = self._asked.grounds.verifier is not None and not self._passages
        return NOTHING_FOUND_TASK if nothing else ""

    async def _settings(self) -> Sequence[Setting]:
        """The settings that the model chose; none when the question is not one for settings, or it gave none."""
        found = self._asked.grounds.retrieved
        if found is None or self._asked.grounds.verifier is None or not (candidates := settings_candidates(found)):
            return ()
        generation = await self._generation(
            SETTINGS_TASK,
            schema=settings_schema(candidates, most=MOST_SETTINGS, least=least_settings(found)),
            answer_tokens=ANSWER_TOKENS,
        )
        self.main = generation
        try:
            async with aclosing(generate(generation)) as stream:
                chosen = "".join([piece async for piece in stream])
            self._count(generation)
            return parse_settings(chosen, candidates)
        except _NOBODY_ANSWERS:
            raise
        except EngineError as error:
            # A form that is refused or filled in wrongly costs the settings; the question can still be answered.
            _log.debug("no settings", code=error.stable_code, error=error.message)
            return ()

    async def _repaired(self, wrong: Checked, task: str) -> AsyncGenerator[str, None]:
        """Let the model mend what was found wrong, once; what is wrong then is shown with a mark."""
        said = self.check.said
        self.check.start_again()
        # What the person has read cannot be taken back: the model goes on from there.
        request = repair_request(wrong.findings, goes_on=bool(said.strip()))
        self.check.told(request)
        following = (ChatMessage("assistant", said + wrong.text), ChatMessage("user", request))
        generation = await self._generation(task, following=following)
        began = False
        try:
            async with aclosing(generate(generation)) as stream:
                async for text, _ in self._released(generation, stream, may_repair=False):
                    began = began or bool(text)
                    yield text
        except EngineError as error:
            if began:
                raise
            self.cut_short = error
        self._count(generation)
        if generation.usage is not None:
            # The first request was stopped in the middle, so that the engine never said what it had seen.
            self.main = generation
        self.repaired = began
        if not began:
            yield self.check.released_anyway(wrong)

    async def _released(
        self, generation: Generation, stream: AsyncIterator[str], *, may_repair: bool
    ) -> AsyncGenerator[tuple[str, Checked | None], None]:
        """Checked text as it comes; ends at the first thing that is wrong where a repair may follow."""
        async for piece in stream:
            release = await self.check.feed(piece, may_repair=may_repair)
            for text in release.texts:
                yield text, None
            if release.wrong is not None:
                yield "", release.wrong
            if release.wrong is not None or release.stuck:
                self.stuck = release.stuck
                return
        cut = generation.usage is not None and generation.usage.finish_reason == "length"
        release = await self.check.finish(may_repair=may_repair, cut=cut)
        for text in release.texts:
            yield text, None
        if release.wrong is not None:
            yield "", release.wrong

    async def _generation(
        self,
        task: str,
        *,
        schema: dict[str, object] | None = None,
        answer_tokens: int | None = None,
        following: Sequence[ChatMessage] = (),
    ) -> Generation:
        asked = self._asked

        def prompt_for(model: ReadyModel, halved: bool) -> Prompt:
            budget = self._budget(model)
            return build_prompt(
                asked.text,
                attachment=asked.attachment,
                situation=asked.situation,
                history=asked.history,
                budget=budget.halved() if halved else budget,
                marker=self._marker,
                passages=self._passages,
                task=task,
                following=following,
                before=asked.before,
            )

        def most(model: ReadyModel) -> int:
            # A form that is cut off is no form, however short answers are to be.
            return min(answer_tokens, model.num_ctx // 3) if answer_tokens else self._answer_tokens(model)

        return Generation(
            await self._engine(),
            self._models,
            asked.role,
            prompt_for,
            most,
            schema=schema,
            temperature=self._temperature,
        )

    def _count(self, generation: Generation) -> None:
        if generation.usage is not None:
            self.answer_tokens += generation.usage.answer_tokens or 0

    def _budget(self, model: ReadyModel) -> Budget:
        return Budget(
            num_ctx=model.num_ctx,
            prefix=model.prefix_most,
            answer=self._answer_tokens(model),
            history=self._limits.history_tokens,
            passages=self._limits.passages_tokens,
        )

    def _answer_tokens(self, model: ReadyModel) -> int:
        # A quarter of the window at most, so that a small one keeps room for the question (roles.py).
        return min(self._limits.answer_tokens, model.answer_limit or self._limits.answer_tokens, model.num_ctx // 4)
