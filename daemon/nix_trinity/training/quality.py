"""The quality analysis: whether an exchange may be learned from, what it is worth, and which of several alike counts.

What is doubted is set aside rather than learned: wrong or hostile entries that were learned would be trusted more than
before. Each lesson says in words why it is in its state.
"""

from __future__ import annotations

from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.learning import Judged, Lesson, LessonKind, LessonState
from nix_trinity.training.duplicates import held_out
from nix_trinity.training.topics import topic_of

_VERIFIED = frozenset({"verified", "corrected"})
_MOST_PROBLEMS_TOLD = 3
_REDACTED = "[redacted: "
_OF_OPERATOR, _OF_SEVERAL, _OF_ONE, _OF_NOBODY = 0.8, 0.6, 0.5, 0.1
_ASKED_AGAIN, _IN_DOUBT, _UNVERIFIED = 0.9, 0.8, 0.9


def lesson_of(
    judged: Judged,
    inspection: Inspection,
    *,
    consent_by_default: bool,
    held_out_share: float,
    contradicts: str | None,
    cluster: str,
) -> Lesson:
    """What is to be made of one exchange.

    ``contradicts``: the evaluation question of ours that its answer contradicts, if any. ``cluster``: equal for
    exchanges that ask the same. ``held_out_share``: from 0 to 1.
    """
    kind = _kind(judged)
    state, reason = _state(judged, inspection, kind, consent_by_default, contradicts)
    if state == "eligible" and kind == "confirmed" and held_out(cluster, held_out_share):
        state, reason = "held_out", f"{reason} It is kept for evaluation and is no example."
    return Lesson(
        exchange_id=judged.id,
        role=judged.role,
        topic=topic_of(judged.question, [*judged.option_types, *(set(inspection.types) - set(judged.option_types))]),
        kind=kind,
        state=state,
        reason=reason,
        value=_value(judged, inspection, kind),
        cluster=cluster,
        question=judged.question,
        answer=judged.answer,
        # The types of the time when it was judged go first: a later change of them is to be noticed.
        option_types={**inspection.types, **judged.option_types},
        judged_by=judged.judged_by,
        by_operator=judged.by_operator or judged.review == "accepted",
        judged_at_ms=judged.asked_at_ms if judged.judged_at_ms is None else judged.judged_at_ms,
        options_release=judged.options_release or inspection.release,
    )


def _kind(judged: Judged) -> LessonKind:
    if judged.word == "bad":
        return "bad"
    if judged.word == "corrected":
        return "corrected"
    return "confirmed" if judged.word == "good" or judged.review == "accepted" else "unjudged"


def _state(
    judged: Judged, inspection: Inspection, kind: LessonKind, consent_by_default: bool, contradicts: str | None
) -> tuple[LessonState, str]:
    reviewed = judged.review == "accepted"
    verified = inspection.check in _VERIFIED and judged.check in _VERIFIED
    why_not = _excluded(judged, inspection, kind, consent_by_default, verified)
    if why_not:
        return "excluded", why_not
    if inspection.renamed:
        names = ", ".join(f"{old} is now {new}" for old, new in sorted(inspection.renamed.items()))
        return "review", f"It names options by their old names: {names}."
    doubt = "" if reviewed else _doubt(judged, inspection, kind, verified, contradicts)
    if doubt:
        return "review", doubt
    return "eligible", _accepted(judged, kind)


def _excluded(
    judged: Judged, inspection: Inspection, kind: LessonKind, consent_by_default: bool, verified: bool
) -> str:
    if judged.review == "rejected":
        return "An operator rejected it."
    if kind == "bad":
        return "The answer was called bad, and nobody corrected it."
    if not judged.question.strip() or not judged.answer.strip():
        return "The question or the answer is empty."
    if not judged.learnable:
        return "The question reads like orders to the model, or the model did not see all of it."
    if judged.set_aside is not None:
        return f"It is set aside: {judged.set_aside}"
    if inspection.orders:
        return "The question or the answer reads like orders to the model."
    if inspection.problems:
        told = "; ".join(problem.rstrip(".") for problem in inspection.problems[:_MOST_PROBLEMS_TOLD])
        more = len(inspection.problems) - _MOST_PROBLEMS_TOLD
        return f"The answer is wrong for this NixOS: {told}{f'; and {more} more' if more > 0 else ''}."
    if judged.allows is False:
        return "The person who asked does not allow learning from their exchanges."
    if judged.allows is None and not consent_by_default and judged.review != "accepted":
        return "The person who asked has not allowed learning from their exchanges."
    if kind == "unjudged" and not verified:
        return "Nobody said that the answer is right, and the check could not confirm it."
    return ""


def _doubt(judged: Judged, inspection: Inspection, kind: LessonKind, verified: bool, contradicts: str | None) -> str:
    """Why an operator has to accept it first; '' when nobody has to."""
    if contradicts is not None:
        return f"The answer contradicts what is right for an evaluation question: “{contradicts}”"
    if judged.has_attachment:
        return "Something was attached to the question: it may hold what is nobody else's business."
    if _REDACTED in judged.answer:
        return "A secret was taken out of the answer."
    if kind == "unjudged":
        return "The check confirms the answer, but nobody said that it is right."
    if kind == "confirmed" and not verified:
        return "The answer was called good, but the check did not confirm it."
    if inspection.relevant is False and not judged.by_operator and judged.good_from < 2:
        return "Only one person vouches for it, and none of its options seems to belong to the question."
    return ""


def _accepted(judged: Judged, kind: LessonKind) -> str:
    if kind == "corrected":
        return "An operator corrected it." if judged.by_operator else "It was corrected."
    if judged.review == "accepted":
        return "An operator accepted it."
    if judged.by_operator:
        return "An operator called it good."
    return f"{judged.good_from} people called it good." if judged.good_from > 1 else "One person called it good."


def _value(judged: Judged, inspection: Inspection, kind: LessonKind) -> float:
    """From 0 to 1. How old it is does not count here: selection weighs that, at the time of a build."""
    if kind == "corrected":
        # What followed the answer that was given then says nothing about the correction.
        return 1.0
    if kind == "bad":
        return 0.0
    if kind == "unjudged":
        value = _OF_NOBODY
    elif judged.by_operator or judged.review == "accepted":
        value = _OF_OPERATOR
    elif judged.good_from > 1:
        value = _OF_SEVERAL + 0.02 * min(judged.good_from - 2, 5)
    else:
        value = _OF_ONE
    if inspection.check not in _VERIFIED or judged.check not in _VERIFIED:
        value *= _UNVERIFIED
    if judged.followed_up_in_doubt:
        value *= _IN_DOUBT
    return round(value * float(_ASKED_AGAIN ** min(max(judged.asked_again, 0), 3)), 6)
