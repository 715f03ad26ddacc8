"""What makes a build at once, instead of at the next timer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from nix_trinity.knowledge.sameness import likeness_block, same_question
from nix_trinity.training.topics import OTHER, topic_of

_MOST_UNANSWERED: Final = 500
# Groups of a block that a question is compared with: the cost stays bounded for questions made alike on purpose.
_MOST_COMPARED: Final = 50


@dataclass(frozen=True, slots=True)
class TriggerFacts:
    """What happened since the last build."""

    release: str | None
    """The NixOS release that the options are of now; None when it is not known."""
    built_for: str | None
    """The release that the last build was made for; None when there was none."""
    corrections: int
    bad: int
    unanswered: Sequence[str]
    """Questions that were not answered from what is known, newest first; 500 are looked at."""
    taken_back: int
    """How many exchanges in deployed versions were deleted or may not be taught any more."""


class Limits(Protocol):
    """The part of ``[learning]`` that counts here (config_sections.LearningSection)."""

    @property
    def corrections_for_build(self) -> int:
        """So many corrections."""
        ...

    @property
    def bad_for_build(self) -> int:
        """So many bad verdicts."""
        ...

    @property
    def unanswered_for_build(self) -> int:
        """So many unanswered questions that are alike."""
        ...


def reasons(facts: TriggerFacts, limits: Limits) -> list[str]:
    """Why to build at once, in words for people, the weightiest first; empty when nothing asks for it.

    No question is quoted: the reasons are written to the journal.
    """
    found: list[str] = []
    if facts.taken_back > 0:
        found.append(
            f"{_exchanges(facts.taken_back)} in deployed versions {_has(facts.taken_back)} been deleted or taken back"
        )
    if facts.release is not None and facts.built_for is not None and facts.release != facts.built_for:
        found.append(f"NixOS is {facts.release} now, and the last build was made for {facts.built_for}")
    if facts.corrections >= limits.corrections_for_build:
        found.append(f"{_answers(facts.corrections)} corrected since the last build")
    if facts.bad >= limits.bad_for_build:
        found.append(f"{_answers(facts.bad)} called bad since the last build")
    for group in _alike(facts.unanswered[:_MOST_UNANSWERED]):
        if len(group) >= limits.unanswered_for_build:
            topic = topic_of(group[0], ())
            about = "" if topic == OTHER else f" (about {topic})"
            found.append(f"the same question{about} was asked {len(group)} times and not answered")
    return found


def _alike(questions: Sequence[str]) -> list[list[str]]:
    """The questions in groups that ask the same, the greatest first."""
    blocks: dict[str, list[list[str]]] = {}
    groups: list[list[str]] = []
    for question in questions:
        block = blocks.setdefault(likeness_block(question), [])
        for group in block[:_MOST_COMPARED]:
            if same_question(group[0], question):
                group.append(question)
                break
        else:
            block.append([question])
            groups.append(block[-1])
    return sorted(groups, key=len, reverse=True)


def _exchanges(count: int) -> str:
    return "1 exchange" if count == 1 else f"{count} exchanges"


def _answers(count: int) -> str:
    return "1 answer was" if count == 1 else f"{count} answers were"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"
