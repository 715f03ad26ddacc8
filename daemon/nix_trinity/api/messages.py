"""The protocol's messages (docs/reference/protocol.md). Unknown fields are refused, so that no typo goes unseen."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from nix_trinity.answering.question import Source
from nix_trinity.knowledge.exchanges import Exchange

MOST_QUESTION_CHARACTERS = 16_384
MOST_ATTACHMENT_CHARACTERS = 2_097_152
MOST_HISTORY = 1_000

SessionName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
LocalTime = Annotated[str, msgspec.Meta(pattern=r"^[0-9T:+ .-]{1,40}$")]
Level = Literal["beginner", "intermediate", "expert"]
Verdict = Literal["good", "bad", "corrected"]


class AskRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/ask``."""

    question: str
    attachment: str = ""
    """Text that the question is about: a log, an error, a file. Data, never instructions."""
    role: str | None = None
    level: Level | None = None
    session: SessionName | None = None
    continues: bool = msgspec.field(default=False, name="continue")
    """Go on with the person's newest session."""
    log: bool = True
    """False: nothing of this exchange is kept."""
    stream: bool = True
    """False: one JSON object at the end in place of a stream of events."""
    local_time: LocalTime | None = None
    fresh: bool = False
    """True: a model answers, also where an answer is known that was confirmed before."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to ``POST /v1/ask`` with ``"stream": false``."""

    id: str
    session: str
    role: str
    role_reason: str
    model: str
    model_version: str
    answer: str
    outcome: str
    kept: bool
    truncated: bool
    queue_ms: float
    first_token_ms: float | None
    total_ms: float
    prompt_tokens: int | None
    answer_tokens: int | None
    verdict: str
    sources: tuple[Source, ...]
    options_release: str | None
    degraded: str | None
    cut_off: bool
    """Whether it ran into the limit of its length."""
    notices: tuple[str, ...]
    known: str | None
    """The exchange whose confirmed answer this is, given again without a model; null for a new answer."""


class OptionFound(msgspec.Struct, frozen=True):
    """An option that the search found; texts as the list of options has them, ``snippet`` is Nix code or ''."""

    name: str
    type: str
    default: str
    example: str
    description: str
    declarations: tuple[str, ...]
    snippet: str
    score: float
    why: dict[str, float]
    """The features that speak for it, each times its weight."""


class NoteFound(msgspec.Struct, frozen=True):
    """A note or a passage of the manual that the search found."""

    kind: str
    title: str
    where: str
    text: str


class OptionsReply(msgspec.Struct, frozen=True):
    """``GET /v1/options?q=WORDS``: best first. ``confident``: the best one passes the threshold."""

    options: tuple[OptionFound, ...]
    notes: tuple[NoteFound, ...]
    confident: bool
    release: str | None


class FeedbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/feedback``. ``id`` may be the beginning of one, or empty for the person's last exchange."""

    verdict: Verdict
    id: str = ""
    correction: str | None = None


class FeedbackReply(msgspec.Struct, frozen=True):
    """What was judged, and how. ``notices``: what the check of a correction found, for the person to read."""

    id: str
    verdict: str
    notices: tuple[str, ...] = ()


class ForgetReply(msgspec.Struct, frozen=True):
    """What was removed for good."""

    id: str


class FeedbackEntry(msgspec.Struct, frozen=True):
    """One person's verdict."""

    given_at_ms: int
    uid: int
    verdict: str
    correction: str | None


class ExchangeReply(msgspec.Struct, frozen=True):
    """``GET /v1/history/{id}``: one exchange whole."""

    exchange: Exchange
    feedback: tuple[FeedbackEntry, ...]


class HistoryReply(msgspec.Struct, frozen=True):
    """``GET /v1/history``: newest first."""

    exchanges: tuple[Exchange, ...]


class ErrorDetail(msgspec.Struct, frozen=True):
    """What happened and why, the next thing to do, and a code that never changes."""

    code: str
    message: str
    hint: str


class ErrorReply(msgspec.Struct, frozen=True):
    """The one shape of all errors."""

    error: ErrorDetail


class ErrorEvent(msgspec.Struct, frozen=True, tag_field="event", tag="error"):
    """The last event of a stream that cannot go on."""

    error: ErrorDetail
