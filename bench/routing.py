"""``python -m bench.routing``: how often the router sends a question to the role that it was labelled with.

Beside it stands the rule that the training strategy starts from, which looks for parts of words. It leaves
``needs_deep_reasoning`` open; here that is a question with "why" or "error" in it, or of more than 25 words, which
does better on these sets than always or never.

- tuned: ``tests/data/routing.jsonl``, by which the signals and their weights were chosen.
- fresh: ``tests/data/retrieval.jsonl``, by a hand that knew nothing of the router. Its questions with odd numbers
  have been read since, to find what the router is missing in general; those with even numbers have not.
- held out: read by no one; only its one number is shown.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import fitting
from bench.corpora import held_out_questions, own_questions
from nix_trinity.answering.router import ROLES, RoutingContext, listen, route
from tests.stack import data

TUNED = data.CHECKOUT / "tests" / "data" / "routing.jsonl"
_FOLDS = 5


@dataclass(frozen=True)
class Question:
    """A question, what is known besides it, and the role that should answer."""

    id: str
    text: str
    context: RoutingContext
    role: str


Rule = Callable[[Question], str]


def by_router(question: Question) -> str:
    return route(question.text, question.context).role


def by_parts_of_words(question: Question) -> str:
    """The rule of the training strategy, to the letter."""
    query = question.text
    if "grandma" in query.lower() or "explain simply" in query:
        return "empathy"
    if "code" in query or "script" in query:
        return "coder"
    if "why" in query.lower() or "error" in query.lower() or len(query.split()) > 25:
        return "expert"
    return "quick"


def tuned_questions() -> list[Question]:
    rows = [json.loads(line) for line in TUNED.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [
        Question(f"t{at}", row["question"], RoutingContext(row.get("level"), row.get("attachment") or ""), row["role"])
        for at, row in enumerate(rows, start=1)
    ]


def fresh_questions() -> list[Question]:
    return [Question(row.id, row.question, RoutingContext(), row.role) for row in own_questions()]


def halves(questions: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Those with odd numbers, which may be read, and those with even ones, which check what was learnt from them."""
    return (
        [question for question in questions if int(question.id[1:]) % 2],
        [question for question in questions if not int(question.id[1:]) % 2],
    )


def accuracy(questions: Sequence[Question], rule: Rule = by_router) -> float:
    return sum(rule(question) == question.role for question in questions) / len(questions)


def example(question: Question) -> fitting.Example:
    """The roles as candidates, each signal a feature of each: a multinomial logistic regression."""
    heard = listen(question.text, question.context)
    return fitting.Example(
        question.id,
        [{"bias " + role: 1.0} | {f"{signal.name} {role}": float(signal.count) for signal in heard} for role in ROLES],
        [role == question.role for role in ROLES],
    )


def fitted_accuracy(questions: Sequence[Question], learnt_from: Sequence[Question]) -> float:
    """The share that goes right with weights fitted on ``learnt_from`` in place of those set by hand."""
    weights = fitting.fitted([example(question) for question in learnt_from], fixed={})

    def rule(question: Question) -> str:
        sums = [
            sum(weights.get(name, 0.0) * value for name, value in values.items())
            for values in example(question).candidates
        ]
        return ROLES[sums.index(max(sums))]

    return accuracy(questions, rule)


def confusion(questions: Sequence[Question]) -> str:
    """Labelled role in rows, chosen role in columns."""
    counts = Counter((question.role, by_router(question)) for question in questions)
    rows = [[role, *(str(counts[role, chosen]) for chosen in ROLES)] for role in ROLES]
    return "\n".join("".join(f"{cell:>9}" for cell in row) for row in (["", *ROLES], *rows))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.routing", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="also measure weights fitted to the same signals")
    parser.add_argument("--misses", action="store_true", help="list the fresh questions with odd numbers that miss")
    given = parser.parse_args()
    tuned, fresh = tuned_questions(), fresh_questions()
    odd, even = halves(fresh)
    held_out = [Question(row.id, row.question, RoutingContext(), row.role) for row in held_out_questions()]
    sets = {"tuned": tuned, "fresh": fresh, "  odd half": odd, "  even half": even, "held out": held_out}
    print(f"{'':12}{'n':>5}{'parts of words':>17}{'router':>9}")
    for name, questions in sets.items():
        print(f"{name:12}{len(questions):5}{accuracy(questions, by_parts_of_words):17.1%}{accuracy(questions):9.1%}")
    print("\nfresh, even half: labelled in rows, chosen in columns")
    print(confusion(even))
    if given.fit:
        shares = [
            fitted_accuracy(tuned[fold::_FOLDS], [one for at, one in enumerate(tuned) if at % _FOLDS != fold])
            for fold in range(_FOLDS)
        ]
        print(f"\nfitted: tuned {sum(shares) / _FOLDS:.1%} ({_FOLDS}-fold), fresh {fitted_accuracy(fresh, tuned):.1%}")
    if given.misses:
        for question in odd:
            if (chosen := by_router(question)) != question.role:
                reason = route(question.text, question.context).reason
                print(f"\n{question.id} {question.role}, not {chosen}: {question.text[:300]}\n  since it {reason}")


if __name__ == "__main__":
    main()
