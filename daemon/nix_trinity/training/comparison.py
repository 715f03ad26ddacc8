"""Whether one version answers better than another, or whether there is not enough evidence to say so.

Both answered the same questions, so what is looked at are the differences, question by question. Their mean has a
confidence interval by the bootstrap: draw as many differences with replacement, again and again, and take the
percentiles of the means (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13; for comparing two
systems on the same questions Koehn 2004, Statistical Significance Tests for Machine Translation Evaluation). The
draws are seeded, so that the same scores give the same judgement.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal

Judgement = Literal["better", "worse", "not_enough_evidence"]

LEAST_PAIRS: Final = 8
"""Fewer pairs say nothing, however clear they look: too few draws of them differ."""
_RESAMPLES: Final = 2_000
# 2.5 % of the means are left out at either end, so that 95 % lie within.
_OUTSIDE: Final = _RESAMPLES // 40
_SEED: Final = 20_240


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean difference of the scores (candidate less deployed, each from 0 to 1) with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int
    """How many questions both answered."""
    judgement: Judgement


def compare(candidate: Sequence[float], deployed: Sequence[float]) -> Comparison:
    """Compare two versions by their scores for the same questions, in the same order.

    Without any pair nothing is known: the interval is that of all possible differences.

    :raises ValueError: the two do not have the same number of scores.
    """
    differences = [ours - theirs for ours, theirs in zip(candidate, deployed, strict=True)]
    count = len(differences)
    if not count:
        return Comparison(0.0, -1.0, 1.0, 0, "not_enough_evidence")
    draw = random.Random(_SEED)  # noqa: S311 (no secret)
    means = sorted(fmean(draw.choices(differences, k=count)) for _ in range(_RESAMPLES))
    low, high = means[_OUTSIDE], means[-1 - _OUTSIDE]
    judgement: Judgement = "not_enough_evidence"
    if count >= LEAST_PAIRS and low > 0:
        judgement = "better"
    elif count >= LEAST_PAIRS and high < 0:
        judgement = "worse"
    return Comparison(fmean(differences), low, high, count, judgement)
