from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.learning import Judged, Lesson
from nix_trinity.training.duplicates import held_out, merge
from nix_trinity.training.quality import lesson_of

OPENSSH = {"services.openssh.enable": "boolean"}
FINE = Inspection("25.05", "verified", OPENSSH, relevant=True)
GOOD = Judged(
    id="e1",
    uid=1000,
    asked_at_ms=1,
    session="s",
    role="expert",
    question="How do I enable SSH?",
    has_attachment=False,
    answer="Set services.openssh.enable = true;",
    given_answer="Set services.openssh.enable = true;",
    check="verified",
    option_types=OPENSSH,
    options_release="25.05",
    learnable=True,
    word="good",
    judged_by=1000,
    judged_at_ms=2,
    by_operator=False,
    good_from=1,
    review=None,
    set_aside=None,
    allows=True,
    asked_again=0,
    followed_up_in_doubt=False,
)


def lesson(
    inspection: Inspection = FINE,
    *,
    consent_by_default: bool = False,
    share: float = 0.0,
    contradicts: str | None = None,
    **changed: Any,
) -> Lesson:
    return lesson_of(
        msgspec.structs.replace(GOOD, **changed),
        inspection,
        consent_by_default=consent_by_default,
        held_out_share=share,
        contradicts=contradicts,
        cluster="c",
    )


def inspected(**changed: Any) -> Inspection:
    values: dict[str, Any] = {"release": "25.05", "check": "verified", "types": OPENSSH, "relevant": True}
    return Inspection(**(values | changed))


UNJUDGED: dict[str, Any] = {"word": None, "judged_by": None, "judged_at_ms": None, "good_from": 0}
CORRECTED: dict[str, Any] = {"word": "corrected"}
ACCEPTED: dict[str, Any] = {"review": "accepted"}


def test_a_good_word_on_a_verified_answer_makes_an_example() -> None:
    made = lesson()
    assert (made.state, made.kind, made.topic, made.reason) == (
        "eligible",
        "confirmed",
        "services.openssh",
        "One person called it good.",
    )
    assert (made.judged_by, made.judged_at_ms, made.options_release, made.option_types) == (1000, 2, "25.05", OPENSSH)


@pytest.mark.parametrize(
    ("inspection", "changed", "says"),
    [
        (
            inspected(problems=("services.ssh.on does not exist.", "a", "b", "c")),
            {},
            "services.ssh.on does not exist; a",
        ),
        (inspected(problems=("x",)), CORRECTED | {"by_operator": True}, "wrong for this NixOS"),
        (inspected(problems=("x",)), ACCEPTED, "wrong for this NixOS"),
        (inspected(orders=True), CORRECTED, "orders"),
        (FINE, {"learnable": False}, "orders"),
        (FINE, {"word": "bad"}, "called bad"),
        (FINE, {"word": "bad"} | ACCEPTED, "called bad"),
        (FINE, {"review": "rejected"}, "rejected"),
        (FINE, {"review": "rejected"} | CORRECTED, "rejected"),
        (FINE, {"allows": False}, "does not allow"),
        (FINE, {"allows": False} | CORRECTED, "does not allow"),
        (FINE, {"allows": None}, "has not allowed"),
        (FINE, {"answer": "  "}, "empty"),
        (FINE, {"set_aside": "services.x is gone."}, "services.x is gone."),
        (FINE, UNJUDGED | {"check": "flagged"}, "Nobody said"),
        (inspected(check="ungrounded"), UNJUDGED, "Nobody said"),
    ],
)
def test_what_is_excluded_says_why(inspection: Inspection, changed: dict[str, Any], says: str) -> None:
    made = lesson(inspection, **changed)
    assert made.state == "excluded"
    assert says in made.reason


REVIEWED = [
    (FINE, {"has_attachment": True}, None, "attached"),
    (FINE, {"has_attachment": True} | CORRECTED, None, "attached"),
    (inspected(relevant=False), {}, None, "Only one person"),
    (inspected(relevant=False), CORRECTED, None, "Only one person"),
    (FINE, {}, "How do I run sshd?", "How do I run sshd?"),
    (FINE, CORRECTED | {"by_operator": True}, "How do I run sshd?", "contradicts"),
    (FINE, {"check": "flagged"}, None, "did not confirm"),
    (FINE, {"check": None}, None, "did not confirm"),
    (inspected(check="ungrounded"), {"by_operator": True}, None, "did not confirm"),
    (FINE, UNJUDGED, None, "nobody said"),
    (FINE, {"answer": "use [redacted: password]"}, None, "secret"),
]


