"""The four measures of the user's document, by role, version and week; what is said of people stays with consent."""

from __future__ import annotations

import datetime
import statistics as exact
from collections.abc import Iterator

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge.database import migrate
from nix_trinity.knowledge.exchanges import Exchange, Feedback
from nix_trinity.knowledge.statistics import Measures, Spread, Statistics, statistics

ALICE, BOB, OPERATOR = 1000, 1001, 7
DAY = 86_400_000


def at(day: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp() * 1000)


MONDAY, SUNDAY = at("2026-11-23"), at("2026-11-29")
SINCE, UNTIL = at("2026-11-01"), at("2026-12-31")


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    yield connection
    connection.close()


def ask(connection: apsw.Connection, identifier: str, *words: str, by: int = ALICE, **fields: object) -> None:
    """Put an exchange; ``words`` are its feedback, in order, each by the asker unless ``verdict@uid`` says otherwise."""
    known: dict[str, object] = {
        "asked_at_ms": MONDAY,
        "uid": by,
        "session": "s",
        "interface": "cli",
        "question": f"question {identifier}",
        "role": "expert",
        "model": "nix-expert",
        "model_version": "sha256:1",
        "answer": "an answer",
        "outcome": "answered",
        "verdict": "verified",
        "first_token_ms": 100.0,
        "total_ms": 1000.0,
    }
    rows.put_exchange(connection, Exchange(id=identifier, **{**known, **fields}))  # type: ignore[arg-type]
    for word in words:
        verdict, _, uid = word.partition("@")
        correction = "Better." if verdict == "corrected" else None
        said = Feedback(given_at_ms=MONDAY, uid=int(uid or by), verdict=verdict, correction=correction)
        rows.put_feedback(connection, identifier, said)


def lesson(connection: apsw.Connection, identifier: str, topic: str, cluster: str, state: str = "eligible") -> None:
    connection.execute(
        "INSERT INTO lessons (exchange_id, role, topic, kind, state, reason, value, cluster, question, answer,"
        " option_types, by_operator, judged_at_ms) VALUES (?, 'expert', ?, 'unjudged', ?, '', 0, ?, '', '', '{}', 0, 0)",
        (identifier, topic, state, cluster),
    )


def counted(connection: apsw.Connection, **more: object) -> Statistics:
    return statistics(connection, **{"since_ms": SINCE, "until_ms": UNTIL, **more})  # type: ignore[arg-type]


def test_the_measures_are_what_the_document_lists(connection: apsw.Connection) -> None:
    ask(connection, "confirmed", "good")
    ask(connection, "changed their mind", "bad", "good")
    ask(connection, "put right", "good", "corrected@7")
    ask(connection, "useless", "bad")
    ask(connection, "nobody said anything")
    whole = counted(connection).whole
    assert (whole.answered, whole.good, whole.bad, whole.corrected) == (5, 2, 1, 1)
    assert whole.accuracy == 2 / 4, "of the four that were judged two were confirmed in the end"
    assert whole.corrections == 1 / 5, "of all answers one was corrected"
    # Alice said good (confirmed), good (in the end), good (put right), bad (useless); the operator's correction is none.
    assert (whole.said_good, whole.said_bad) == (3, 1)
    assert whole.helpfulness == 3 / 4
    assert whole.first_token_ms == Spread(100.0, 100.0, 5)


def test_every_persons_word_counts_for_helpfulness_and_the_newest_for_accuracy(connection: apsw.Connection) -> None:
    ask(connection, "disputed", "good@1000", "good@1001", "bad@7")
    whole = counted(connection).whole
    assert whole.accuracy == 0
    assert whole.helpfulness == 2 / 3


def test_nothing_asked_is_nothing_measured(connection: apsw.Connection) -> None:
    found = counted(connection)
    assert found.whole == Measures()
    assert (found.roles, found.versions, found.weeks, found.topics, found.bad_answers, found.notes) == ((),) * 6
    assert msgspec.json.decode(msgspec.json.encode(found), type=Statistics) == found


