"""The learn line of one build: what was learned is checked, what is new is analysed, then each role is built.

The order of the steps and what each hands on is all that stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from nix_trinity.errors import EngineUnreachableError, TrinityError
from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.ports import Inspector
from nix_trinity.training.progress import BuildEvent, BuildStep, RoleResult
from nix_trinity.training.role_line import Clock, RoleLine
from nix_trinity.training.staleness import refresh

_CHECKED = "options_checked"

_log = structlog.get_logger("training")

Tell = Callable[[BuildEvent], None]


class CorpusPort(Protocol):
    """What answers are grounded in."""

    async def refresh(self) -> None:
        """Read again the documentation, release notes and options."""
        ...

    async def stamp(self) -> tuple[str, str | None]:
        """What the lists of options are known by (it changes when they do), and the release that they are of."""
        ...


class LearnLine:
    """Everything that a build needs, put together once."""

    def __init__(
        self,
        *,
        store: LearningStore,
        inspector: Inspector,
        corpus: CorpusPort,
        analysis: Analysis,
        roles: RoleLine,
        clock: Clock,
    ) -> None:
        self._store = store
        self._inspector = inspector
        self._corpus = corpus
        self._analysis = analysis
        self._roles = roles
        self._clock = clock

    async def run(self, build: Build, tell: Tell) -> list[RoleResult]:
        """Work through all roles of the build; what fails for one role leaves the others.

        :raises TrinityError: nothing could be done for any role.
        """
        if build.kind == "monthly":
            tell(BuildStep("", "check", 0, 1, "reading documentation and release notes again"))
            await self._corpus.refresh()
        release = await self._check_what_was_learned(tell)
        count = await self._analysis.run(
            lambda done: tell(BuildStep("", "analyse", done, 0, f"{done} exchanges looked at"))
        )
        tell(BuildStep("", "analyse", count, count, f"{count} exchanges were new or judged anew"))
        results: list[RoleResult] = []
        for role in build.roles:
            try:
                result = await self._roles.run(role, build, release, tell)
            except EngineUnreachableError:
                raise
            except TrinityError as error:
                _log.warning("a role was not built", role=role, code=error.stable_code, error=error.message)
                result = RoleResult(role, "failed", None, None, 0, 0, f"{error.message} {error.hint}")
            results.append(result)
            tell(result)
        return results

    async def _check_what_was_learned(self, tell: Tell) -> str | None:
        stamp, release = await self._corpus.stamp()
        if await self._store.fact(_CHECKED) != stamp:
            tell(BuildStep("", "check", 0, 1, "the options changed: checking what was learned"))
            report = await refresh(self._store, self._inspector, now_ms=self._clock.now_ms(), release=release)
            await self._store.set_fact(_CHECKED, stamp)
            text = f"{report.checked} answers checked, {report.renewed} renewed, {report.set_aside} set aside"
            tell(BuildStep("", "check", 1, 1, text))
        return release
