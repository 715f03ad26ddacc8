from __future__ import annotations

import random
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.knowledge.learning import Lesson
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens
from nix_trinity.training.selection import Selection, select, tokens_of
from nix_trinity.training.version import Learned

NOW = 1_750_000_000_000
DAY = 86_400_000
THINGS = [
    "nginx",
    "apache",
    "postgres",
    "redis",
    "docker",
    "podman",
    "samba",
    "gnome",
    "sway",
    "plasma",
    "zfs",
    "btrfs",
]


def made(name: str, **changed: Any) -> Lesson:
    values: dict[str, Any] = {
        "exchange_id": name,
        "role": "expert",
        "topic": "t",
        "kind": "confirmed",
        "state": "eligible",
        "reason": "",
        "value": 0.5,
        "cluster": name,
        "question": f"How do I enable {name}?",
        "answer": f"Set services.{name}.enable = true;",
        "judged_at_ms": NOW,
    }
    return Lesson(**(values | changed))


def chosen(*lessons: Lesson, budget: int = 10_000, current: tuple[Learned, ...] = ()) -> Selection:
    return select(current, lessons, role="expert", budget_tokens=budget, now_ms=NOW)


def ids(selection: Selection) -> list[str]:
    return [one.id for one in selection.learned]


def size(lesson: Lesson) -> int:
    return most_tokens(lesson.question) + most_tokens(lesson.answer) + 2 * TOKENS_A_MESSAGE


def test_new_ones_are_appended_the_oldest_first_and_what_stays_stays_in_place() -> None:
    first = chosen(made("nginx", judged_at_ms=NOW - 1), made("redis", judged_at_ms=NOW - 2))
    assert ids(first) == ["redis", "nginx"]
    lessons = [made("nginx"), made("redis"), made("zfs", judged_at_ms=NOW - 9), made("sway", judged_at_ms=NOW - 10)]
    second = chosen(*lessons, current=first.learned)
    assert ids(second) == ["redis", "nginx", "sway", "zfs"]
    assert [one.id for one in second.added] == ["sway", "zfs"]
    assert second.dropped == ()


def test_what_is_no_longer_eligible_is_dropped_and_a_changed_text_is_replaced_in_its_place() -> None:
    first = chosen(made("nginx"), made("redis"), made("zfs"))
    changed = made("redis", answer="Another.")
    second = chosen(made("nginx", state="excluded"), changed, made("zfs"), current=first.learned)
    assert ids(second) == ["redis", "zfs"]
    assert second.learned[0].answer == "Another."
    assert [one.answer for one in second.added] == ["Another."]
    assert [one.id for one in second.dropped] == ["nginx", "redis"]


def test_other_roles_give_their_corrections_only() -> None:
    lessons = [made("nginx", role="quick"), made("redis", role="quick", kind="corrected"), made("zfs")]
    assert sorted(ids(chosen(*lessons))) == ["redis", "zfs"]


def test_an_own_correction_goes_before_one_of_another_role_and_any_before_a_confirmation() -> None:
    other, own = made("nginx", role="quick", kind="corrected", value=1.0), made("redis", kind="corrected", value=0.6)
    confirmed = made("zfs", value=0.9)
    assert ids(chosen(confirmed, other, own, budget=size(own))) == ["redis"]
    assert set(ids(chosen(confirmed, other, own, budget=size(own) + size(other)))) == {"redis", "nginx"}


def test_an_example_that_is_too_large_is_skipped_and_a_smaller_one_taken() -> None:
    large = made("nginx", value=1.0, kind="corrected", answer="long " * 500)
    unsure = made("redis", value=1.0, kind="corrected", answer="9f" * 60)
    small = made("zfs", value=0.1)
    assert ids(chosen(large, unsure, small, budget=size(small))) == ["zfs"]


def test_many_too_large_ones_do_not_crowd_out_what_fits() -> None:
    crowd = [made(f"e{number}", value=1.0, answer="9f" * 50, judged_at_ms=NOW + number) for number in range(50)]
    small = made("zfs", value=0.1, answer="word " * 20)
    assert ids(chosen(*crowd, small, budget=size(small))) == ["zfs"]


def test_topics_are_covered_before_one_is_told_at_length() -> None:
    many = [made(thing, topic="services", value=0.6) for thing in THINGS[:8]]
    rare = made("flakes", topic="flakes", value=0.5)
    assert "flakes" in ids(chosen(*many, rare, budget=4 * size(many[0])))


def test_of_equal_value_the_newer_is_taken_but_age_alone_loses_nothing_that_fits() -> None:
    old, new = made("nginx", judged_at_ms=NOW - 700 * DAY), made("redis")
    assert ids(chosen(old, new, budget=size(old) + 3)) == ["redis"]
    assert set(ids(chosen(old, new))) == {"nginx", "redis"}


