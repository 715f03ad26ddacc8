"""The learn line as the API sees it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import msgspec

from nix_trinity.knowledge.learning import Build, BuildKind, Decision, Lesson
from nix_trinity.training.progress import BuildEvent
from nix_trinity.training.version import Learned, Manifest


class Difference(msgspec.Struct, frozen=True):
    """What one version teaches and another does not."""

    older: str
    newer: str
    learned: tuple[Learned, ...]
    dropped: tuple[Learned, ...]
    kept: int


class Pruned(msgspec.Struct, frozen=True):
    """What retention removed, or would remove: versions with the reason, exchanges, and the bytes of disk freed."""

    dry_run: bool
    versions: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...]
    exchanges: int
    freed_bytes: int


class WrittenReport(msgspec.Struct, frozen=True):
    """A monthly report: where it lies, and its text (Markdown)."""

    path: str
    text: str


class Learning(Protocol):
    """What operators can have done. Errors are TrinityErrors; ``busy`` while a build is running."""

    def build(
        self, kind: BuildKind, roles: Sequence[str], *, force: bool, reason: str
    ) -> AsyncGenerator[BuildEvent, None]:
        """Build, evaluate and deploy; no roles means all. A kind that is not due yet does nothing unless ``force``."""
        ...

    async def builds(self, limit: int) -> Sequence[Build]:
        """The latest builds, newest first."""
        ...

    async def versions(self, role: str | None = None) -> Sequence[Manifest]:
        """All versions, newest first."""
        ...

    async def difference(self, older: str, newer: str) -> Difference:
        """What was learned and dropped from one version to another."""
        ...

    async def rollback(self, role: str, version: str | None) -> Manifest:
        """Deploy an older version again: the previous one unless told which."""
        ...

    async def prune(self, *, dry_run: bool) -> Pruned:
        """Apply retention now."""
        ...

    async def candidates(self, limit: int) -> Sequence[Lesson]:
        """What waits for an operator's review, most valuable first."""
        ...

    async def review(self, exchange: str, decision: Decision, uid: int, seen: str | None = None) -> Lesson:
        """An operator's word on one exchange (the beginning of its id will do); ``seen`` is the answer they looked at."""
        ...

    async def report(self, month: str) -> WrittenReport:
        """Write the report of a month (``YYYY-MM``)."""
        ...
