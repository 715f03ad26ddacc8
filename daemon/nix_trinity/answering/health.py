"""Whether the engine is there, watched from the daemon's start on, so that nobody has to restart anything.

Probes load nothing: they ask for the version and the list of models, and make role models that are missing.
"""

from __future__ import annotations

import asyncio

import structlog

from nix_trinity.answering.role_models import RoleModels
from nix_trinity.engines.protocol import EngineSource
from nix_trinity.errors import EngineError

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

_log = structlog.get_logger("engine")


class EngineHealth:
    """What the last probe found. ``reachable`` is None until there has been one."""

    def __init__(self, engine: EngineSource, models: RoleModels) -> None:
        self.reachable: bool | None = None
        self.version: str | None = None
        self.error: EngineError | None = None
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
            engine = await self._engine()
            self.version = await engine.version()
            await self._models.check_all()
        except EngineError as error:
            self.reachable, self.error = False, error
        else:
            self.reachable, self.error = True, None
        if (self.reachable, self.missing_roles) != before:
            self._log_change()

    def _log_change(self) -> None:
        if self.error is not None:
            _log.warning("engine unreachable", code=self.error.stable_code, error=self.error.message)
        elif self.missing_roles:
            problem = self._models.problem(self.missing_roles[0])
            _log.warning("models missing", roles=self.missing_roles, error=problem.message if problem else None)
        else:
            _log.info("engine ready", version=self.version)
