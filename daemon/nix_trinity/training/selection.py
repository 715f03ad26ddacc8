"""Which lessons a version teaches: its whole set of examples, under a budget of tokens.

What is chosen does not depend on what the version before had, only its place does: what stays keeps its place, so that
the engine's prefix cache and the differences between versions stay small.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nix_trinity.knowledge.learning import Lesson
from nix_trinity.knowledge.sameness import likeness_block, same_question
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens
from nix_trinity.training.version import Learned

_HALF_LIFE_MS: Final = 180 * 86_400_000
# What each further example of a topic counts, compared with the one before.
_NEXT_OF_TOPIC: Final = 0.75
_OTHER_ROLE: Final = 0.5
_MESSAGES: Final = 2
# most_tokens counts at least one token for four characters: three letters and the blank before them.
_MOST_CHARACTERS_A_TOKEN: Final = 4

_Entry = tuple[float, int, str, str, str, Lesson]
"""Score, time, id and texts decide in this order, so that the order in which lessons come does not."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The examples of a version in order, and how they differ from the current ones.

    An example whose question or answer changed is both: dropped as it was and added as it is, in its place.
    """

    learned: tuple[Learned, ...]
    added: tuple[Learned, ...]
    dropped: tuple[Learned, ...]
    tokens: int


def tokens_of(learned: Iterable[Learned]) -> int:
    """How many tokens examples take at most."""
    return sum(_tokens(one.question, one.answer) for one in learned)


def select(
    current: Sequence[Learned], lessons: Iterable[Lesson], *, role: str, budget_tokens: int, now_ms: int
) -> Selection:
    """Choose the examples of ``role`` from the eligible lessons of all roles; others are passed over.

    Corrections go first, other roles' too, at half their value; confirmed exchanges only of the role itself. Lessons
    are gone through once. An example that does not fit is skipped, never cut.
    """
    corrections, confirmations = _Pool(budget_tokens), _Pool(budget_tokens)
    for lesson in lessons:
        if lesson.state != "eligible":
            continue
        if lesson.kind == "corrected":
            share = 1.0 if lesson.role == role else _OTHER_ROLE
            corrections.offer(lesson, share * _score(lesson, now_ms))
        elif lesson.kind == "confirmed" and lesson.role == role:
            confirmations.offer(lesson, _score(lesson, now_ms))
    choice = _Choice(budget_tokens)
    choice.take_from(corrections)
    choice.take_from(confirmations)
    return _ordered(current, choice)


def _score(lesson: Lesson, now_ms: int) -> float:
    age_ms = max(now_ms - lesson.judged_at_ms, 0)
    return lesson.value * float(0.5 ** (age_ms / _HALF_LIFE_MS))


def _tokens(question: str, answer: str) -> int:
    return most_tokens(question) + most_tokens(answer) + _MESSAGES * TOKENS_A_MESSAGE


def _least_tokens(lesson: Lesson) -> int:
    """Never above the tokens, and without reading the text."""
    return (len(lesson.question) + len(lesson.answer)) // _MOST_CHARACTERS_A_TOKEN + _MESSAGES * TOKENS_A_MESSAGE


def _surely_fits(lesson: Lesson, budget_tokens: int) -> bool:
    most_a_character = 1 if lesson.question.isascii() and lesson.answer.isascii() else 4
    characters = len(lesson.question) + len(lesson.answer)
    return characters * most_a_character + _MESSAGES * TOKENS_A_MESSAGE <= budget_tokens


class _Pool:
    """The best lessons of each topic and size: as many as could fit, so that memory does not grow with all there are."""

    def __init__(self, budget_tokens: int) -> None:
        self._budget = budget_tokens
        self._heaps: dict[tuple[str, int], list[_Entry]] = {}

    def offer(self, lesson: Lesson, score: float) -> None:
        least = _least_tokens(lesson)
        if least > self._budget:
            return
        size = least.bit_length()
        heap = self._heaps.get((lesson.topic, size), [])
        entry = (score, lesson.judged_at_ms, lesson.exchange_id, lesson.question, lesson.answer, lesson)
        # Each of this size takes 2 ** (size - 1) tokens or more.
        is_full = len(heap) >= self._budget >> (size - 1)
        if is_full and entry[:5] <= heap[0][:5]:
            return
        # One that is too large must not take the place of one that fits.
        if not _surely_fits(lesson, self._budget) and _tokens(lesson.question, lesson.answer) > self._budget:
            return
        if is_full:
            heapq.heapreplace(heap, entry)
        else:
            heapq.heappush(heap, entry)
            self._heaps[lesson.topic, size] = heap

    def by_topic(self) -> dict[str, list[_Entry]]:
        """The entries of each topic, the best last."""
        topics: dict[str, list[_Entry]] = {}
        for (topic, _), heap in self._heaps.items():
            topics.setdefault(topic, []).extend(heap)
        for entries in topics.values():
            entries.sort(key=lambda entry: entry[:5])
        return topics


class _Choice:
    """What is chosen so far."""

    def __init__(self, budget_tokens: int) -> None:
        self.left = budget_tokens
        self.tokens = 0
        self.lessons: dict[str, Lesson] = {}
        self._of_topic: dict[str, int] = {}
        self._clusters: set[str] = set()
        self._blocks: dict[str, list[str]] = {}

    def take_from(self, pool: _Pool) -> None:
        """Take the best, again and again; what a topic has already makes its next one count less."""
        topics = pool.by_topic()
        queue = [(self._worth(topic, entries), topic) for topic, entries in topics.items()]
        heapq.heapify(queue)
        while queue:
            _, topic = heapq.heappop(queue)
            entries = topics[topic]
            self._consider(entries.pop()[5])
            if entries:
                heapq.heappush(queue, (self._worth(topic, entries), topic))

    def _worth(self, topic: str, entries: Sequence[_Entry]) -> tuple[float, int, str]:
        """Least for the best, as heapq wants it."""
        score, judged_at_ms, exchange_id = entries[-1][:3]
        return -score * float(_NEXT_OF_TOPIC ** self._of_topic.get(topic, 0)), -judged_at_ms, exchange_id

    def _consider(self, lesson: Lesson) -> None:
        if _least_tokens(lesson) > self.left or lesson.exchange_id in self.lessons:
            return
        # A correction is never left out for being like another one.
        if lesson.kind != "corrected" and self._has_nearly(lesson):
            return
        tokens = _tokens(lesson.question, lesson.answer)
        if tokens > self.left:
            return
        self.left -= tokens
        self.tokens += tokens
        self.lessons[lesson.exchange_id] = lesson
        self._of_topic[lesson.topic] = self._of_topic.get(lesson.topic, 0) + 1
        self._clusters.add(lesson.cluster)
        self._blocks.setdefault(likeness_block(lesson.question), []).append(lesson.question)

    def _has_nearly(self, lesson: Lesson) -> bool:
        if lesson.cluster in self._clusters:
            return True
        alike = self._blocks.get(likeness_block(lesson.question), ())
        return any(same_question(question, lesson.question) for question in alike)


def _ordered(current: Sequence[Learned], choice: _Choice) -> Selection:
    chosen = {exchange_id: _learned(lesson) for exchange_id, lesson in choice.lessons.items()}
    learned: dict[str, Learned] = {}
    added: list[Learned] = []
    dropped: list[Learned] = []
    for old in current:
        new = chosen.get(old.id)
        if new is None or old.id in learned:
            dropped.append(old)
            continue
        learned[old.id] = new
        if (new.question, new.answer) != (old.question, old.answer):
            dropped.append(old)
            added.append(new)
    for new in sorted(chosen.values(), key=lambda one: (one.judged_at_ms, one.id)):
        if new.id not in learned:
            learned[new.id] = new
            added.append(new)
    return Selection(tuple(learned.values()), tuple(added), tuple(dropped), choice.tokens)


def _learned(lesson: Lesson) -> Learned:
    kind: Literal["corrected", "confirmed"] = "corrected" if lesson.kind == "corrected" else "confirmed"
    return Learned(
        id=lesson.exchange_id,
        question=lesson.question,
        answer=lesson.answer,
        kind=kind,
        topic=lesson.topic,
        judged_by=lesson.judged_by,
        by_operator=lesson.by_operator,
        judged_at_ms=lesson.judged_at_ms,
        options_release=lesson.options_release,
    )
