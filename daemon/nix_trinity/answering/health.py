"""Whether the engine is there, watched from the daemon's start on, so that nobody has to restart anything.

Probes load nothing: they ask for the version and the list of models, and make role models that are missing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from nix_trinity.answering.role_models import RoleModels
from nix_trinity.engines.by_role import ByRole
from nix_trinity.engines.protocol import Engine, EngineSource
from nix_trinity.errors import EngineError

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

_log = structlog.get_logger("engine")


@dataclass(frozen=True, slots=True)
class EngineState:
    """What the last probe found of one engine."""

    reachable: bool
    version: str | None = None
    error: EngineError | None = None


class EngineHealth:
    """What the last probe found. ``reachable`` is None until there has been one, and true when all engines are."""

    def __init__(self, engine: EngineSource, models: RoleModels) -> None:
        self.reachable: bool | None = None
        self.version: str | None = None
        self.error: EngineError | None = None
        self.engines: dict[str, EngineState] = {}
        """By address."""
        self._engine = engine
        self._models = models

    async def watch(self, *, first_after_seconds: float) -> None:
        """Probe for ever: each minute while all is well, from 1 s on and ever more slowly while it is not."""
        pause = first_after_seconds
        failing = _FIRST_PAUSE_SECONDS
        while True:
            await asyncio.sleep(pause)
            await self.probe()
            well = self.reachable and not self.missing_roles
            pause = _LONGEST_PAUSE_SECONDS if well else failing
            failing = _FIRST_PAUSE_SECONDS if well else min(failing * 2, _LONGEST_PAUSE_SECONDS)

    @property
    def missing_roles(self) -> list[str]:
        """The roles whose model could not be had when last looked for."""
        return [role for role in self._models.specs if self._models.problem(role) is not None]

    async def probe(self) -> None:
        """Look once, and log what changed."""
        before = (self.reachable, self.missing_roles)
        try:
            await self._probe_engines(await self._engine())
            await self._models.check_all()
        except EngineError as error:
            self.reachable, self.error = False, error
        else:
            away = [state.error for state in self.engines.values() if not state.reachable]
            self.reachable, self.error = not away, away[0] if away else None
        if (self.reachable, self.missing_roles) != before:
            self._log_change()

    async def _probe_engines(self, engine: Engine) -> None:
        """Ask each for its version. Where there is one alone, what it raises is raised."""
        engines = [part.engine for part in engine.parts] if isinstance(engine, ByRole) else [engine]
        found: dict[str, EngineState] = {}
        for one in engines:
            try:
                found[one.url] = EngineState(True, await one.version())
            except EngineError as error:
                found[one.url] = EngineState(False, error=error)
        self.engines = found
        first = found[engines[0].url]
        self.version = first.version or self.version
        if len(found) == 1 and first.error is not None:
            raise first.error

    def _log_change(self) -> None:
        if self.error is not None:
            _log.warning("engine unreachable", code=self.error.stable_code, error=self.error.message)
        elif self.missing_roles:
            problem = self._models.problem(self.missing_roles[0])
            _log.warning("models missing", roles=self.missing_roles, error=problem.message if problem else None)
        else:
            _log.info("engine ready", version=self.version)