@pytest.mark.parametrize(("inspection", "changed", "contradicts", "says"), REVIEWED)
def test_what_is_in_doubt_waits_for_an_operator_and_says_why(
    inspection: Inspection, changed: dict[str, Any], contradicts: str | None, says: str
) -> None:
    made = lesson(inspection, contradicts=contradicts, **changed)
    assert made.state == "review"
    assert says in made.reason
    accepted = lesson(inspection, contradicts=contradicts, **(changed | ACCEPTED))
    assert accepted.state == "eligible"
    assert accepted.by_operator


def test_an_old_name_waits_until_it_is_renewed_even_when_it_was_accepted() -> None:
    made = lesson(inspected(renamed={"services.sshd": "services.openssh"}), **ACCEPTED)
    assert made.state == "review"
    assert "services.sshd is now services.openssh" in made.reason


@pytest.mark.parametrize("changed", [{"good_from": 2}, {"by_operator": True}])
def test_more_than_one_person_or_an_operator_vouches_for_an_odd_answer(changed: dict[str, Any]) -> None:
    assert lesson(inspected(relevant=False), **changed).state == "eligible"


def test_an_answer_that_names_no_option_may_be_called_good_by_one() -> None:
    assert lesson(inspected(relevant=None, types={})).state == "eligible"


def test_a_correction_counts_though_the_check_could_not_confirm_it() -> None:
    assert lesson(inspected(check="ungrounded"), check="ungrounded", **CORRECTED).state == "eligible"


def test_consent_is_the_persons_word_else_the_default_else_an_accepted_review() -> None:
    assert lesson(allows=None, consent_by_default=True).state == "eligible"
    assert lesson(allows=False, consent_by_default=True).state == "excluded"
    assert lesson(allows=None, **ACCEPTED).state == "eligible"
    assert lesson(allows=None, by_operator=True).state == "excluded"


def test_values_are_in_order() -> None:
    values = [
        lesson(**CORRECTED, asked_again=3, followed_up_in_doubt=True).value,
        lesson(by_operator=True).value,
        lesson(good_from=4).value,
        lesson(good_from=2).value,
        lesson().value,
        lesson(asked_again=1).value,
        lesson(asked_again=1, followed_up_in_doubt=True).value,
        lesson(**UNJUDGED).value,
        lesson(word="bad").value,
    ]
    assert values == sorted(set(values), reverse=True)
    assert values[0] == 1.0
    assert values[-1] == 0.0


def test_held_out_is_stable_and_about_the_share() -> None:
    of_1000 = [held_out(f"{number}", 0.2) for number in range(1000)]
    assert of_1000 == [held_out(f"{number}", 0.2) for number in range(1000)]
    assert 150 < sum(of_1000) < 250
    assert not any(held_out(f"{number}", 0.0) for number in range(100))
    assert all(held_out(f"{number}", 0.9) for number in range(1000) if of_1000[number])


def test_only_confirmed_ones_are_held_out() -> None:
    assert lesson(share=1.0).state == "held_out"
    assert lesson(share=1.0, **CORRECTED).state == "eligible"
    assert lesson(share=1.0, **UNJUDGED).state == "review"


def made(name: str, **changed: Any) -> Lesson:
    values: dict[str, Any] = {
        "exchange_id": name,
        "role": "expert",
        "topic": "t",
        "kind": "confirmed",
        "state": "eligible",
        "reason": "",
        "value": 0.5,
        "cluster": "c",
        "question": "How do I enable SSH?",
        "answer": name,
    }
    return Lesson(**(values | changed))


def states(*lessons: Lesson, share: float = 0.0) -> dict[str, str]:
    return {one.exchange_id: one.state for one in merge(lessons, held_out_share=share)}


