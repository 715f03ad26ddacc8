"""The values of the learn line that are kept in knowledge.db. Times are Unix times in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

LessonKind = Literal["corrected", "confirmed", "unjudged", "bad"]
LessonState = Literal["eligible", "held_out", "duplicate", "excluded", "review"]
BuildKind = Literal["weekly", "monthly", "immediate", "manual"]
BuildState = Literal["running", "done", "nothing_new", "put_off", "failed"]
Decision = Literal["accepted", "rejected"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """An answered exchange with every word on it: what the quality analysis looks at."""

    id: str
    uid: int
    asked_at_ms: int
    session: str
    role: str
    question: str
    has_attachment: bool
    answer: str
    """The answer that counts: the renewed one, else the correction, else what was given."""
    given_answer: str
    """What was answered at the time."""
    check: str | None
    """What the check of the answer that counts came to: verified, corrected, flagged, ungrounded."""
    option_types: Mapping[str, str]
    """The options that the answer names, with the types that they had."""
    options_release: str | None
    learnable: bool
    word: str | None
    """The newest verdict: good, bad, corrected; None when nobody judged."""
    judged_by: int | None
    judged_at_ms: int | None
    by_operator: bool
    good_from: int
    """From how many different people the newest word is ``good`` or ``corrected``."""
    review: Decision | None
    set_aside: str | None
    """Why a change of the options made it untrue; None when it holds."""
    allows: bool | None
    """The asker's consent; None when they said nothing."""
    asked_again: int
    """How often the same person asked nearly the same within the next day."""
    followed_up_in_doubt: bool
    """Whether the next question of the session says that the answer did not help."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """What the quality analysis made of an exchange: one row of ``lessons``."""

    exchange_id: str
    role: str
    topic: str
    kind: LessonKind
    state: LessonState
    reason: str
    value: float
    cluster: str
    question: str
    answer: str
    option_types: Mapping[str, str] = {}
    judged_by: int | None = None
    by_operator: bool = False
    judged_at_ms: int = 0
    options_release: str | None = None


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """One build: one row of ``builds``. ``results`` is JSON, one object a role."""

    id: str
    kind: BuildKind
    state: BuildState
    roles: tuple[str, ...]
    reason: str
    started_at_ms: int
    results: str = "[]"
    error_code: str | None = None
    error: str | None = None
    ended_at_ms: int | None = None
