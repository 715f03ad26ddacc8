"""Of lessons that ask the same, one counts: a correction before a confirmation, an operator's word before others'."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from nix_trinity.knowledge.learning import Lesson
from nix_trinity.knowledge.sameness import likeness_block, same_question

# So many groups of a block are compared with a question; blocks are small, but for those that someone made on purpose.
_MOST_COMPARED = 50
_IN_QUESTION = frozenset({"eligible", "held_out", "duplicate"})


def held_out(cluster: str, share: float) -> bool:
    """Whether confirmed exchanges of a cluster are kept for evaluation: the same at each call, for about ``share``."""
    number = int.from_bytes(hashlib.sha256(f"held-out:{cluster}".encode()).digest()[:8], "big")
    return number < share * 2**64


def merge(lessons: Sequence[Lesson], *, held_out_share: float = 0.0) -> list[Lesson]:
    """The lessons in the same order, with all but the best of those that ask (nearly) the same set to ``duplicate``.

    A lesson that was a duplicate takes part again, so that it steps in when the better one is gone;
    ``held_out_share`` says whether such a one is kept for evaluation. Where there is a correction, be it still in
    review, nothing of the cluster is held out.
    """
    result = {lesson.exchange_id: lesson for lesson in lessons}
    for group in _groups(lessons):
        for lesson in _settled(group, held_out_share):
            result[lesson.exchange_id] = lesson
    return [result[lesson.exchange_id] for lesson in lessons]


def _groups(lessons: Iterable[Lesson]) -> list[list[Lesson]]:
    by_cluster: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        by_cluster.setdefault(lesson.cluster, []).append(lesson)
    blocks: dict[str, list[list[Lesson]]] = {}
    groups: list[list[Lesson]] = []
    # In the order of the clusters' names, so that the order of the lessons does not matter.
    for _, members in sorted(by_cluster.items()):
        question = min(lesson.question for lesson in members)
        block = blocks.setdefault(likeness_block(question), [])
        alike = next((group for group in block[:_MOST_COMPARED] if same_question(group[0].question, question)), None)
        if alike is None:
            group = sorted(members, key=lambda lesson: lesson.question)
            block.append(group)
            groups.append(group)
        else:
            alike.extend(members)
    return groups


def _rank(lesson: Lesson) -> tuple[bool, bool, int, str]:
    return lesson.kind == "corrected", lesson.by_operator, lesson.judged_at_ms, lesson.exchange_id


def _settled(group: Sequence[Lesson], held_out_share: float) -> list[Lesson]:
    candidates = [lesson for lesson in group if lesson.state in _IN_QUESTION]
    if not candidates:
        return []
    doubted: list[Lesson] = []
    best = max(candidates, key=_rank)
    operators = [lesson for lesson in candidates if lesson.by_operator]
    while operators and not best.by_operator:
        # One person's word against an operator's: a person decides, and no rule.
        other = max(operators, key=_rank)
        why = f"An operator accepted another answer to the same question: exchange {other.exchange_id}."
        doubted.append(msgspec.structs.replace(best, state="review", reason=why))
        candidates.remove(best)
        best = max(candidates, key=_rank)
    corrected = any(lesson.kind == "corrected" and lesson.state != "excluded" for lesson in group)
    kept = best
    if best.state == "held_out" and corrected:
        kept = msgspec.structs.replace(
            best, state="eligible", reason="It is no evaluation question: an answer to the same question was corrected."
        )
    elif best.state == "duplicate":
        held = best.kind == "confirmed" and not corrected and held_out(best.cluster, held_out_share)
        kept = msgspec.structs.replace(
            best,
            state="held_out" if held else "eligible",
            reason="It is the best of the exchanges that ask the same."
            + (" It is kept for evaluation and is no example." if held else ""),
        )
    settled = [*doubted, kept]
    for lesson in candidates:
        if lesson is not best:
            why = f"Exchange {best.exchange_id} asks the same and {_better(best, lesson)}."
            settled.append(msgspec.structs.replace(lesson, state="duplicate", reason=why))
    return settled


def _better(best: Lesson, lesson: Lesson) -> str:
    if best.kind != lesson.kind:
        return "was corrected"
    return "was judged by an operator" if best.by_operator and not lesson.by_operator else "was judged later"
