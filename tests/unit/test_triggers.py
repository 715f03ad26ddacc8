from __future__ import annotations

import msgspec
import pytest

from nix_trinity.config_sections import LearningSection
from nix_trinity.training.triggers import TriggerFacts, reasons

LIMITS = LearningSection(corrections_for_build=3, bad_for_build=4, unanswered_for_build=3)


def facts(**changed: object) -> TriggerFacts:
    values: dict[str, object] = {
        "release": "25.05",
        "built_for": "25.05",
        "corrections": 0,
        "bad": 0,
        "unanswered": (),
        "taken_back": 0,
    }
    return msgspec.convert(values | changed, TriggerFacts)


def test_when_little_happened_nothing_asks_for_a_build() -> None:
    assert reasons(facts(corrections=2, bad=3, unanswered=["a b", "enable ssh", "c"]), LIMITS) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"built_for": "24.11"}, "NixOS is 25.05 now, and the last build was made for 24.11"),
        ({"corrections": 3}, "3 answers were corrected since the last build"),
        ({"bad": 4}, "4 answers were called bad since the last build"),
        ({"taken_back": 1}, "1 exchange in deployed versions has been deleted or taken back"),
        (
            {"unanswered": ["Enable ssh", "how do I enable ssh?", "x", "please turn on ssh"]},
            "the same question (about network) was asked 3 times and not answered",
        ),
    ],
)
def test_each_trigger_says_what_happened(changed: dict[str, object], reason: str) -> None:
    assert reasons(facts(**changed), LIMITS) == [reason]


@pytest.mark.parametrize("changed", [{"release": None}, {"built_for": None}])
def test_a_release_that_is_not_known_is_no_change(changed: dict[str, object]) -> None:
    assert reasons(facts(**changed), LIMITS) == []


def test_opposite_questions_are_not_alike() -> None:
    assert reasons(facts(unanswered=["enable ssh", "disable ssh", "why enable ssh", "enable vnc"]), LIMITS) == []


def test_all_that_happened_is_told_what_was_forgotten_first() -> None:
    found = reasons(facts(taken_back=2, corrections=9, bad=9, built_for="24.11"), LIMITS)
    assert len(found) == 4
    assert found[0] == "2 exchanges in deployed versions have been deleted or taken back"


def test_no_question_is_quoted() -> None:
    found = reasons(facts(unanswered=["how do I hide the zebra 77"] * 3), LIMITS)
    assert len(found) == 1
    assert "zebra" not in found[0]


def test_only_the_newest_500_questions_are_looked_at() -> None:
    assert reasons(facts(unanswered=[f"thing {n}" for n in range(500)] + ["enable ssh"] * 3), LIMITS) == []
