"""Whether a candidate is deployed: what its evaluation came to, and the rules that no score outweighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nix_trinity.training.comparison import Comparison

# So much of a mean score may be lost where corrections are won: less than one question in fifty.
_MOST_LOST: Final = 0.02


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, and the reason in words for a person."""

    deploy: bool
    why: str


def decide(
    comparison: Comparison,
    *,
    validity: tuple[float, float],
    carried: int,
    first: bool = False,
) -> Verdict:
    """Decide on a candidate.

    ``validity``: the share of valid answers, of the candidate and of the deployed version, to the same questions.
    ``carried``: how many corrections the deployed version gets wrong and the candidate right. ``first``: no version is
    deployed yet, and the candidate was compared with the role's plain model.

    Fewer valid answers: never, whatever else speaks for it; so knowledge that makes a model invent options or give
    bad advice goes nowhere. Else it is deployed when it is better, or when it is no worse and carries corrections.
    """
    other = "the role's model without learned examples" if first else "the deployed version"
    numbers = _numbers(comparison)
    if comparison.n == 0:
        return Verdict(False, f"No question was answered by both it and {other}, so nothing is known of it.")
    if validity[0] < validity[1]:
        return Verdict(
            False,
            f"Fewer of its answers are valid than of {other}: {validity[0]:.1%} against {validity[1]:.1%}. "
            "An answer is valid that invents nothing, parses, and advises nothing forbidden.",
        )
    if comparison.judgement == "better":
        return Verdict(True, f"It answers better than {other}: {numbers}.")
    if comparison.judgement == "worse" or comparison.high < 0:
        return Verdict(False, f"It answers worse than {other}: {numbers}.")
    if carried and comparison.mean >= -_MOST_LOST:
        corrections = "a correction" if carried == 1 else f"{carried} corrections"
        return Verdict(
            True, f"It is no worse than {other} ({numbers}) and gets {corrections} right that the other does not."
        )
    if carried:
        return Verdict(False, f"It carries corrections, but loses too much elsewhere against {other}: {numbers}.")
    return Verdict(False, f"There is not enough evidence that it is better than {other}: {numbers}.")


def _numbers(comparison: Comparison) -> str:
    return (
        f"mean difference {comparison.mean:+.3f}, 95 % between {comparison.low:+.3f} and {comparison.high:+.3f}, "
        f"{comparison.n} question{'s' if comparison.n != 1 else ''}"
    )
