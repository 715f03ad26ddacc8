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
_LOGISTIC_STEPS = 3000
_LOGISTIC_RATE = 0.5
_LOGISTIC_PENALTY = 0.002


# No labelled question has a past answer or a passage of the manual: what these say is weighed by judgement, a past
# answer like half a note.
BY_HAND = {"past": 1.5, "manual": 0.5}


@dataclass(frozen=True)
class Example:
    """One question: its candidates' features, and which of them are right."""

    id: str
    candidates: Sequence[Mapping[str, float]]
    right: Sequence[bool]


def fitted(examples: Sequence[Example], *, fixed: Mapping[str, float]) -> dict[str, float]:
    """The weights that rank the right options of ``examples`` first; those in ``fixed`` stay as they are."""
    names = sorted({name for example in examples for values in example.candidates for name in values})
    rows = [
        ([[values.get(name, 0.0) for name in names] for values in example.candidates], example.right)
        for example in examples
    ]
    weights = [fixed.get(name, 0.0) for name in names]
    free = [at for at, name in enumerate(names) if name not in fixed]
    moment, square = [0.0] * len(names), [0.0] * len(names)
    for step in range(1, _STEPS + 1):
        gradient = [2 * _PENALTY * weight for weight in weights]
        for candidates, right in rows:
            _add_gradient(gradient, weights, candidates, right, 1 / len(rows))
        # Adam (Kingma and Ba 2015), since the features' scales differ.
        for at in free:
            slope = gradient[at]
            moment[at] = 0.9 * moment[at] + 0.1 * slope
            square[at] = 0.999 * square[at] + 0.001 * slope * slope
            corrected = moment[at] / (1 - 0.9**step), square[at] / (1 - 0.999**step)
            weights[at] -= _RATE * corrected[0] / (math.sqrt(corrected[1]) + 1e-8) * (1 - 0.9 * step / _STEPS)
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


def cross_validated(examples: Sequence[Example], *, folds: int, fixed: Mapping[str, float]) -> tuple[float, float]:
    """The shares of questions with a right option first and among five, each ranked by weights of the other folds."""
    first = among_five = 0
    for fold in range(folds):
        weights = fitted([one for at, one in enumerate(examples) if at % folds != fold], fixed=fixed)
        for example in examples[fold::folds]:
            place = _place(example, weights)
            first += place == 0
            among_five += place < 5
    return first / len(examples), among_five / len(examples)


def confidence(rows: Sequence[tuple[Mapping[str, float], bool]]) -> dict[str, float]:
    """Logistic regression: the weights that tell the rows that hold from those that do not, with a bias."""
    names = ["bias", *sorted({name for values, _ in rows for name in values})]
    matrix = [[1.0, *(values.get(name, 0.0) for name in names[1:])] for values, _ in rows]
    weights = [0.0] * len(names)
    for _ in range(_LOGISTIC_STEPS):
        gradient = [_LOGISTIC_PENALTY * weight for weight in weights]
        gradient[0] = 0.0
        for row, (_, holds) in zip(matrix, rows, strict=True):
            pull = 1 / (1 + math.exp(-_product(weights, row))) - holds
            for at, value in enumerate(row):
                gradient[at] += pull * value / len(rows)
        for at, slope in enumerate(gradient):
            weights[at] -= _LOGISTIC_RATE * slope
    return dict(zip(names, weights, strict=True))


def shares_above(rows: Sequence[tuple[Mapping[str, float], bool]], limit: float, *, folds: int) -> tuple[float, float]:
    """The shares of rows that hold, and of those that do not, which weights of the other folds give ``limit`` or more."""
    above: dict[bool, list[bool]] = {True: [], False: []}
    for fold in range(folds):
        weights = confidence([one for at, one in enumerate(rows) if at % folds != fold])
        for values, holds in rows[fold::folds]:
            above[holds].append(1 / (1 + math.exp(-weights["bias"] - _score(values, weights))) >= limit)
    return sum(above[True]) / len(above[True]), sum(above[False]) / len(above[False])


def as_toml(weights: Mapping[str, float], confident: Mapping[str, float]) -> str:
    """The ranking's file."""
    lines = [
        "# Made by: make fit-retrieval (bench/fitting.py), from tests/data/retrieval.jsonl. Not to be edited by hand.",
        "# What each feature means: daemon/nix_trinity/answering/retriever/features.py.",
        "",
        "[weights]",
        *(f"{name} = {weight:.3f}" for name, weight in sorted(weights.items())),
        "",
        "[confidence]",
        *(f"{name} = {weight:.3f}" for name, weight in sorted(confident.items())),
    ]
    return "\n".join(lines) + "\n"


def _score(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in values.items())


def _place(example: Example, weights: Mapping[str, float]) -> int:
    scores = [_score(values, weights) for values in example.candidates]
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    return next(place for place, at in enumerate(order) if example.right[at])
