"""The ask line for a version that is not deployed, so that it can be evaluated (training.ports.Pipeline).

As a question's way, but without known answers, past answers, admission and rows; at temperature 0, and with the same
prompt for every version, so that two versions differ in nothing but themselves. People's questions come first: a
trial waits while any is at work, and makes way for one that comes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import aclosing

from nix_trinity.answering.answer_line import AnswerLine, Asked, Limits
from nix_trinity.answering.checking import SyntaxCheck
from nix_trinity.answering.grounding import Grounding
from nix_trinity.answering.inspection import errors_in, in_words
from nix_trinity.answering.outcome import outcome_of
from nix_trinity.answering.passages import given_notes
from nix_trinity.answering.prompt import Situation
from nix_trinity.answering.role_models import ReadyModel, RoleModels, ready_model
from nix_trinity.catalogue import same_model
from nix_trinity.engines.protocol import EngineSource
from nix_trinity.errors import (
    CorpusError,
    EngineBusyError,
    EngineError,
    EngineTimeoutError,
    EngineUnreachableError,
    ModelMissingError,
    RequestError,
)
from nix_trinity.knowledge.inspection import Trial

_POLL_SECONDS = 0.1
# These say nothing of the version: nobody could have answered.
_ENGINE_IS_AWAY = (EngineBusyError, EngineTimeoutError, EngineUnreachableError, ModelMissingError)


class TrialPipeline:
    """Everything that a trial needs, put together once."""

    def __init__(
        self,
        *,
        engine: EngineSource,
        models: RoleModels,
        grounding: Grounding,
        syntax: SyntaxCheck | None,
        limits: Limits,
        busy: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        """``busy`` says whether people's questions are at work; ``clock`` counts seconds."""
        self._engine = engine
        self._models = models
        self._grounding = grounding
        self._syntax = syntax
        self._limits = limits
        self._busy = busy
        self._clock = clock

    async def try_out(self, role: str, model: str, question: str) -> Trial:
        """Let ``model`` answer as the role.

        What it is itself to blame for is the trial's ``error``: no word, no protocol, a prompt beyond its window.

        :raises EngineError: the engine cannot be asked.
        :raises CorpusError: there are no options to check its answer against.
        """
        while True:
            while self._busy():  # noqa: ASYNC110 (who is busy is asked, not told)
                await asyncio.sleep(_POLL_SECONDS)
            work = asyncio.create_task(self._tried(role, model, question), name=f"trial of {model}")
            try:
                while not work.done() and not self._busy():
                    await asyncio.wait([work], timeout=_POLL_SECONDS)
                if work.done():
                    return work.result()
            finally:
                if not work.done():
                    work.cancel()
                    await asyncio.wait([work])

    async def _tried(self, role: str, model: str, question: str) -> Trial:
        grounds = await self._grounding.grounds(question, "")
        if grounds.verifier is None:
            raise CorpusError(grounds.problem, "See what is the matter with: nix-trinity status")
        line = AnswerLine(
            Asked(question, "", role, Situation(None, None, grounds.release), (), grounds),
            engine=self._engine,
            models=_Version(self._engine, self._models, model),
            limits=self._limits,
            syntax=self._syntax,
            temperature=0.0,
            marker=f"data-{hashlib.sha256(question.encode('utf-8', 'replace')).hexdigest()[:12]}",
        )
        began, first = self._clock(), None
        error = None
        try:
            async with aclosing(line.pieces()) as pieces:
                async for piece in pieces:
                    if first is None and piece:
                        first = self._clock()
        except _ENGINE_IS_AWAY:
            raise
        except (EngineError, RequestError) as failed:
            error = failed.message
        if first is None and error is None:
            error = "The model ended its answer without a word."
        seconds = self._clock() - began
        findings = errors_in(line.check.checked)
        notes = given_notes(grounds.retrieved, ())
        return Trial(
            text=line.check.said,
            verdict=outcome_of(grounds, line.check, repaired=line.repaired, notes=notes).verdict,
            names=line.check.names,
            wrong=tuple(in_words(finding) for finding in findings if finding.kind != "syntax_error"),
            parses=all(finding.kind != "syntax_error" for finding in findings),
            first_token_ms=(first - began) * 1000 if first is not None else None,
            tokens_per_second=line.answer_tokens / seconds if line.answer_tokens and seconds > 0 else None,
            error=error,
        )


class _Version:
    """Stands in for RoleModels: a role is answered by one model, whatever is deployed."""

    def __init__(self, engine: EngineSource, models: RoleModels, name: str) -> None:
        self._engine = engine
        self._models = models
        self._name = name
        self._ready: ReadyModel | None = None

    async def ready(self, role: str) -> ReadyModel:
        """The model as the engine shows it; the role's deployed one is made first if it has to be.

        :raises EngineError: it is not there, or the engine cannot be asked.
        """
        spec = self._models.specs[role]
        if same_model(self._name, spec.model):
            return await self._models.ready(role)
        if self._ready is None:
            shown = await (await self._engine()).show(self._name)
            self._ready = ready_model(spec, shown, self._name, name=self._name)
        return self._ready

    def loaded(self, role: str, milliseconds: float) -> None:
        """Not taken down: nobody waited for it."""

    def doubt(self, role: str) -> None:
        """Look again the next time."""
        self._ready = None
        self._models.doubt(role)
