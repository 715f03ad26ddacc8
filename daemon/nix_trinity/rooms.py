"""The daemon's objects, built once each and joined; what the first reply does not need is loaded when it is needed."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from nix_trinity.answering.admission import Admission
from nix_trinity.answering.health import EngineHealth
from nix_trinity.answering.pipeline import Answering, Answers
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.config import Config
from nix_trinity.engines.protocol import ChatMessage, Engine, EngineLock
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.role_engines import engine_places
from nix_trinity.roles import RoleSpec

if TYPE_CHECKING:
    # Loaded once it is needed: the first reply does not wait for it.
    from nix_trinity.answering.assembly import Assembly
    from nix_trinity.training.assembly import LearnAssembly
    from nix_trinity.training.versions import Versions

_TIMERS = ("weekly", "monthly", "prune")
_BETWEEN_TIMER_LOOKS_SECONDS = 600.0

_log = structlog.get_logger("daemon")

Do = Callable[[str, Coroutine[Any, Any, None]], None]
"""Has a chore done beside everything else."""


class Rooms:
    """Everything that the daemon works with."""

    def __init__(self, config: Config, specs: dict[str, RoleSpec], *, nixos_release: str | None, do: Do) -> None:
        self._config = config
        self._specs = specs
        self._nixos_release = nixos_release
        self._do = do
        self._engine_instance: Engine | None = None
        self._engine_loading = asyncio.Lock()
        self._assembling = asyncio.Lock()
        self._learning_assembling = asyncio.Lock()
        self.directory = Path(config.state.directory)
        self.database = Database(self.directory)
        self.store = KnowledgeStore(self.database, keeps_exchanges=config.logging.exchanges)
        self._lock = EngineLock()
        self._versions: Versions | None = None
        self.models = RoleModels(self.engine, specs, self._learned_examples, self._lock)
        self.health = EngineHealth(self.engine, self.models)
        self.admission = Admission(config.answering.max_running, config.answering.max_waiting, time.monotonic)
        self.assembly: Assembly | None = None
        self.learn_assembly: LearnAssembly | None = None
        self.next_builds: dict[str, datetime] = {}
        """When systemd's timers elapse next, by kind; in UTC."""
        self.answering = Answering(
            answerer=self._answerer,
            store=self.store,
            admission=self.admission,
            clock=time.monotonic,
            wall_clock=time.time,
        )

    async def engine(self) -> Engine:
        """What runs the models: a server, or what stands in front of several."""
        async with self._engine_loading:
            if self._engine_instance is None:
                # In a thread: it takes a fifth of a second, in which others are to be served.
                module = await asyncio.to_thread(importlib.import_module, "nix_trinity.engine_choice")
                engine: Engine = await asyncio.to_thread(module.make_engine, self._config)
                self._engine_instance = engine
            return self._engine_instance

    async def assembled(self) -> Assembly:
        """What answers questions."""
        async with self._assembling:
            if self.assembly is None:
                # In a thread, as the engine's library is.
                module = await asyncio.to_thread(importlib.import_module, "nix_trinity.answering.assembly")
                assembly: Assembly = module.assemble(
                    self._config,
                    engine=self.engine,
                    models=self.models,
                    store=self.store,
                    admission=self.admission,
                    nixos_release=self._nixos_release,
                    busy=lambda: self.answering.active > 0,
                )
                self.assembly = assembly
                self._do("index", assembly.corpus.refresh())
                self._do("vectors", assembly.embedder.run())
            return self.assembly

    async def learning(self) -> LearnAssembly:
        """What builds versions."""
        assembly = await self.assembled()
        async with self._learning_assembling:
            if self.learn_assembly is None:
                module = await asyncio.to_thread(importlib.import_module, "nix_trinity.training.assembly")
                learn: LearnAssembly = module.assemble(
                    self._config,
                    engine=self.engine,
                    database=self.database,
                    corpus=assembly.corpus,
                    versions=await self.versions(),
                    lock=self._lock,
                    host=await asyncio.to_thread(self._host, module),
                    inspector=assembly.inspector,
                    pipeline=assembly.pipeline,
                    specs=self._specs,
                    ready=self.models.ready,
                    switched=self.models.doubt,
                )
                self.learn_assembly = learn
            return self.learn_assembly

    async def watch(self) -> None:
        """End what a killed daemon had begun, and look out for what cannot wait for a timer.

        What is wrong with the learn line leaves the answers as they are; the log and its commands tell.
        """
        try:
            learn = await self.learning()
        except TrinityError as error:
            _log.error("nothing can be learned", code=error.stable_code, error=error.message)
            return
        try:
            ended = await learn.recover()
        except TrinityError as error:
            _log.warning("what was interrupted could not be ended", code=error.stable_code, error=error.message)
        else:
            if ended is not None:
                _log.warning("an interrupted deployment was ended", how=ended)
        if engine_places(self._config):
            await learn.watch.run()

    async def read_timers(self) -> None:
        """Keep up with when systemd's timers start the next builds; without a bus there is nothing to know."""
        module = await asyncio.to_thread(importlib.import_module, "nix_trinity.host.systemd")
        bus = module.SystemBus()
        while True:
            found = {kind: await bus.next_elapse(f"nix-trinity-{kind}.timer") for kind in _TIMERS}
            self.next_builds = {kind: at for kind, at in found.items() if at is not None}
            await asyncio.sleep(_BETWEEN_TIMER_LOOKS_SECONDS)

    @property
    def working(self) -> bool:
        """Whether something is being done that must not be cut short for being idle."""
        embedding = self.assembly is not None and self.assembly.embedder.working
        building = self.learn_assembly is not None and self.learn_assembly.service.runs.running is not None
        return self.answering.active > 0 or embedding or building

    async def stop_builds(self) -> None:
        """End the build that is at work; its row says that it was interrupted."""
        if self.learn_assembly is not None:
            await self.learn_assembly.close()

    async def close(self) -> None:
        """Let go of everything, once nothing is at work any more."""
        await self.stop_builds()
        await self.store.close()
        if self.assembly is not None:
            await self.assembly.corpus.close()
        if self._engine_instance is not None:
            await self._engine_instance.close()

    def _host(self, training: Any) -> Any:
        """What builds ask of the machine; the bus is connected to when something is asked of it."""
        settings = self._config.learning
        bus = importlib.import_module("nix_trinity.host.systemd").SystemBus()
        conditions = importlib.import_module("nix_trinity.host.conditions").Conditions(
            bus,
            on_battery=settings.on_battery,
            most_memory_pressure_percent=settings.most_memory_pressure_percent,
            beside_nix_builds=settings.beside_nix_builds,
        )
        return training.Host(conditions.holding, bus.start_unit, bus.inhibit)

    async def _answerer(self) -> Answers:
        return (await self.assembled()).answerer

    async def versions(self) -> Versions:
        """The folder of versions; one object for all, since it remembers what it has read."""
        if self._versions is None:
            module = await asyncio.to_thread(importlib.import_module, "nix_trinity.training.versions")
            self._versions = self._versions or module.Versions(self.directory / "versions")
        return self._versions

    async def _learned_examples(self, role: str) -> tuple[ChatMessage, ...]:
        """What the role's deployed version has learned, as the model is to have it."""
        if not (self.directory / "versions").is_dir():
            return ()
        return await asyncio.to_thread((await self.versions()).learned_messages, role)
