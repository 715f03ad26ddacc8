"""Better, worse, or not enough evidence: the judgement on pairs of scores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.training.comparison import LEAST_PAIRS, compare

SCORES = st.lists(st.tuples(*[st.floats(min_value=0, max_value=1)] * 2), min_size=1, max_size=30)


def test_a_clear_gain_is_better_and_a_clear_loss_is_worse() -> None:
    good, poor = [1.0, 0.8, 1.0, 0.9] * 5, [0.4, 0.5, 0.3, 0.6] * 5
    assert compare(good, poor).judgement == "better"
    assert compare(poor, good).judgement == "worse"
    found = compare(good, poor)
    assert found.mean == pytest.approx(0.475)
    assert 0.35 < found.low < found.mean < found.high < 0.6
    assert found.n == 20


def test_what_goes_both_ways_is_no_evidence() -> None:
    candidate, deployed = [1.0, 0.0] * 20, [0.0, 1.0] * 20
    found = compare(candidate, deployed)
    assert found.judgement == "not_enough_evidence"
    assert found.low < 0 < found.high


def test_one_lucky_answer_among_many_is_no_evidence() -> None:
    assert compare([1.0] + [0.5] * 60, [0.0] + [0.5] * 60).judgement == "not_enough_evidence"


def test_a_few_pairs_say_nothing_however_clear() -> None:
    few = LEAST_PAIRS - 1
    assert compare([1.0] * few, [0.0] * few).judgement == "not_enough_evidence"
    assert compare([0.0] * few, [1.0] * few).judgement == "not_enough_evidence"
    assert compare([1.0] * LEAST_PAIRS, [0.0] * LEAST_PAIRS).judgement == "better"


def test_nothing_compared_is_nothing_known() -> None:
    found = compare([], [])
    assert (found.n, found.judgement, found.low, found.high) == (0, "not_enough_evidence", -1.0, 1.0)


def test_scores_that_are_no_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare([1.0], [])


def test_the_interval_is_that_of_the_normal_approximation_where_that_holds() -> None:
    """400 differences of which half are 0.1 and half 0.3: mean 0.2, standard error 0.1 / 20, so 0.2 ± 0.0098."""
    found = compare([0.1, 0.3] * 200, [0.0] * 400)
    assert found.low == pytest.approx(0.2 - 0.0098, abs=0.001)
    assert found.high == pytest.approx(0.2 + 0.0098, abs=0.001)


@given(SCORES)
def test_the_other_way_round_it_is_the_opposite(pairs: list[tuple[float, float]]) -> None:
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    there, back = compare(left, right), compare(right, left)
    assert (there.mean, there.low, there.high) == (-back.mean, -back.high, -back.low)
    opposite = {"better": "worse", "worse": "better", "not_enough_evidence": "not_enough_evidence"}
    assert there.judgement == opposite[back.judgement]
    assert there.low <= there.mean + 1e-9
    assert there.mean <= there.high + 1e-9 or len(pairs) > 1


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=30))
def test_the_same_answers_are_no_evidence(scores: list[float]) -> None:
    found = compare(scores, scores)
    assert (found.mean, found.low, found.high, found.judgement) == (0, 0, 0, "not_enough_evidence")
    assert compare(scores, scores) == found
