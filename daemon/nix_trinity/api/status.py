"""What ``/v1/status`` tells, gathered from the rooms."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nix_trinity import __version__
from nix_trinity.answering.admission import Admission
from nix_trinity.answering.health import EngineHealth
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.api import status_messages
from nix_trinity.knowledge.store import KnowledgeStore

if TYPE_CHECKING:
    # Loaded when the first question comes; status must not wait for it.
    from nix_trinity.answering.assembly import Assembly
    from nix_trinity.answering.retriever.embedding import Embedder


@dataclass(frozen=True, slots=True)
class Facts:
    """What does not change while the daemon runs. Memory in GiB."""

    activated: bool
    idle_timeout_seconds: float
    nixos_release: str | None
    tier: str
    ram_gib: float
    engine_url: str | None
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
    return status_messages.StatusReply(
        version=__version__,
        pid=os.getpid(),
        uptime_seconds=uptime_seconds,
        activated=facts.activated,
        idle_timeout_seconds=facts.idle_timeout_seconds,
        nixos_release=facts.nixos_release,
        tier=facts.tier,
        ram_gib=facts.ram_gib,
        engine=status_messages.EngineStatus(
            kind="ollama" if facts.engine_url is not None else "off",
            url=facts.engine_url or "",
            reachable=health.reachable,
            version=health.version,
            error=str(health.error).replace("\n", " ") if health.error else None,
            reloads=models.reloads,
        ),
        roles=tuple(_role(models, role) for role in models.specs) if facts.engine_url is not None else (),
        queue=status_messages.QueueStatus(
            admission.running, admission.waiting, admission.max_running, admission.max_waiting
        ),
        logging=status_messages.LoggingStatus(log.state, log.reason, log.path, log.size_bytes, log.exchanges),
        corpus=await _corpus(assembly),
        learning=learning,
    )


async def _corpus(assembly: Assembly | None) -> status_messages.CorpusStatus:
    found = await assembly.corpus.status() if assembly is not None else None
    vectors = _vectors(assembly.embedder) if assembly is not None else None
    if found is None:
        return status_messages.CorpusStatus("indexing", None, 0, 0, 0, vectors, ())
    state = "ready" if found.options else "missing"
    return status_messages.CorpusStatus(
        state, found.release, found.options, found.notes, found.manual_passages, vectors, found.problems
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
