"""What ``GET /v1/status`` tells (docs/reference/protocol.md)."""

from __future__ import annotations

import msgspec


class EngineStatus(msgspec.Struct, frozen=True):
    """The engine as the last probe found it; ``reachable`` is null before the first one.

    ``kind`` is ollama, openai (a server with OpenAI's API), or off where there is to be none: then there are no roles'
    models either.
    """

    kind: str
    url: str
    reachable: bool | None
    version: str | None
    error: str | None
    reloads: int
    """How often a model had to be loaded again for a role that had answered before; of all engines."""
    roles: tuple[str, ...] = ()
    """The roles whose models are there."""


class RoleStatus(msgspec.Struct, frozen=True):
    """A role's model; ``state`` is ready, missing or unknown."""

    role: str
    model: str
    base: str
    num_ctx: int
    state: str
    version: str | None
    hint: str | None


class QueueStatus(msgspec.Struct, frozen=True):
    """Questions at work, and the limits."""

    running: int
    waiting: int
    max_running: int
    max_waiting: int


class LoggingStatus(msgspec.Struct, frozen=True):
    """Whether exchanges are kept (on, off, unavailable), and where."""

    state: str
    reason: str
    path: str
    size_bytes: int
    exchanges: int | None


class VectorsStatus(msgspec.Struct, frozen=True):
    """How many of the texts to be embedded have their vector."""

    model: str
    done: int
    all: int
    problem: str | None


class PackStatus(msgspec.Struct, frozen=True):
    """A knowledge pack that is indexed, and how much of it is."""

    name: str
    revision: str
    """Empty where none is known."""
    licence: str
    notes: int
    exchanges: int


class CorpusStatus(msgspec.Struct, frozen=True):
    """What answers are grounded in; ``state`` is indexing, ready or missing (no options)."""

    state: str
    release: str | None
    options: int
    notes: int
    manual_passages: int
    vectors: VectorsStatus | None
    """Null when no embedding model is configured."""
    problems: tuple[str, ...]
    packs: tuple[PackStatus, ...] = ()


class LearningStatus(msgspec.Struct, frozen=True):
    """Builds: the one that is running, when each kind last succeeded, and when systemd's timers start the next ones.

    Times are in ISO 8601, UTC; a timer that is not there, or that systemd says nothing of, is left out.
    """

    running: str | None
    last_success: dict[str, str]
    next: dict[str, str]


class StatusReply(msgspec.Struct, frozen=True):
    """``GET /v1/status``."""

    version: str
    pid: int
    uptime_seconds: float
    activated: bool
    idle_timeout_seconds: float
    nixos_release: str | None
    tier: str
    ram_gib: float
    engine: EngineStatus
    """The first of ``engines``."""
    engines: tuple[EngineStatus, ...]
    roles: tuple[RoleStatus, ...]
    queue: QueueStatus
    logging: LoggingStatus
    corpus: CorpusStatus
    learning: LearningStatus | None
    """Null until the learn line is loaded, half a second after the start."""
