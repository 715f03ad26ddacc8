"""The monthly report, from what is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.statistics import Statistics, statistics
from nix_trinity.training.learning import WrittenReport
from nix_trinity.training.report import month_range, write_report
from nix_trinity.training.versions import Versions

# The plots show where the month stands in its half year.
_TREND_MONTHS = 6


class Reports:
    """Writes ``reports/YYYY-MM.md`` and its plots."""

    def __init__(
        self, folder: Path, database: Database, store: LearningStore, versions: Versions, *, consent_by_default: bool
    ) -> None:
        self._folder = folder
        self._database = database
        self._store = store
        self._versions = versions
        self._consent_by_default = consent_by_default

    async def write(self, month: str) -> WrittenReport:
        """Write the report of a month (``YYYY-MM``), anew if there is one.

        :raises RequestError: it is no month.
        :raises StorageError: nothing can be read or written.
        """
        counted = await self._counted(month_range(month))
        trend = await self._counted(month_range(month, months=_TREND_MONTHS))
        since_ms, until_ms = month_range(month)
        builds = await self._store.builds_between(since_ms, until_ms)

        def write() -> WrittenReport:
            path = write_report(
                self._folder,
                month,
                statistics=counted,
                builds=builds,
                manifests=self._versions.load_all(),
                trend=trend.weeks,
            )
            return WrittenReport(str(path), path.read_text(encoding="utf-8"))

        return await asyncio.to_thread(write)

    async def _counted(self, period: tuple[int, int]) -> Statistics:
        since_ms, until_ms = period
        return await self._database.run(
            lambda connection: statistics(
                connection, since_ms=since_ms, until_ms=until_ms, consent_by_default=self._consent_by_default
            )
        )
