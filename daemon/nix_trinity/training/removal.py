"""What retention removes: versions, old exchanges, and the traces of what was forgotten."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from nix_trinity.config_sections import RetentionSection
from nix_trinity.engines.protocol import EngineLock, EngineSource
from nix_trinity.errors import EngineOffError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.housekeeping import Removed, remove_old
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.learning import Pruned
from nix_trinity.training.pruning import names_holding, prune, purge
from nix_trinity.training.versions import Versions


class Removal:
    """Applies the rules of ``[retention]``."""

    def __init__(
        self,
        engine: EngineSource,
        versions: Versions,
        store: LearningStore,
        database: Database,
        *,
        policy: RetentionSection,
        lock: EngineLock,
        free_bytes: Callable[[], int],
        now_ms: Callable[[], int],
        building: Callable[[], bool],
    ) -> None:
        """``building`` says whether a build is at work: its candidate is none of retention's business."""
        self._engine = engine
        self._versions = versions
        self._store = store
        self._database = database
        self._policy = policy
        self._lock = lock
        self._free_bytes = free_bytes
        self._now_ms = now_ms
        self._building = building

    async def prune(self, dry_run: bool) -> Pruned:
        """Remove the exchanges and versions that no rule keeps; exchanges first, since these need no engine.

        Where there is to be no engine, the versions are left as they are.

        :raises EngineError: the engine cannot be asked; what was done stays done.
        :raises StorageError: knowledge.db or a manifest cannot be written.
        """
        removed = await self._old_exchanges(dry_run)
        try:
            return await self._versions_too(removed, dry_run)
        except EngineOffError:
            return Pruned(dry_run, (), (), removed.exchanges, removed.freed_bytes)

    async def _versions_too(self, removed: Removed, dry_run: bool) -> Pruned:
        free = self._free_bytes()
        purged = names_holding(self._versions.load_all(), await self._gone(), self._running())
        if not dry_run:
            await self.purge_forgotten()
        pruned = await prune(
            await self._engine(),
            self._versions,
            self._policy,
            lock=self._lock,
            now_ms=self._now_ms(),
            dry_run=dry_run,
            free_bytes=self._free_bytes,
            running=self._running(),
        )
        going = {name: reason for name, reason in pruned.versions if name not in purged}
        return msgspec.structs.replace(
            pruned,
            versions=(*((name, "it holds what was deleted") for name in purged), *going.items()),
            kept=tuple((name, reason) for name, reason in pruned.kept if name not in purged),
            exchanges=removed.exchanges,
            freed_bytes=removed.freed_bytes + (0 if dry_run else max(0, self._free_bytes() - free)),
        )

    async def purge_forgotten(self) -> None:
        """Take exchanges that were deleted out of all versions but the deployed ones.

        :raises EngineError: the engine cannot be asked. :raises StorageError: a manifest cannot be written.
        """
        gone = await self._gone()
        if gone:
            await purge(await self._engine(), self._versions, gone, lock=self._lock, running=self._running())

    async def _gone(self) -> set[str]:
        """The exchanges that any version teaches and that were deleted since."""
        learned = {one for manifest in self._versions.load_all() for one in manifest.example_ids}
        return learned - await self._store.existing(sorted(learned))

    def _running(self) -> set[str]:
        """The candidates that a build is at work on."""
        if not self._building():
            return set()
        return {one.name for one in self._versions.load_all() if one.state == "candidate"}

    async def _old_exchanges(self, dry_run: bool) -> Removed:
        used = {one for manifest in self._versions.load_all() for one in manifest.example_ids}
        return await self._database.run_outside_transaction(
            lambda connection: remove_old(
                connection,
                days=self._policy.exchange_days,
                megabytes=self._policy.exchange_megabytes,
                now_ms=self._now_ms(),
                dry_run=dry_run,
                used=used,
            )
        )
