"""Put together what builds versions. Loaded apart from the daemon, when it is first needed."""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nix_trinity.catalogue import ROLES
from nix_trinity.config import Config
from nix_trinity.engines.off import engine_off
from nix_trinity.engines.protocol import Engine, EngineLock
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.role_engines import engine_places
from nix_trinity.roles import RoleSpec
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.evaluation import Evaluation
from nix_trinity.training.line import LearnLine
from nix_trinity.training.ports import Inspector, Pipeline
from nix_trinity.training.progress import BuildEvent, RoleResult
from nix_trinity.training.questions import load_questions
from nix_trinity.training.removal import Removal
from nix_trinity.training.reports import Reports
from nix_trinity.training.role_line import Clock, RoleLine
from nix_trinity.training.runs import BuildRuns
from nix_trinity.training.service import LearningService
from nix_trinity.training.versions import Versions
from nix_trinity.training.watch import Watch


@dataclass(frozen=True, slots=True)
class Host:
    """What the machine says of itself and can be asked to do."""

    holding: Callable[[], Awaitable[str | None]]
    """Why a build has to wait; None when nothing holds it."""
    start_unit: Callable[[str], Awaitable[None]]
    """Starts a systemd unit of ours."""
    inhibit: Callable[[str], AbstractAsyncContextManager[object]]
    """Keeps the machine from sleeping and shutting down meanwhile; the text says why."""


class IndexedCorpus:
    """The corpus as the learn line sees it."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus

    async def refresh(self) -> None:
        """Read again what changed."""
        await self._corpus.refresh()

    async def stamp(self) -> tuple[str, str | None]:
        """What the lists of options are known by, and their release."""
        return await self._corpus.read(lambda index: (index.stamp(), index.release()))


@dataclass(frozen=True, slots=True)
class LearnAssembly:
    """What builds versions, and what has to be run beside it: ``watch.run``, after ``recover``."""

    service: LearningService
    store: LearningStore
    deployment: Deployment
    versions: Versions
    watch: Watch

    async def recover(self) -> str | None:
        """Finish or undo what a killed daemon had begun; tells what was done."""
        await self.store.close_interrupted_builds(_now_ms())
        return await self.deployment.recover()

    async def close(self) -> None:
        """End the build that is at work."""
        await self.service.runs.stop()


def assemble(
    config: Config,
    *,
    engine: Callable[[], Awaitable[Engine]],
    database: Database,
    corpus: Corpus,
    versions: Versions,
    lock: EngineLock,
    inspector: Inspector,
    pipeline: Pipeline,
    specs: Mapping[str, RoleSpec],
    host: Host,
    ready: Callable[[str], Awaitable[object]],
    switched: Callable[[str], None],
) -> LearnAssembly:
    """Build the objects; nothing is done yet.

    :raises CatalogueError: a file of evaluation questions cannot be used.
    """
    directory, settings = Path(config.state.directory), config.learning
    store, indexed = LearningStore(database), IndexedCorpus(corpus)
    deployment = Deployment(engine, versions, directory / "deployment.toml", lock=lock)
    questions = load_questions(settings.evaluation)
    analysis = Analysis(store, inspector, questions.asked, settings)
    removal = Removal(
        engine,
        versions,
        store,
        database,
        policy=config.retention,
        lock=lock,
        free_bytes=lambda: _free_bytes(directory),
        now_ms=_now_ms,
        building=lambda: runs.running is not None,
    )
    reports = Reports(directory / "reports", database, store, versions, consent_by_default=settings.consent_by_default)
    clock = Clock(_now_ms, datetime.date.today)
    roles = RoleLine(
        store=store,
        builder=Builder(
            engine, versions, lock=lock, free_bytes=lambda: _free_bytes(directory), adapters=settings.adapters
        ),
        evaluation=Evaluation(pipeline, inspector, questions, most=settings.evaluation_questions),
        deployment=deployment,
        versions=versions,
        specs=specs,
        settings=settings,
        clock=clock,
        ready=ready,
        undisturbed=host.inhibit,
        switched=switched,
        purge=removal.purge_forgotten,
    )
    line = LearnLine(store=store, inspector=inspector, corpus=indexed, analysis=analysis, roles=roles, clock=clock)

    async def work(build: Build, tell: Callable[[BuildEvent], None]) -> Sequence[RoleResult]:
        results = await line.run(build, tell)
        await watch.built()
        if build.kind == "monthly":
            # Of the month before, which is over.
            last_month = datetime.date.today().replace(day=1) - datetime.timedelta(days=1)
            await reports.write(f"{last_month:%Y-%m}")
        return results

    refusal = None if engine_places(config) else partial(engine_off, ", so there is nothing to build versions with")
    runs = BuildRuns(store, work, holding=host.holding, now_ms=_now_ms, refusal=refusal)

    async def analyse() -> None:
        await analysis.run(lambda _: None)

    def build(reason: str) -> AsyncGenerator[BuildEvent, None]:
        return runs.start("immediate", ROLES, force=False, reason=reason)

    async def tidy() -> None:
        await deployment.recover()
        await removal.purge_forgotten()

    watch = Watch(
        store=store,
        corpus=indexed,
        versions=versions,
        settings=settings,
        build=build,
        start_unit=host.start_unit,
        tidy=tidy,
        now_ms=_now_ms,
    )
    service = LearningService(
        runs=runs,
        store=store,
        versions=versions,
        deployment=deployment,
        prune=removal.prune,
        report=reports.write,
        analyse=analyse,
        now_ms=_now_ms,
        switched=switched,
    )
    return LearnAssembly(service, store, deployment, versions, watch)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free
