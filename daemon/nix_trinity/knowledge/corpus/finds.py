"""What the index holds for a question, as values."""

from __future__ import annotations

from dataclasses import dataclass

from nix_trinity.knowledge.options import Option
from nix_trinity.knowledge.packs import Pack


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option that may be meant, with what it is judged by."""

    id: int
    option: Option
    group: str
    name_stems: frozenset[str]
    last_stems: frozenset[str]
    """Of the path's last attribute."""
    set_stems: frozenset[str]
    """Of the attributes before it."""
    summary_stems: frozenset[str]
    mentions: int
    """How many other texts name it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of the manual, or a note."""

    id: int
    kind: str
    title: str
    anchor: str
    body: str
    options: tuple[str, ...]
    file: str
    score: float
    """BM25, greater is better; 0 for one that was found by its trigger."""
    pack: Pack | None = None
    """The pack that it is of; None for what is this system's own."""


@dataclass(frozen=True, slots=True)
class Rename:
    """An option's old and new name, and the first release that was seen to have the new one ('': not known)."""

    old: str
    new: str
    release: str


@dataclass(frozen=True, slots=True)
class Change:
    """What a new list of options did to one name: it ``came``, ``went``, or was ``renamed`` to ``successor``."""

    seen_at_ms: int
    from_release: str | None
    to_release: str | None
    change: str
    name: str
    successor: str | None
