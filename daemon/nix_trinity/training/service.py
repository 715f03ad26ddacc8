"""What operators can have done with versions: the Learning of the API (learning.py)."""

from __future__ import annotations

import difflib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress

from nix_trinity.catalogue import ROLES
from nix_trinity.errors import EngineError, NotFoundError, RequestError
from nix_trinity.knowledge.learning import Build, BuildKind, Decision, Lesson
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.difference import difference
from nix_trinity.training.learning import Difference, Pruned, WrittenReport
from nix_trinity.training.progress import BuildEvent
from nix_trinity.training.runs import BuildRuns
from nix_trinity.training.version import Manifest
from nix_trinity.training.versions import Versions


class LearningService:
    """Implements :class:`~nix_trinity.training.learning.Learning`."""

    def __init__(
        self,
        *,
        runs: BuildRuns,
        store: LearningStore,
        versions: Versions,
        deployment: Deployment,
        prune: Callable[[bool], Awaitable[Pruned]],
        report: Callable[[str], Awaitable[WrittenReport]],
        analyse: Callable[[], Awaitable[None]],
        now_ms: Callable[[], int],
        switched: Callable[[str], None],
    ) -> None:
        self.runs = runs
        self._store = store
        self._versions = versions
        self._deployment = deployment
        self._prune = prune
        self._report = report
        self._analyse = analyse
        self._now_ms = now_ms
        self._switched = switched

    def build(
        self, kind: BuildKind, roles: Sequence[str], *, force: bool, reason: str
    ) -> AsyncGenerator[BuildEvent, None]:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        for role in roles:
            _check_role(role)
        return self.runs.start(kind, tuple(dict.fromkeys(roles)) or ROLES, force=force, reason=reason)

    async def builds(self, limit: int) -> Sequence[Build]:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        return await self._store.builds(limit)

    async def versions(self, role: str | None = None) -> Sequence[Manifest]:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        if role is not None:
            _check_role(role)
        found = [one for one in self._versions.load_all() if role in (None, one.role)]
        return sorted(found, key=lambda one: (-one.built_at_ms, one.name))

    async def difference(self, older: str, newer: str) -> Difference:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        return difference(self._versions.get(older), self._versions.get(newer))

    async def rollback(self, role: str, version: str | None) -> Manifest:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        _check_role(role)
        manifest = await self._deployment.rollback(role, version, now_ms=self._now_ms())
        self._switched(role)
        return manifest

    async def prune(self, *, dry_run: bool) -> Pruned:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        if not dry_run:
            # A deployment that was interrupted needs the model of its version; without an engine it can wait.
            with suppress(EngineError):
                await self._deployment.recover()
        return await self._prune(dry_run)

    async def candidates(self, limit: int) -> Sequence[Lesson]:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        return await self._store.candidates(limit)

    async def review(self, exchange: str, decision: Decision, uid: int, seen: str | None = None) -> Lesson:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        decided = await self._store.decide(exchange, decision, uid, self._now_ms(), seen=seen)
        await self._analyse()
        lesson = await self._store.lesson(decided)
        if lesson is None:
            raise NotFoundError(
                f"The exchange {decided} was marked, and has no place among the lessons: it was not answered.",
                "List what waits for a review with: nix-trinity review",
            )
        return lesson

    async def report(self, month: str) -> WrittenReport:
        """See :class:`~nix_trinity.training.learning.Learning`."""
        return await self._report(month)


def _check_role(role: str) -> None:
    if role not in ROLES:
        close = difflib.get_close_matches(role, ROLES, n=1)
        fix = f"Did you mean {close[0]}?" if close else f"The roles are {', '.join(ROLES)}."
        raise RequestError(f"There is no role {role!r}.", fix, code="unknown_role")
