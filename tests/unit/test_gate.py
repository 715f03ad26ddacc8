"""What is deployed: the rules, each by a case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.training.comparison import Comparison, Judgement
from nix_trinity.training.gate import decide

BETTER = Comparison(0.1, 0.05, 0.15, 100, "better")
WORSE = Comparison(-0.1, -0.15, -0.05, 100, "worse")
EVEN = Comparison(0.0, -0.03, 0.03, 100, "not_enough_evidence")
SLIGHTLY_LESS = Comparison(-0.02, -0.05, 0.01, 100, "not_enough_evidence")
TOO_MUCH_LESS = Comparison(-0.03, -0.07, 0.01, 100, "not_enough_evidence")
FEW_BUT_WORSE = Comparison(-0.01, -0.02, -0.005, 5, "not_enough_evidence")
NOTHING = Comparison(0.0, -1.0, 1.0, 0, "not_enough_evidence")
SAME = (0.9, 0.9)


@pytest.mark.parametrize(
    ("comparison", "validity", "carried", "deploy", "says"),
    [
        pytest.param(BETTER, SAME, 0, True, "better", id="better"),
        pytest.param(BETTER, (0.95, 0.9), 0, True, "better", id="better and more valid"),
        pytest.param(BETTER, (0.89, 0.9), 9, False, "valid", id="better, but less valid"),
        pytest.param(WORSE, SAME, 5, False, "worse", id="worse, with corrections"),
        pytest.param(EVEN, SAME, 0, False, "not enough evidence", id="even"),
        pytest.param(EVEN, SAME, 1, True, "a correction", id="even, with a correction"),
        pytest.param(SLIGHTLY_LESS, SAME, 2, True, "2 corrections", id="hardly less, with corrections"),
        pytest.param(TOO_MUCH_LESS, SAME, 2, False, "loses too much", id="less, with corrections"),
        pytest.param(FEW_BUT_WORSE, SAME, 2, False, "worse", id="few questions, all of them worse"),
        pytest.param(NOTHING, SAME, 3, False, "nothing is known", id="nothing was compared"),
    ],
)
def test_the_rules(
    comparison: Comparison, validity: tuple[float, float], carried: int, deploy: bool, says: str
) -> None:
    verdict = decide(comparison, validity=validity, carried=carried)
    assert verdict.deploy is deploy
    assert says in verdict.why


def test_a_first_version_is_measured_against_the_plain_model_and_told_so() -> None:
    verdict = decide(EVEN, validity=SAME, carried=0, first=True)
    assert not verdict.deploy
    assert "without learned examples" in verdict.why
    assert "deployed version" not in verdict.why


@given(
    st.floats(-1, 1),
    st.integers(0, 100),
    st.integers(1, 500),
    st.booleans(),
    st.sampled_from(["better", "worse", "not_enough_evidence"]),
)
def test_fewer_valid_answers_are_never_deployed(
    mean: float, carried: int, n: int, first: bool, judgement: Judgement
) -> None:
    comparison = Comparison(mean, mean, mean, n, judgement)
    verdict = decide(comparison, validity=(0.49, 0.5), carried=carried, first=first)
    assert not verdict.deploy
