"""What a build tells while it works: the events of ``POST /v1/builds`` (docs/reference/protocol.md)."""

from __future__ import annotations

from typing import Literal

import msgspec

Step = Literal["check", "analyse", "select", "create", "evaluate", "decide", "deploy", "prune"]


class BuildStarted(msgspec.Struct, frozen=True, tag_field="event", tag="build_started"):
    """The build is at work."""

    id: str
    kind: str
    roles: tuple[str, ...]
    reason: str


class BuildStep(msgspec.Struct, frozen=True, tag_field="event", tag="build_step"):
    """How far one step is: ``done`` of ``total`` pieces of work; ``role`` is '' for what all roles share."""

    role: str
    step: Step
    done: int
    total: int
    text: str


class RoleResult(msgspec.Struct, frozen=True, tag_field="event", tag="role_result"):
    """What became of one role. ``result``: deployed, rejected, nothing_new or failed."""

    role: str
    result: str
    version: str | None
    previous: str | None
    added: int
    dropped: int
    why: str


class BuildEnded(msgspec.Struct, frozen=True, tag_field="event", tag="build_ended"):
    """The last event. ``state``: done, nothing_new, not_due (``why``: until when) or put_off (what holds it)."""

    id: str
    state: str
    why: str
    seconds: float


BuildEvent = BuildStarted | BuildStep | RoleResult | BuildEnded
