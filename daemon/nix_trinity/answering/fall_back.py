"""Whose model answers in place of one whose engine is away, where a person's configuration says that one may."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from nix_trinity.engines.protocol import EngineSource
from nix_trinity.errors import EngineError

_MODEL = "nix-{role}"


@dataclass(frozen=True, slots=True)
class StandIn:
    """Another role, whose model is on another engine."""

    role: str
    engine: str
    """What its engine is called in a sentence."""

    def notice(self, role: str, error: EngineError) -> str:
        """What the person is told."""
        return (
            f"The engine of {role} cannot be asked ({error.message.rstrip('.')}), so the model of {self.role} answers, in "
            f"{self.engine}."
        )


class FallBack:
    """The order of ``[models] fall_back``; empty: nobody stands in."""

    def __init__(self, engine: EngineSource, order: Sequence[str]) -> None:
        self._engine = engine
        self._order = tuple(order)

    async def for_role(self, role: str) -> AsyncIterator[StandIn]:
        """Who may answer for the role, in order: one role of each other engine, since an engine that is away is so for all."""
        if not self._order:
            return
        engines = await self._engine()
        tried = {engines.of(_MODEL.format(role=role)).label}
        for other in self._order:
            label = engines.of(_MODEL.format(role=other)).label
            if label not in tried:
                tried.add(label)
                yield StandIn(other, label)
