"""Watch for what is too big to wait for the next timer, and have a build started at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog

from nix_trinity.config_sections import LearningSection
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.line import CorpusPort
from nix_trinity.training.progress import BuildEvent
from nix_trinity.training.taken_back import taken_back
from nix_trinity.training.triggers import TriggerFacts, reasons
from nix_trinity.training.versions import Versions

_BETWEEN_LOOKS_SECONDS = 60.0
# After a build that was started at once, whatever became of it, the next one waits so long.
_BETWEEN_BUILDS_MS = 3_600_000
_ASKED_FOR = "immediate_asked_at_ms"
_RELEASE = "built_for_release"

_log = structlog.get_logger("training")


class Watch:
    """Looks once a minute: it costs milliseconds."""

    def __init__(
        self,
        *,
        store: LearningStore,
        corpus: CorpusPort,
        versions: Versions,
        settings: LearningSection,
        build: Callable[[str], AsyncGenerator[BuildEvent, None]],
        start_unit: Callable[[str], Awaitable[None]] | None,
        tidy: Callable[[], Awaitable[None]],
        now_ms: Callable[[], int],
    ) -> None:
        """``tidy`` ends what was interrupted, and takes what was deleted out of versions that are not deployed;
        ``build`` starts a build by the daemon itself, ``start_unit`` a systemd unit (None: there is no bus)."""
        self._store = store
        self._corpus = corpus
        self._versions = versions
        self._settings = settings
        self._build = build
        self._start_unit = start_unit
        self._tidy = tidy
        self._now_ms = now_ms

    async def run(self) -> None:
        """Look until cancelled; what fails is logged and tried again at the next look."""
        while True:
            reason = ""
            try:
                await self._tidy()
                reason = await self._look()
            except TrinityError as error:
                _log.warning("cannot tell whether a build is needed", code=error.stable_code, error=error.message)
            if reason:
                await self._start(reason)
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)

    async def reasons(self) -> list[str]:
        """What speaks for a build at once, in words; none when it can wait.

        :raises TrinityError: knowledge.db or the index cannot be read.
        """
        since = await self._store.since(await self._last_build_ms())
        _, release = await self._corpus.stamp()
        known = await self._store.fact(_RELEASE)
        back: set[str] = set()
        for manifest in self._versions.load_all():
            if manifest.state == "deployed":
                back |= await taken_back(self._store, manifest)
        facts = TriggerFacts(
            release=release,
            built_for=known if known is not None else release,
            corrections=since.corrections,
            bad=since.bad,
            unanswered=[question for _, question in since.unanswered],
            taken_back=len(back),
        )
        if known is None and release is not None:
            await self._store.set_fact(_RELEASE, release)
        return reasons(facts, self._settings)

    async def built(self) -> None:
        """Take down for which release was built last."""
        _, release = await self._corpus.stamp()
        if release is not None:
            await self._store.set_fact(_RELEASE, release)

    async def _last_build_ms(self) -> int:
        """When the last build began; one in the future is from before the clock was set back."""
        now_ms = self._now_ms()
        asked_at = int(await self._store.fact(_ASKED_FOR) or 0)
        last = await self._store.last_build_started() or 0
        return last if last <= now_ms else asked_at if asked_at <= now_ms else 0

    async def _look(self) -> str:
        """Why a build is to be started now; '' when none is."""
        asked_at = int(await self._store.fact(_ASKED_FOR) or 0)
        if 0 <= self._now_ms() - asked_at < _BETWEEN_BUILDS_MS:
            return ""
        why = await self.reasons()
        if why:
            await self._store.set_fact(_ASKED_FOR, str(self._now_ms()))
        return "; ".join(why)

    async def _start(self, reason: str) -> None:
        _log.info("a build is needed at once", reason=reason)
        if self._settings.immediate_unit and self._start_unit is not None:
            try:
                await self._start_unit(self._settings.immediate_unit)
            except TrinityError as error:
                _log.warning(
                    "the unit was not started; building here", unit=self._settings.immediate_unit, error=error.message
                )
            else:
                return
        try:
            async for _ in self._build(reason):
                pass
        except TrinityError as error:
            _log.warning("the build at once failed", code=error.stable_code, error=error.message)