def test_of_those_that_ask_the_same_the_best_stays_and_the_others_name_it() -> None:
    old = made("old", kind="corrected", judged_at_ms=1)
    merged = merge([made("new", judged_at_ms=9), made("other", judged_at_ms=5), old])
    assert [one.state for one in merged] == ["duplicate", "duplicate", "eligible"]
    assert merged[0].reason == "Exchange old asks the same and was corrected."
    assert states(made("new", judged_at_ms=9), made("op", by_operator=True)) == {"new": "duplicate", "op": "eligible"}
    assert states(made("a", judged_at_ms=1), made("b", judged_at_ms=2)) == {"a": "duplicate", "b": "eligible"}


def test_one_persons_correction_of_what_an_operator_accepted_waits_for_a_review() -> None:
    merged = merge([made("op", by_operator=True, judged_at_ms=5), made("mine", kind="corrected", judged_at_ms=9)])
    assert [one.state for one in merged] == ["eligible", "review"]
    assert "exchange op" in merged[1].reason
    by_operator = made("boss", kind="corrected", by_operator=True, judged_at_ms=9)
    assert states(made("op", by_operator=True, judged_at_ms=5), by_operator) == {"op": "duplicate", "boss": "eligible"}


def test_nearly_the_same_question_in_another_cluster_is_a_duplicate_and_an_opposite_one_is_not() -> None:
    alike = made("a", cluster="1", question="How do I enable the ssh server?", judged_at_ms=1)
    opposite = made("b", cluster="2", question="How do I disable SSH?")
    assert states(alike, opposite, made("c")) == {"a": "eligible", "b": "eligible", "c": "duplicate"}


@pytest.mark.parametrize("state", ["eligible", "review"])
def test_where_there_is_a_correction_nothing_is_held_out(state: str) -> None:
    assert "held_out" not in states(made("a", state="held_out"), made("b", kind="corrected", state=state)).values()


def test_an_excluded_correction_changes_nothing() -> None:
    assert states(made("a", state="held_out"), made("b", kind="corrected", state="excluded")) == {
        "a": "held_out",
        "b": "excluded",
    }


def test_a_duplicate_steps_in_when_the_better_one_is_gone() -> None:
    assert states(made("a", state="duplicate"), made("b", state="excluded", kind="bad"))["a"] == "eligible"
    assert states(made("a", state="duplicate"), share=1.0)["a"] == "held_out"
    assert states(made("a", state="duplicate", kind="corrected"), share=1.0)["a"] == "eligible"


@given(st.data())
def test_merging_never_loses_a_correction_whatever_the_order(data: st.DataObject) -> None:
    lessons = [
        made(
            f"e{number}",
            cluster=data.draw(st.sampled_from("xyz")),
            kind=data.draw(st.sampled_from(["corrected", "confirmed"])),
            state=data.draw(st.sampled_from(["eligible", "held_out", "review", "excluded", "duplicate"])),
            by_operator=data.draw(st.booleans()),
            judged_at_ms=data.draw(st.integers(0, 3)),
        )
        for number in range(data.draw(st.integers(0, 8)))
    ]
    lessons = [msgspec.structs.replace(one, question=f"How do I enable {one.cluster}?") for one in lessons]
    merged = merge(lessons)
    assert [one.exchange_id for one in merged] == [one.exchange_id for one in lessons]
    assert merge(merged) == [*merged] or [one.state for one in merge(merged)] == [one.state for one in merged]
    shuffled = data.draw(st.permutations(lessons))
    assert {one.exchange_id: one for one in merge(shuffled)} == {one.exchange_id: one for one in merged}
    for cluster in "xyz":
        group = [(before, after) for before, after in zip(lessons, merged, strict=True) if before.cluster == cluster]
        active = [pair for pair in group if pair[0].state in {"eligible", "held_out", "duplicate"}]
        if active:
            (winner,) = [after for _, after in active if after.state not in {"duplicate", "review"}]
            corrections = [before for before, _ in active if before.kind == "corrected"]
            assert winner.kind == "corrected" or not any(one.by_operator for one in corrections)
            assert winner.kind == "corrected" or winner.by_operator or not corrections
            assert all(after.state != "excluded" for _, after in active)