def test_what_did_not_end_was_imported_or_lies_outside_is_left_out(connection: apsw.Connection) -> None:
    ask(connection, "running", outcome="running")
    ask(connection, "imported", "good", interface="import")
    ask(connection, "before", "good", asked_at_ms=SINCE - 1)
    ask(connection, "after", "good", asked_at_ms=UNTIL)
    assert counted(connection).whole == Measures()
    ask(connection, "first", asked_at_ms=SINCE)
    ask(connection, "last", asked_at_ms=UNTIL - 1)
    assert counted(connection).whole.exchanges == 2


def test_groups_by_role_version_and_week(connection: apsw.Connection) -> None:
    ask(connection, "a", "good", asked_at_ms=MONDAY)
    ask(connection, "b", "bad", asked_at_ms=SUNDAY, model_version="sha256:2")
    ask(connection, "c", "corrected", asked_at_ms=SUNDAY + DAY, model_version="sha256:2")
    ask(connection, "d", role="quick", model="nix-quick", asked_at_ms=SUNDAY + DAY)
    ask(connection, "e", role=None, model=None, model_version=None, outcome="failed", verdict=None, answer="")
    found = counted(connection)
    assert [(row.role, row.measures.exchanges, row.measures.accuracy) for row in found.roles] == [
        ("", 1, None),
        ("expert", 3, 1 / 3),
        ("quick", 1, None),
    ]
    assert [(row.model, row.model_version, row.measures.exchanges) for row in found.versions] == [
        ("", "", 1),
        ("nix-expert", "sha256:1", 1),
        ("nix-expert", "sha256:2", 2),
        ("nix-quick", "sha256:1", 1),
    ]
    assert [(row.week, row.role, row.measures.exchanges) for row in found.weeks] == [
        ("2026-W48", "", 1),
        ("2026-W48", "expert", 2),
        ("2026-W49", "expert", 1),
        ("2026-W49", "quick", 1),
    ]
    assert (found.whole.exchanges, found.whole.failed) == (5, 1)


def test_a_week_belongs_to_the_year_of_its_thursday(connection: apsw.Connection) -> None:
    ask(connection, "new year", asked_at_ms=at("2027-01-01"))
    assert [row.week for row in counted(connection, until_ms=at("2027-02-01")).weeks] == ["2026-W53"]


def test_outcomes_verdicts_and_known_answers(connection: apsw.Connection) -> None:
    ask(connection, "1", verdict="verified")
    ask(connection, "2", verdict="corrected")
    ask(connection, "3", verdict="flagged")
    ask(connection, "4", verdict="ungrounded")
    ask(connection, "5", outcome="failed", verdict=None)
    ask(connection, "6", outcome="cancelled", verdict=None)
    known = '[{"kind":"known","name":"k3","where":""},{"kind":"option","name":"a.b","where":""}]'
    ask(connection, "7", sources=known, first_token_ms=1.0)
    ask(connection, "8", sources='[{"kind":"note","name":"\\"known\\" faults","where":"known"}]')
    ask(connection, "9", model=None, first_token_ms=2.0)
    whole = counted(connection).whole
    assert (whole.verified, whole.repaired, whole.flagged, whole.ungrounded) == (4, 1, 1, 1)
    assert (whole.exchanges, whole.answered, whole.failed, whole.cancelled, whole.known) == (9, 7, 1, 1, 1)
    assert whole.first_token_ms == Spread(100.0, 100.0, 5), "the time of a model's answers alone"


@settings(deadline=None, max_examples=60)
@given(times=st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=45))
def test_medians_and_percentiles_are_exact(times: list[float]) -> None:
    connection = apsw.Connection(":memory:")
    migrate(connection)
    for number, time in enumerate(times):
        ask(connection, str(number), first_token_ms=time, role="expert" if number % 3 else "quick")
    ask(connection, "without", first_token_ms=None)
    found = counted(connection)
    connection.close()

    def spread(values: list[float]) -> Spread:
        ordered = sorted(values)
        # Nearest rank: the least value that 95 % of all are no greater than.
        at_95 = next(value for place, value in enumerate(ordered, 1) if 100 * place >= 95 * len(ordered))
        return Spread(pytest.approx(exact.median(values)), at_95, len(values))  # type: ignore[arg-type]

    assert found.whole.first_token_ms == spread(times)
    by_role = {row.role: row.measures.first_token_ms for row in found.roles}
    assert by_role["quick"] == spread(times[::3])


