"""What the API's learning routes are answered with: the rooms of the learn line, loaded when they are asked for."""

from __future__ import annotations

import importlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from nix_trinity import __version__
from nix_trinity.api.learning_routes import LearningApi
from nix_trinity.api.status_messages import LearningStatus
from nix_trinity.config import Config
from nix_trinity.errors import StorageError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.transfer import Transfer
from nix_trinity.rooms import Rooms

if TYPE_CHECKING:
    from nix_trinity.knowledge.inspection import Inspection
    from nix_trinity.knowledge.statistics import Statistics
    from nix_trinity.training.learning import Learning

_WEEK_MS = 7 * 86_400_000
_METRICS_WEEKS = 4
_KINDS = ("weekly", "monthly", "immediate", "manual")


class LearningDoor:
    """Answers for the rooms."""

    def __init__(self, rooms: Rooms, config: Config) -> None:
        self._rooms = rooms
        self._consent_by_default = config.learning.consent_by_default
        self._store = LearningStore(rooms.database)
        self._transfer = Transfer(rooms.database, _learnable, self._consent_by_default)

    def api(self) -> LearningApi:
        """The routes' answers."""
        return LearningApi(
            learning=self._learning,
            consent_of=self._store.consent,
            say_consent=self._say_consent,
            consent_by_default=self._consent_by_default,
            stats=self._stats,
            metrics=self._metrics,
            export=self._export,
            import_lines=self._transfer.take_in,
        )

    async def status(self) -> LearningStatus | None:
        """What status tells of builds; None while nothing of them is loaded or can be read."""
        learn = self._rooms.learn_assembly
        if learn is None:
            return None
        try:
            ended = {kind: await self._store.last_success((kind,)) for kind in _KINDS}
        except StorageError:
            ended = {}
        running = learn.service.runs.running
        return LearningStatus(
            running.id if running is not None else None,
            {kind: _iso(datetime.fromtimestamp(at / 1000, UTC)) for kind, at in ended.items() if at is not None},
            {kind: _iso(at) for kind, at in self._rooms.next_builds.items()},
        )

    async def inspect(self, question: str, answer: str) -> Inspection:
        """Check an answer against the options of this NixOS."""
        inspection: Inspection = await (await self._rooms.assembled()).inspector.inspect(question, answer)
        return inspection

    async def _learning(self) -> Learning:
        return (await self._rooms.learning()).service

    async def _say_consent(self, uid: int, allows: bool) -> None:
        await self._store.say_consent(uid, allows, _now_ms())

    async def _stats(self, weeks: int) -> Statistics:
        module = importlib.import_module("nix_trinity.knowledge.statistics")
        now_ms = _now_ms()

        def work(connection: Any) -> Statistics:
            counted: Statistics = module.statistics(
                connection,
                since_ms=now_ms - weeks * _WEEK_MS,
                until_ms=now_ms + 1,
                consent_by_default=self._consent_by_default,
            )
            return counted

        return await self._rooms.database.run(work)

    async def _metrics(self) -> bytes:
        module = importlib.import_module("nix_trinity.api.prometheus")
        rooms, kept = self._rooms, await self._rooms.store.status()
        learn, progress = rooms.learn_assembly, rooms.assembly.embedder.progress if rooms.assembly is not None else None
        ended = {kind: await self._store.last_success((kind,)) for kind in _KINDS}
        facts = module.MetricFacts(
            version=__version__,
            queue_running=rooms.admission.running,
            queue_waiting=rooms.admission.waiting,
            engine_reachable=rooms.health.reachable,
            reloads=rooms.models.reloads,
            vectors_done=progress.done if progress is not None else 0,
            vectors_all=progress.all if progress is not None else 0,
            exchanges_kept=kept.exchanges,
            database_bytes=kept.size_bytes,
            build_running=learn is not None and learn.service.runs.running is not None,
            last_success_seconds={kind: at / 1000 for kind, at in ended.items() if at is not None},
        )
        text: bytes = module.metrics_text(await self._stats(_METRICS_WEEKS), facts)
        return text

    def _export(self, reader: Reader, form: Any, everybody: bool) -> AsyncIterator[bytes]:
        return self._transfer.export(reader, form, everybody)


def _learnable(text: str) -> bool:
    fencing = importlib.import_module("nix_trinity.answering.fencing")
    return not fencing.looks_like_injection(text)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _now_ms() -> int:
    return int(time.time() * 1000)
