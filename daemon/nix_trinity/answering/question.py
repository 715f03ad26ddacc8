"""The values of the ask line: a question on its way in, and the events on their way out.

The events are also the protocol's stream (docs/reference/protocol.md): a renamed field breaks clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asked, and how. Texts are as they came, not yet redacted."""

    text: str
    uid: int
    interface: str
    attachment: str = ""
    role: str | None = None
    level: str | None = None
    session: str | None = None
    continues: bool = False
    """Go on with the person's newest session."""
    keep: bool = True
    """Whether this exchange may be kept at all."""
    local_time: str | None = None
    fresh: bool = False
    """Whether a model is to answer, also where the answer is known."""
    follows: tuple[str, ...] = ()
    """The exchanges of the session that went before, oldest first; none: all of the session's."""
    before: str = ""
    """What was said before, as another program has it: data, that nobody vouches for."""
    wishes: str = ""
    """How the person's program wants to be answered: as much as their own words, and no more."""


class Queued(msgspec.Struct, frozen=True, tag_field="event", tag="queued"):
    """The question waits for a place; ``position`` counts from 1."""

    id: str
    position: int


class Started(msgspec.Struct, frozen=True, tag_field="event", tag="started"):
    """The model is at work (``model`` is '' where none is). ``notices`` are for the person to read."""

    id: str
    session: str
    role: str
    role_reason: str
    model: str
    model_version: str
    notices: tuple[str, ...]
    known: str | None = None
    """The exchange whose accepted answer is given again; None for a new answer."""


class Text(msgspec.Struct, frozen=True, tag_field="event", tag="text"):
    """The next piece of the answer."""

    text: str


class Source(msgspec.Struct, frozen=True):
    """What an answer is grounded in: an option (``where``: its declaration), a note, a piece of the manual or an exchange.

    ``pack``: a note or an exchange of a knowledge pack (``where``: the pack, its revision and licence).
    ``past``: the model was given the exchange's answer; ``known``: this is the exchange's answer, and no model's.
    """

    kind: str
    name: str
    where: str


def pack_sources(sources: str) -> list[Source]:
    """Those of a row's sources (JSON) that are of a knowledge pack."""
    if '"pack"' not in sources:
        return []
    return [one for one in msgspec.json.decode(sources, type=list[Source]) if one.kind == "pack"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the check of an answer came to: its verdict, sources, and what the person is to be told of it."""

    verdict: str
    sources: tuple[Source, ...]
    notices: tuple[str, ...] = ()
    all_names_wrong: bool = False
    """Whether the answer names options of which not one exists."""
    option_types: Mapping[str, str] = field(default_factory=dict)
    """The options that the answer names and that exist, with the texts of their types."""


class Ended(msgspec.Struct, frozen=True, tag_field="event", tag="ended"):
    """The answer is whole, and kept if ``kept`` says so. Times in milliseconds, tokens as the engine counted."""

    id: str
    outcome: str
    kept: bool
    truncated: bool
    queue_ms: float
    first_token_ms: float | None
    total_ms: float
    prompt_tokens: int | None
    answer_tokens: int | None
    verdict: str
    """verified, corrected, flagged or ungrounded: see docs/explanation/grounding.md."""
    sources: tuple[Source, ...]
    options_release: str | None
    """The NixOS release that the options are of, by which the answer was checked."""
    degraded: str | None
    """Why no model answered, as an error's code; None for an answer of a model."""
    cut_off: bool
    """Whether the answer ran into the limit of its length."""
    notices: tuple[str, ...]


Event = Queued | Started | Text | Ended