def test_topics_are_counted_with_what_became_of_them(connection: apsw.Connection) -> None:
    for number, (topic, words, verdict) in enumerate(
        [
            ("ssh", ["good"], "verified"),
            ("ssh", ["bad"], "ungrounded"),
            ("ssh", [], "flagged"),
            ("boot", [], "verified"),
        ]
    ):
        ask(connection, str(number), *words, verdict=verdict)
        lesson(connection, str(number), topic, str(number), "eligible" if number else "review")
    ask(connection, "not analysed yet")
    found = counted(connection)
    assert [(one.topic, one.asked, one.good, one.bad, one.ungrounded) for one in found.topics] == [
        ("ssh", 3, 1, 1, 1),
        ("boot", 1, 0, 0, 0),
    ]
    assert (found.lessons.eligible, found.lessons.review, found.lessons.waiting) == (3, 1, 1)
    assert len(counted(connection, most=1).topics) == 1


@pytest.mark.parametrize(
    ("consents", "by_default", "shown"),
    [
        ({}, False, set()),
        ({}, True, {"a", "b"}),
        ({ALICE: 1}, False, {"a"}),
        ({ALICE: 0}, True, {"b"}),
        ({ALICE: 1, BOB: 0}, True, {"a"}),
    ],
)
def test_a_badly_answered_question_is_shown_with_consent_alone(
    connection: apsw.Connection, consents: dict[int, int], by_default: bool, shown: set[str]
) -> None:
    for uid, allows in consents.items():
        connection.execute("INSERT INTO consents VALUES (?, ?, 0)", (uid, allows))
    ask(connection, "a", "bad", question="Alice's question")
    ask(connection, "b", "corrected@1001", by=BOB, question="Bob's question")
    ask(connection, "fine", "bad", "good")
    found = counted(connection, consent_by_default=by_default)
    assert {one.id for one in found.bad_answers} == shown
    assert found.bad_answers_withheld == 2 - len(shown)
    text = msgspec.json.encode(found).decode()
    assert ("Alice's question" in text, "Bob's question" in text) == ("a" in shown, "b" in shown)


def test_notes_worth_writing_are_what_came_again_and_went_wrong(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO consents VALUES (?, 1, 0)", (BOB,))
    ask(connection, "a1", verdict="ungrounded", question="how do I flash a router")
    ask(connection, "a2", "bad", by=BOB, question="flashing a router?", asked_at_ms=MONDAY + 1)
    ask(connection, "a3", "good", question="flash routers", asked_at_ms=MONDAY + 2)
    ask(connection, "b1", verdict="ungrounded", question="asked once")
    ask(connection, "c1", verdict="flagged")
    ask(connection, "c2", verdict="flagged")
    ask(connection, "d1", verdict="flagged")
    ask(connection, "d2", verdict="flagged")
    for number in range(3, 6):
        ask(connection, f"d{number}", "good")
    for identifier in ("a1", "a2", "a3", "b1", "c1", "c2", "d1", "d2", "d3", "d4", "d5"):
        lesson(connection, identifier, f"topic {identifier[0]}", identifier[0])
    assert [(one.topic, one.asked, one.troubled, one.question) for one in counted(connection).notes] == [
        ("topic a", 3, 2, "flashing a router?"),
        ("topic c", 2, 2, None),
    ]


def test_counting_changes_nothing(connection: apsw.Connection) -> None:
    ask(connection, "a", "good")
    before = connection.total_changes()
    counted(connection)
    assert connection.total_changes() == before
