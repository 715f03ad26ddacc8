"""Fit the ranking's weights: a softmax over each question's candidates, by gradient descent.

The loss is ListNet's (Cao et al. 2007) with all right options of a question taken together: minus the logarithm
of the share of the softmax that falls on them; a little L2 keeps weights that the data says nothing of small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STEPS = 250
_RATE = 0.25
_PENALTY = 0.004
_SHARPNESS = 1.0


@dataclass(frozen=True)
class Example:
    """One question: its candidates' features, and which of them are right."""

    id: str
    candidates: Sequence[Mapping[str, float]]
    right: Sequence[bool]


def fitted(examples: Sequence[Example], steps: int = _STEPS) -> dict[str, float]:
    """The weights that rank the right options of ``examples`` first."""
    names = sorted({name for example in examples for values in example.candidates for name in values})
    rows = [
        ([[values.get(name, 0.0) for name in names] for values in example.candidates], example.right)
        for example in examples
    ]
    weights = [0.0] * len(names)
    moment, square = [0.0] * len(names), [0.0] * len(names)
    for step in range(1, steps + 1):
        gradient = [2 * _PENALTY * weight for weight in weights]
        for candidates, right in rows:
            _add_gradient(gradient, weights, candidates, right, 1 / len(rows))
        # Adam (Kingma and Ba 2015), since the features' scales differ.
        for at, slope in enumerate(gradient):
            moment[at] = 0.9 * moment[at] + 0.1 * slope
            square[at] = 0.999 * square[at] + 0.001 * slope * slope
            corrected = moment[at] / (1 - 0.9**step), square[at] / (1 - 0.999**step)
            weights[at] -= _RATE * corrected[0] / (math.sqrt(corrected[1]) + 1e-8) * (1 - 0.9 * step / steps)
    return dict(zip(names, weights, strict=True))


def _add_gradient(
    gradient: list[float],
    weights: Sequence[float],
    candidates: Sequence[Sequence[float]],
    right: Sequence[bool],
    share: float,
) -> None:
    scores = [math.sumprod(weights, row) if hasattr(math, "sumprod") else _product(weights, row) for row in candidates]
    most = max(scores)
    powers = [math.exp(score - most) for score in scores]
    total = sum(powers)
    wanted = sum(power for power, is_right in zip(powers, right, strict=True) if is_right) or 1e-12
    for row, power, is_right in zip(candidates, powers, right, strict=True):
        pull = power / total - (power / wanted if is_right else 0.0)
        if abs(pull) > 1e-5:
            for at, value in enumerate(row):
                if value:
                    gradient[at] += share * pull * value


def _product(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(map(float.__mul__, left, right))


def cross_validated(examples: Sequence[Example], *, folds: int) -> tuple[float, float]:
    """The shares of questions with a right option first and among five, each ranked by weights of the other folds."""
    first = among_five = 0
    for fold in range(folds):
        weights = fitted([one for at, one in enumerate(examples) if at % folds != fold])
        for example in examples[fold::folds]:
            place = _place(example, weights)
            first += place == 0
            among_five += place < 5
    return first / len(examples), among_five / len(examples)


def threshold(examples: Sequence[Example], weights: Mapping[str, float]) -> float:
    """The score that best tells questions whose best option is right from those whose is not."""
    best = []
    for example in examples:
        if example.candidates:
            scores = [_score(values, weights) for values in example.candidates]
            at = max(range(len(scores)), key=scores.__getitem__)
            five = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:5]
            best.append((scores[at], any(example.right[number] for number in five)))
    # Saying "nothing found" where something was is the worse mistake: it counts twice.
    return max(
        (score for score, _ in best),
        key=lambda limit: sum((2 if right else -1) * (score >= limit) for score, right in best),
    )


def as_toml(weights: Mapping[str, float], limit: float) -> str:
    """The ranking's file."""
    lines = [
        "# Made by: make fit-retrieval (bench/fitting.py), from tests/data/retrieval.jsonl. Not to be edited by hand.",
        "# What each feature means: daemon/nix_trinity/answering/retriever/features.py.",
        "",
        f"threshold = {limit:.3f}",
        "",
        "[weights]",
        *(f"{name} = {weight:.3f}" for name, weight in sorted(weights.items())),
    ]
    return "\n".join(lines) + "\n"


def _score(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in values.items())


def _place(example: Example, weights: Mapping[str, float]) -> int:
    scores = [_score(values, weights) for values in example.candidates]
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    return next(place for place, at in enumerate(order) if example.right[at])
