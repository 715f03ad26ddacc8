"""The protocol's messages of the learn line (docs/reference/protocol.md). Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from nix_trinity.api.messages import ErrorEvent
from nix_trinity.knowledge.learning import Build, BuildKind, BuildState, Decision, Lesson
from nix_trinity.training.progress import BuildEnded, BuildStarted, BuildStep, RoleResult
from nix_trinity.training.version import Manifest

Month = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Reason = Annotated[str, msgspec.Meta(max_length=200)]

BuildStreamEvent = BuildStarted | BuildStep | RoleResult | BuildEnded | ErrorEvent
"""The events of ``POST /v1/builds``."""


class BuildRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/builds``. No roles: all of them. ``force``: also when it is not due, or something holds it."""

    EXAMPLE: ClassVar = {"kind": "weekly"}

    kind: BuildKind
    roles: tuple[str, ...] = ()
    force: bool = False
    reason: Reason = ""
    """Why it is asked for, in words; kept with the build."""


class BuildEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One build; ``results`` has one object a role, as the event ``role_result``."""

    id: str
    kind: BuildKind
    state: BuildState
    roles: tuple[str, ...]
    reason: str
    started_at_ms: int
    ended_at_ms: int | None
    results: tuple[dict[str, Any], ...]
    error_code: str | None
    error: str | None


def build_entry(build: Build) -> BuildEntry:
    """A build as the protocol writes it."""
    fields = msgspec.structs.asdict(build)
    return BuildEntry(**{**fields, "results": msgspec.json.decode(build.results, type=tuple[dict[str, Any], ...])})


class BuildsReply(msgspec.Struct, frozen=True):
    """``GET /v1/builds``: newest first."""

    builds: tuple[BuildEntry, ...]


class VersionsReply(msgspec.Struct, frozen=True):
    """``GET /v1/versions``: newest first."""

    versions: tuple[Manifest, ...]


class RollbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/rollback``. No version: the one that was deployed before."""

    EXAMPLE: ClassVar = {"role": "expert"}

    role: str
    version: str | None = None


class PruneRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/prune``. ``dry_run``: only say what would go."""

    EXAMPLE: ClassVar = {"dry_run": True}

    dry_run: bool = False


class CandidatesReply(msgspec.Struct, frozen=True):
    """``GET /v1/review``: what waits for an operator's word, most valuable first."""

    candidates: tuple[Lesson, ...]


class ReviewRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/review``. ``id`` may be the beginning of one. With ``correction`` that answer is accepted."""

    EXAMPLE: ClassVar = {"id": "k3f9", "decision": "accepted"}

    id: str
    decision: Decision
    correction: str | None = None
    seen: str | None = None
    """The answer that was looked at: where it is another one by now, nothing is decided."""


class ReviewReply(msgspec.Struct, frozen=True):
    """What became of a reviewed exchange, and what the check of a correction found in it."""

    lesson: Lesson
    notices: tuple[str, ...] = ()


class ConsentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``PUT /v1/consent``: whether models may learn from one's own exchanges."""

    EXAMPLE: ClassVar = {"allows": True}

    allows: bool


class ConsentReply(msgspec.Struct, frozen=True):
    """One's own word (null: none yet), and what holds for people who said nothing."""

    allows: bool | None
    by_default: bool


class ReportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/reports``. No month: the current one so far."""

    EXAMPLE: ClassVar = {"month": "2026-11"}

    month: Month | None = None