def test_nearly_the_same_question_is_not_taught_twice() -> None:
    again = made("again", question="How can I turn on the nginx server please", value=0.4)
    opposite = made("opposite", question="How do I disable nginx?")
    assert set(ids(chosen(made("nginx"), again, opposite))) == {"nginx", "opposite"}
    assert ids(chosen(made("zfs", cluster="x"), made("sway", cluster="x", value=0.9))) == ["sway"]


def test_the_budget_is_kept_to_the_token() -> None:
    two = made("nginx"), made("redis")
    exact = size(two[0]) + size(two[1])
    assert len(ids(chosen(*two, budget=exact))) == 2
    assert len(ids(chosen(*two, budget=exact - 1))) == 1


def test_an_example_that_a_version_has_twice_stays_once() -> None:
    (nginx,) = chosen(made("nginx")).learned
    result = chosen(made("nginx"), current=(nginx, nginx))
    assert (ids(result), result.dropped) == (["nginx"], (nginx,))


def test_no_budget_means_no_example() -> None:
    assert ids(chosen(made("nginx"), budget=0)) == []
    assert chosen(budget=-5) == Selection((), (), (), 0)


lessons_of_any_kind = st.lists(
    st.builds(
        made,
        name=st.sampled_from(THINGS),
        role=st.sampled_from(["expert", "quick"]),
        topic=st.sampled_from(["a", "b", "c"]),
        kind=st.sampled_from(["corrected", "confirmed", "unjudged", "bad"]),
        state=st.sampled_from(["eligible"] * 4 + ["held_out", "duplicate", "excluded", "review"]),
        value=st.sampled_from([0.1, 0.5, 0.8, 1.0]),
        answer=st.sampled_from(["Yes.", "word " * 20, "9f" * 30, "ключ " * 10, "long " * 90]),
        judged_at_ms=st.integers(NOW - 400 * DAY, NOW + DAY),
    ),
    max_size=12,
    unique_by=lambda lesson: lesson.exchange_id,
)
budgets = st.integers(0, 900)


@given(lessons_of_any_kind, lessons_of_any_kind, budgets, st.randoms(use_true_random=False))
def test_the_rules_hold_for_any_lessons(
    before: list[Lesson], lessons: list[Lesson], budget: int, chance: random.Random
) -> None:
    current = chosen(*before, budget=budget).learned
    result = chosen(*lessons, budget=budget, current=current)
    assert result.tokens == tokens_of(result.learned) <= budget
    shuffled = list(lessons)
    chance.shuffle(shuffled)
    assert chosen(*shuffled, budget=budget, current=current) == result
    again = chosen(*lessons, budget=budget, current=result.learned)
    assert again == Selection(result.learned, (), (), result.tokens)
    was = [one.id for one in current]
    kept = [one for one in ids(result) if one in was]
    assert ids(result)[: len(kept)] == kept == [one for one in was if one in kept]
    by_id = {lesson.exchange_id: lesson for lesson in lessons}
    for one in result.learned:
        lesson = by_id[one.id]
        assert lesson.state == "eligible"
        assert lesson.kind == "corrected" or (lesson.kind == "confirmed" and lesson.role == "expert")
        assert (one.question, one.answer) == (lesson.question, lesson.answer)
    corrections = [one for one in lessons if one.kind == "corrected" and one.state == "eligible"]
    if sum(size(one) for one in corrections) <= budget:
        assert {one.exchange_id for one in corrections} <= set(ids(result))


@given(lessons_of_any_kind, budgets)
def test_one_lesson_more_never_reorders_the_others(lessons: list[Lesson], budget: int) -> None:
    before = chosen(*lessons, budget=budget)
    one_more = made("kernel", kind="corrected", value=1.0, judged_at_ms=NOW - 999 * DAY)
    after = ids(chosen(*lessons, one_more, budget=budget, current=before.learned))
    kept = [one for one in ids(before) if one in after]
    assert after[: len(kept)] == kept
    fresh = ids(chosen(*lessons, one_more, budget=budget))
    assert [one for one in fresh if one in ids(before)] == [one for one in ids(before) if one in fresh]


def test_of_very_many_the_same_are_chosen_whatever_the_order() -> None:
    chance = random.Random(5)
    lessons = [
        made(
            f"e{number}",
            topic=f"t{chance.randrange(40)}",
            value=chance.choice([0.5, 0.6, 0.8]),
            answer="word " * chance.randrange(2, 90),
            judged_at_ms=NOW - chance.randrange(DAY * 300),
        )
        for number in range(5_000)
    ]
    first = chosen(*lessons, budget=1_200)
    chance.shuffle(lessons)
    assert chosen(*lessons, budget=1_200) == first
    assert len({one.topic for one in first.learned}) > 3
    assert msgspec.structs.asdict(first.learned[0])["kind"] == "confirmed"
