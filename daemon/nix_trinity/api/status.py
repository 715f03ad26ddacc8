"""What ``/v1/status`` tells, gathered from the rooms."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nix_trinity import __version__
from nix_trinity.answering.admission import Admission
from nix_trinity.answering.health import EngineHealth
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.api import status_messages
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.role_engines import EnginePlace

if TYPE_CHECKING:
    # Loaded when the first question comes; status must not wait for it.
    from nix_trinity.answering.assembly import Assembly
    from nix_trinity.answering.retriever.embedding import Embedder
    from nix_trinity.knowledge.corpus.corpus import CorpusStatus


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the daemon runs. Memory in GiB."""

    activated: bool
    idle_timeout_seconds: float
    nixos_release: str | None
    tier: str
    ram_gib: float
    engines: tuple[EnginePlace, ...]
    """None: there is to be no engine."""


async def status_reply(
    facts: Facts,
    *,
    uptime_seconds: float,
    health: EngineHealth,
    models: RoleModels,
    admission: Admission,
    store: KnowledgeStore,
    assembly: Assembly | None,
    learning: status_messages.LearningStatus | None,
) -> status_messages.StatusReply:
    """The status as of now."""
    log = await store.status()
    engines = _engines(facts.engines, health, models.reloads)
    return status_messages.StatusReply(
        version=__version__,
        pid=os.getpid(),
        uptime_seconds=uptime_seconds,
        activated=facts.activated,
        idle_timeout_seconds=facts.idle_timeout_seconds,
        nixos_release=facts.nixos_release,
        tier=facts.tier,
        ram_gib=facts.ram_gib,
        engine=engines[0],
        engines=engines,
        roles=tuple(_role(models, role) for role in models.specs) if facts.engines else (),
        queue=status_messages.QueueStatus(
            admission.running, admission.waiting, admission.max_running, admission.max_waiting
        ),
        logging=status_messages.LoggingStatus(log.state, log.reason, log.path, log.size_bytes, log.exchanges),
        corpus=await _corpus(assembly),
        learning=learning,
    )


def _engines(
    places: Sequence[EnginePlace], health: EngineHealth, reloads: int
) -> tuple[status_messages.EngineStatus, ...]:
    if not places:
        return (status_messages.EngineStatus("off", "", None, None, None, reloads),)
    told: list[status_messages.EngineStatus] = []
    for place in places:
        state = health.engines.get(place.url)
        error = state.error if state is not None else None
        told.append(
            status_messages.EngineStatus(
                kind=place.kind,
                url=place.url,
                reachable=state.reachable if state is not None else None,
                version=state.version if state is not None else None,
                error=str(error).replace("\n", " ") if error else None,
                reloads=reloads,
                roles=place.roles,
            )
        )
    return tuple(told)


async def _corpus(assembly: Assembly | None) -> status_messages.CorpusStatus:
    found = await assembly.corpus.status() if assembly is not None else None
    vectors = _vectors(assembly.embedder) if assembly is not None else None
    if found is None:
        return status_messages.CorpusStatus("indexing", None, 0, 0, 0, vectors, ())
    state = "ready" if found.options else "missing"
    return status_messages.CorpusStatus(
        state, found.release, found.options, found.notes, found.manual_passages, vectors, found.problems, _packs(found)
    )


def _packs(found: CorpusStatus) -> tuple[status_messages.PackStatus, ...]:
    return tuple(
        status_messages.PackStatus(one.pack.name, one.pack.revision, one.pack.licence, one.notes, one.exchanges)
        for one in found.packs
    )


def _vectors(embedder: Embedder) -> status_messages.VectorsStatus | None:
    if not embedder.model:
        return None
    done, whole = (embedder.progress.done, embedder.progress.all) if embedder.progress is not None else (0, 0)
    return status_messages.VectorsStatus(
        embedder.model, done, whole, str(embedder.problem) if embedder.problem else None
    )


def _role(models: RoleModels, role: str) -> status_messages.RoleStatus:
    spec, known, problem = models.specs[role], models.known(role), models.problem(role)
    return status_messages.RoleStatus(
        role=role,
        model=spec.model,
        base=spec.base,
        num_ctx=known.num_ctx if known else spec.num_ctx,
        state="ready" if known else "missing" if problem else "unknown",
        version=known.version if known else None,
        hint=str(problem).replace("\n", " ") if problem else None,
    )
