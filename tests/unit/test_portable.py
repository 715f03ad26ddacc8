"""Knowledge goes out and comes back whole; what is broken is told and costs nothing else."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nix_trinity.catalogue import ROLES
from nix_trinity.client.seed_layout import pairs_from_files, pairs_from_lines
from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import past_answers, portable_records
from nix_trinity.knowledge.corpus.words import stems
from nix_trinity.knowledge.database import migrate
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.portable import ImportReport, export_lines, import_lines
from tests.secret_shapes import SHAPES

ALICE, BOB, OPERATOR = 1000, 1001, 7
NOW = 1_760_000_000_000
ALL = Reader(0, sees_all=True)


def fresh() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    return connection


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    connection = fresh()
    yield connection
    connection.close()


@pytest.fixture
def other() -> Iterator[apsw.Connection]:
    connection = fresh()
    yield connection
    connection.close()


def exchange(identifier: str, **fields: object) -> Exchange:
    known: dict[str, object] = {
        "asked_at_ms": NOW - 1000,
        "uid": ALICE,
        "session": "s1",
        "interface": "cli",
        "question": f"How do I enable {identifier}?",
        "answer": "Set `services.openssh.enable`.",
        "outcome": "answered",
        "verdict": "verified",
    }
    return Exchange(id=identifier, **{**known, **fields})  # type: ignore[arg-type]


def said(verdict: str, **fields: object) -> Feedback:
    known: dict[str, object] = {"given_at_ms": NOW - 500, "uid": ALICE, "correction": None}
    return Feedback(verdict=verdict, **{**known, **fields})  # type: ignore[arg-type]


FULL = exchange(
    "2345678bcd",
    question='Wie aktiviere ich SSH? \u2028 ünïcode 🦀 \\ " \t',
    attachment="line one\nline two",
    level="beginner",
    role="expert",
    role_reason="asks why",
    model="nix-expert",
    model_version="sha256:ab",
    nixos_release="25.05",
    truncated=False,
    queue_ms=0.5,
    first_token_ms=12.25,
    total_ms=99.0,
    prompt_tokens=10,
    answer_tokens=20,
    sources='[{"kind":"option","name":"services.openssh.enable","where":"ssh.nix"}]',
    options_release="25.05",
    option_types='{"services.openssh.enable":"boolean"}',
)
WORDS = [
    said("bad", uid=BOB),
    said("good", given_at_ms=NOW - 400),
    said(
        "corrected",
        correction="Better:\n`services.openssh.enable = true;`",
        by_operator=True,
        uid=OPERATOR,
        option_types='{"services.openssh.enable":"boolean"}',
        check_verdict="verified",
        options_release="25.11",
    ),
]


def put(connection: apsw.Connection, one: Exchange, *words: Feedback) -> None:
    rows.put_exchange(connection, one)
    for word in words:
        rows.put_feedback(connection, one.id, word)
    past_answers.refresh(connection, one.id)


def exported(connection: apsw.Connection, form: str = "exchanges", uid: int | None = None, **more: Any) -> list[Any]:
    lines = list(export_lines(connection, form=form, uid=uid, **more))  # type: ignore[arg-type]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


def taken_in(connection: apsw.Connection, *lines: object, uid: int = BOB, **more: Any) -> ImportReport:
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return import_lines(connection, raw, uid=uid, now_ms=NOW, **{"learnable": lambda _: True, **more})


def kept(connection: apsw.Connection) -> list[Exchange]:
    return rows.list_exchanges(connection, ALL, limit=1000)


def test_an_exchange_comes_back_with_nothing_lost_but_who_it_was(
    connection: apsw.Connection, other: apsw.Connection
) -> None:
    put(connection, FULL, *WORDS)
    lines = list(export_lines(connection, form="exchanges", uid=None))
    report = import_lines(other, lines, uid=BOB, now_ms=NOW, learnable=lambda _: True, by_operator=True)
    assert report == ImportReport(1, 0, (), 0)
    assert kept(other) == [msgspec.structs.replace(FULL, uid=BOB, interface="import", verdict=None)]
    assert rows.feedback_on(other, FULL.id) == [
        msgspec.structs.replace(word, uid=BOB, check_verdict=None) for word in WORDS
    ]
    found = past_answers.accepted_like(other, BOB, stems("ssh aktiviere"), 3)
    assert [one.answer for one in found] == [WORDS[2].correction], "it is knowledge at once"


def test_who_asked_is_said_only_when_asked_for(connection: apsw.Connection) -> None:
    put(connection, FULL, *WORDS)
    (plain,) = exported(connection)
    assert "uid" not in json.dumps(plain)
    (named,) = exported(connection, with_uids=True)
    assert (named["uid"], [word["uid"] for word in named["feedback"]]) == (ALICE, [BOB, ALICE, OPERATOR])
    assert {key for key in named if key not in plain} == {"uid"}


def test_one_persons_export_is_their_own_and_in_order(connection: apsw.Connection) -> None:
    put(connection, exchange("b", asked_at_ms=2, session="other"))
    put(connection, exchange("a", asked_at_ms=3))
    put(connection, exchange("failed", asked_at_ms=1, outcome="failed", answer="", error_code="busy"))
    put(connection, exchange("running", outcome="running"))
    put(connection, exchange("bobs", uid=BOB))
    assert [line["id"] for line in exported(connection, uid=ALICE)] == ["failed", "b", "a"]
    assert {line["id"] for line in exported(connection)} == {"failed", "b", "a", "bobs"}
    assert exported(connection, uid=4711) == []


def test_what_failed_comes_back_as_failed(connection: apsw.Connection, other: apsw.Connection) -> None:
    put(connection, exchange("2222222222", outcome="failed", answer="", error_code="busy", verdict=None))
    assert taken_in(other, *exported(connection)).imported == 1
    (one,) = kept(other)
    assert (one.outcome, one.error_code, one.answer) == ("failed", "busy", "")


def test_secrets_are_taken_out_on_the_way_out_and_on_the_way_in(connection: apsw.Connection) -> None:
    token = next(shape.secrets[0] for shape in SHAPES if shape.name == "nix access-tokens")
    put(
        connection,
        exchange(
            "a", question=f"is {token} right", answer=f"no, {token}", attachment=token, role_reason=f"has {token}"
        ),
        said("corrected", correction=f"yes, {token}"),
    )
    assert token not in json.dumps(exported(connection))
    assert token not in json.dumps(exported(connection, "chat", uid=ALICE))
    assert json.dumps(exported(connection, "chat", uid=ALICE)).count("[redacted") == 3
    record = {
        "question": f"a {token}",
        "answer": f"b {token}",
        "attachment": token,
        "category": token,
        "correction": token,
    }
    assert taken_in(connection, record).imported == 1
    for table in ("exchanges", "feedback"):
        for row in connection.execute(f"SELECT * FROM {table} WHERE uid = {BOB}"):
            assert token not in repr(row)


def test_the_chat_form_has_accepted_answers_with_their_corrections(connection: apsw.Connection) -> None:
    put(connection, exchange("a"), said("good"))
    put(connection, exchange("b", asked_at_ms=NOW, attachment="a log"), said("corrected", correction="Better."))
    put(connection, exchange("nobody said anything"))
    put(connection, exchange("wrong"), said("bad"))
    put(connection, exchange("orders", learnable=False), said("good"))
    assert exported(connection, "chat", uid=ALICE, system="Be brief.") == [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How do I enable a?"},
                {"role": "assistant", "content": "Set `services.openssh.enable`."},
            ]
        },
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How do I enable b?\n\na log"},
                {"role": "assistant", "content": "Better."},
            ]
        },
    ]
    every = exported(connection, "chat", uid=ALICE, accepted_only=False)
    assert len(every) == 4
    assert [message["role"] for message in every[0]["messages"]] == ["user", "assistant"]
    assert "orders" not in json.dumps(every)


@pytest.mark.parametrize(
    ("consents", "by_default", "out"),
    [({}, False, set()), ({}, True, {"a", "b"}), ({ALICE: 1}, False, {"a"}), ({ALICE: 0}, True, {"b"})],
)
def test_models_learn_from_an_export_only_with_consent(
    connection: apsw.Connection, consents: dict[int, int], by_default: bool, out: set[str]
) -> None:
    for uid, allows in consents.items():
        connection.execute("INSERT INTO consents (uid, allows, said_at_ms) VALUES (?, ?, 0)", (uid, allows))
    put(connection, exchange("a", question="a"), said("good"))
    put(connection, exchange("b", question="b", uid=BOB), said("good", uid=BOB))
    everybody = exported(connection, "chat", consent_by_default=by_default)
    assert {line["messages"][0]["content"] for line in everybody} == out
    own = exported(connection, "chat", uid=BOB)
    assert [line["messages"][0]["content"] for line in own] == ["b"], "one's own needs nobody's consent"


def test_an_export_may_be_taken_in_several_transactions(connection: apsw.Connection) -> None:
    for number in range(1_200):
        put(connection, exchange(f"x{number:04}", asked_at_ms=number // 7))
    lines = export_lines(connection, form="exchanges", uid=None)
    first = list(islice(lines, 3))
    connection.execute("DELETE FROM exchanges WHERE id IN ('x0000', 'x0003')")
    put(connection, exchange("late", asked_at_ms=NOW))
    rest = list(lines)
    found = [json.loads(line)["id"] for line in (*first, *rest)]
    assert found == [f"x{number:04}" for number in range(1_200) if number != 3] + ["late"]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, []),
        ({"word": "good"}, [("good", None)]),
        ({"word": "bad"}, [("bad", None)]),
        ({"word": "corrected", "correction": "Better."}, [("corrected", "Better.")]),
        ({"correction": "Better."}, [("corrected", "Better.")]),
        ({"feedback": [{"verdict": "bad"}, {"verdict": "good"}], "word": "bad"}, [("bad", None), ("good", None)]),
    ],
)
@pytest.mark.parametrize("by_operator", [False, True])
def test_what_was_thought_of_it_becomes_the_importing_persons_word(
    connection: apsw.Connection, record: dict[str, object], words: list[tuple[str, str | None]], by_operator: bool
) -> None:
    report = taken_in(connection, {"question": "q", "answer": "a", **record}, by_operator=by_operator)
    assert report.imported == 1
    (one,) = kept(connection)
    assert (one.uid, one.interface, one.verdict, one.learnable, one.asked_at_ms) == (BOB, "import", None, True, NOW)
    given = rows.feedback_on(connection, one.id)
    assert [(word.verdict, word.correction) for word in given] == words
    assert all((word.uid, word.given_at_ms) == (BOB, NOW) for word in given)
    assert {word.by_operator for word in given} <= {by_operator and "feedback" not in record}
    assert connection.execute("SELECT exchange_id FROM to_analyse").get == one.id


def test_a_claimed_check_is_not_believed(connection: apsw.Connection) -> None:
    claims = {"question": "q", "answer": "a", "verdict": "verified", "interface": "cli", "uid": 0, "word": "good"}
    assert taken_in(connection, claims).imported == 1
    assert connection.execute("SELECT count(*) FROM accepted_exchanges").get == 0
    (one,) = kept(connection)
    assert (one.uid, one.interface, one.verdict) == (BOB, "import", None)


def test_what_reads_like_orders_is_not_learnable(connection: apsw.Connection) -> None:
    seen: list[str] = []

    def learnable(text: str) -> bool:
        seen.append(text)
        return "ignore" not in text

    taken_in(
        connection, {"question": "q1", "answer": "ignore all"}, {"question": "q2", "answer": "a"}, learnable=learnable
    )
    taken_in(connection, {"question": "q3", "answer": "a", "correction": "ignore it"}, learnable=learnable)
    taken_in(connection, {"question": "q4", "answer": "a", "attachment": "ignore me"}, learnable=learnable)
    taken_in(connection, {"question": "q5", "answer": "a", "learnable": False}, learnable=lambda _: True)
    assert {one.question: one.learnable for one in kept(connection)} == {
        "q1": False,
        "q2": True,
        "q3": False,
        "q4": False,
        "q5": False,
    }


def test_what_is_there_is_not_taken_twice(connection: apsw.Connection) -> None:
    put(connection, exchange("2222222222", question="asked here", answer="yes"))
    lines = [
        {"question": "asked here", "answer": "yes"},
        {"question": "asked here", "answer": "another answer"},
        {"question": "new", "answer": "a"},
        {"question": "new", "answer": "a", "word": "good"},
        {"id": "2222222222", "question": "the same id", "answer": "with another text"},
    ]
    assert taken_in(connection, *lines, uid=ALICE) == ImportReport(2, 3, (), 0)
    assert taken_in(connection, *lines, uid=ALICE) == ImportReport(0, 5, (), 0)
    assert rows.find_exchange(connection, ALL, "2222222222")[0].question == "asked here", "nothing is written over"


def test_other_peoples_exchanges_are_no_reason_not_to_take_ones_own(connection: apsw.Connection) -> None:
    put(connection, exchange("2222222222", question="q", answer="a"))
    line = {"id": "2222222222", "question": "q", "answer": "a"}
    assert taken_in(connection, line, uid=BOB).imported == 1
    assert taken_in(connection, line, uid=BOB) == ImportReport(0, 1, (), 0)
    assert {one.uid for one in kept(connection)} == {ALICE, BOB}
    assert taken_in(connection, line, uid=OPERATOR, sees_all=True) == ImportReport(0, 1, (), 0)


TOO_DEEP = b'{"question": "q", "answer": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "not valid JSON"),
        (b'"text"', "expected `object`"),
        (b"[]", "expected `object`"),
        (b'{"question": "q"}', "missing required field `answer`"),
        (b'{"question": "q", "answer": 3}', "field 'answer': expected `str`, got `int`"),
        (b'{"question": null, "answer": "a"}', "field 'question'"),
        (b'{"question": " \\n", "answer": "a"}', "the question is empty"),
        (b'{"question": "q", "answer": ""}', "the answer is empty"),
        (b'{"question": "q", "answer": "a\\u0000"}', "NUL byte"),
        (b'{"question": "q", "answer": "a", "role": "x\\u0000"}', "NUL byte"),
        (b'{"question": "q", "answer": "\\ud800"}', "not valid JSON"),
        (b'{"question": "\xff", "answer": "a"}', "not valid JSON"),
        (json.dumps({"question": "q" * 16_385, "answer": "a"}).encode(), "field 'question': expected `str` of length"),
        (json.dumps({"question": "q", "answer": "a" * 300_000}).encode(), "field 'answer'"),
        (b'{"question": "q", "answer": "' + b"a" * (4 << 20) + b'"}', "bytes; the limit is"),
        (b'{"question": "q", "answer": "a", "asked_at_ms": "yesterday"}', "field 'asked_at_ms'"),
        (b'{"question": "q", "answer": "a", "asked_at_ms": -1}', "field 'asked_at_ms'"),
        (b'{"question": "q", "answer": "a", "asked_at_ms": 1e30}', "field 'asked_at_ms'"),
        (b'{"question": "q", "answer": "a", "prompt_tokens": 99999999999999999999}', "field 'prompt_tokens'"),
        (b'{"question": "q", "answer": "a", "word": "great"}', "field 'word'"),
        (b'{"question": "q", "answer": "a", "word": "corrected"}', "comes with a correction"),
        (b'{"question": "q", "answer": "a", "word": "good", "correction": "b"}', "comes with a correction"),
        (b'{"question": "q", "answer": "a", "correction": " "}', "the correction is empty"),
        (b'{"question": "q", "answer": "a", "feedback": [{"verdict": "corrected"}]}', "comes with a correction"),
        (b'{"question": "q", "answer": "a", "option_types": {"a": 1}}', "field 'option_types"),
        (b'{"messages": []}', "no user's message"),
        (b'{"messages": [{"role": "assistant", "content": "a"}]}', "no user's message"),
        (b'{"messages": [{"role": "user", "content": ["a"]}]}', "field 'messages"),
        (TOO_DEEP, "not valid JSON"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else None,
)
def test_a_broken_line_is_told_and_skipped(connection: apsw.Connection, line: bytes, why: str) -> None:
    good = {"question": "good", "answer": "a"}
    report = taken_in(connection, good, b"", line, {"question": "good too", "answer": "a"})
    assert report.imported == 2
    assert [number for number, _ in report.skipped] == [3]
    assert why in report.skipped[0][1]
    assert "\n" not in report.skipped[0][1]
    assert len(report.skipped[0][1]) < 300


def test_lines_are_counted_from_where_the_piece_begins_and_only_so_many_are_told(connection: apsw.Connection) -> None:
    report = taken_in(connection, *[b"?"] * 1_500, first_line=101)
    assert report.skipped[0][0] == 101
    assert (len(report.skipped), report.skipped_count) == (1_000, 1_500)


def test_a_conversation_is_an_exchange_for_each_turn(connection: apsw.Connection) -> None:
    messages = [
        ("system", "s"),
        ("user", "q1"),
        ("assistant", "a1"),
        ("user", "q2"),
        ("assistant", "a2"),
        ("user", "q3"),
    ]
    line = {"messages": [{"role": role, "content": content} for role, content in messages]}
    assert taken_in(connection, line).imported == 2
    assert {(one.question, one.answer) for one in kept(connection)} == {("q1", "a1"), ("q2", "a2")}


def test_roles_times_and_unknown_fields(connection: apsw.Connection) -> None:
    assert portable_records.ROLES == ROLES
    taken_in(
        connection,
        {"question": "q1", "answer": "a", "role": "coder", "something": {"else": 1}},
        {"question": "q2", "answer": "a", "role": "king", "asked_at_ms": NOW + 10**9},
        {"question": "q3", "answer": "a", "asked_at_ms": 5, "category": "ssh", "score": 0.9},
        role_of=lambda question: "quick" if question == "q2" else None,
    )
    found = {one.question: (one.role, one.asked_at_ms, one.role_reason) for one in kept(connection)}
    assert found == {
        "q1": ("coder", NOW, None),
        "q2": ("quick", NOW, None),
        "q3": (None, 5, "imported: category ssh, score 0.9"),
    }


def test_memory_does_not_grow_with_what_goes_through() -> None:
    def peak(number: int) -> int:
        connection = fresh()
        lines = (b'{"question":"q%d","answer":"%s"}' % (n, b"a" * 200) for n in range(number))
        tracemalloc.start()
        assert import_lines(connection, lines, uid=BOB, now_ms=NOW, learnable=lambda _: True).imported == number
        assert sum(1 for _ in export_lines(connection, form="exchanges", uid=None)) == number
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        connection.close()
        return measured

    assert peak(6_000) < 1.5 * peak(1_500)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


@settings(deadline=None, max_examples=60)
@given(question=text, answer=text, attachment=text, correction=st.none() | text)
def test_any_text_comes_back(question: str, answer: str, attachment: str, correction: str | None) -> None:
    one, two = fresh(), fresh()
    words = [said("corrected", correction=correction)] if correction is not None else []
    put(one, exchange("2345678bcd", question=question, answer=answer, attachment=attachment), *words)
    first = list(export_lines(one, form="exchanges", uid=None))
    assert import_lines(two, first, uid=ALICE, now_ms=NOW, learnable=lambda _: True).imported == 1
    second = list(export_lines(two, form="exchanges", uid=None))

    def without_check(line: bytes) -> dict[str, Any]:
        return {key: value for key, value in json.loads(line).items() if key not in ("verdict", "interface")}

    assert [without_check(line) for line in second] == [without_check(line) for line in first]
    one.close()
    two.close()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.binary() | st.just(b'{"question":"q","answer":"a"}'), max_size=8))
def test_whatever_comes_in_nothing_breaks(lines: list[bytes]) -> None:
    connection = fresh()
    report = import_lines(connection, lines, uid=BOB, now_ms=NOW, learnable=lambda _: True)
    blank = sum(1 for line in lines if not line.strip())
    assert report.imported + report.already_there + report.skipped_count + blank == len(lines)
    connection.close()


def test_the_seeds_layout_is_read_and_what_is_broken_is_told(connection: apsw.Connection) -> None:
    records, problems = pairs_from_files(
        {
            "q_1753500000.txt": "How do I enable ssh?\n",
            "q_1753500001_2.txt": "no meta",
            "q_any suffix.txt": "numeric score",
            "q_1753500003.txt": "no answer",
            "q_1753500004.txt": "  ",
            "q_1753500005.txt": "answer empty",
            "q_1753500006.txt": "odd meta",
            "notes.txt": "something else",
        },
        {
            "a_1753500000.txt": "services.openssh.enable = true;\n",
            "a_1753500001_2.txt": "a",
            "a_any suffix.txt": "a",
            "a_1753500004.txt": "a",
            "a_1753500005.txt": "\n",
            "a_1753500006.txt": "a",
            "a_alone.txt": "a",
        },
        {
            "m_1753500000.txt": "model:nix-expert,score:good,category:ssh, remote access\n",
            "m_any suffix.txt": "model:mistral:7b,score:0.9,category:quick",
            "m_1753500006.txt": "whatever, score:brilliant",
            "m_alone.txt": "model:x",
        },
    )
    assert records == [
        {
            "question": "How do I enable ssh?",
            "answer": "services.openssh.enable = true;",
            "asked_at_ms": 1_753_500_000_000,
            "model": "nix-expert",
            "role": "expert",
            "category": "ssh, remote access",
            "word": "good",
        },
        {"question": "no meta", "answer": "a", "asked_at_ms": 1_753_500_001_000},
        {"question": "odd meta", "answer": "a", "asked_at_ms": 1_753_500_006_000},
        {
            "question": "numeric score",
            "answer": "a",
            "model": "mistral:7b",
            "category": "quick",
            "role": "quick",
            "score": 0.9,
        },
    ]
    assert [problem.split(":")[0] for problem in problems] == [
        "notes.txt",
        "q_1753500003.txt",
        "q_1753500004.txt",
        "a_1753500005.txt",
        "m_1753500006.txt",
        "m_1753500006.txt",
        "a_alone.txt",
        "m_alone.txt",
    ]
    assert taken_in(connection, *records).imported == 4


def test_a_numeric_score_is_a_word_only_where_its_scale_is_told() -> None:
    files = {f"q_{n}.txt": "q" for n in range(4)}
    answers = {f"a_{n}.txt": "a" for n in range(4)}
    meta = {f"m_{n}.txt": f"model:x,score:{score},category:y" for n, score in enumerate(("5", "2", "nan", ""))}
    records, problems = pairs_from_files(files, answers, meta, good_from=4)
    assert [(one.get("score"), one.get("word")) for one in records] == [
        (5.0, "good"),
        (2.0, None),
        (None,) * 2,
        (None,) * 2,
    ]
    assert len(problems) == 1
    assert not any("word" in one for one in pairs_from_files(files, answers, meta)[0])


def test_question_and_answer_lines() -> None:
    text = "\ufeff# a comment\n\nhow?|like this\r\na|b|c\nno separator\n |answer alone\nquestion alone|\n"
    records, problems = pairs_from_lines(text)
    assert records == [{"question": "how?", "answer": "like this"}, {"question": "a", "answer": "b|c"}]
    assert [problem.split(":")[0] for problem in problems] == ["line 5", "line 6", "line 7"]


@given(
    st.dictionaries(st.sampled_from(["q_1.txt", "q_2.txt", "x"]), st.text(max_size=9)),
    st.dictionaries(st.sampled_from(["a_1.txt", "a_2.txt", "x"]), st.text(max_size=9)),
    st.dictionaries(st.sampled_from(["m_1.txt", "m_2.txt"]), st.text("model:scr,catgy1.ae-n\n ", max_size=30)),
)
def test_every_file_of_the_layout_is_a_record_or_a_problem(
    questions: dict[str, str], answers: dict[str, str], meta: dict[str, str]
) -> None:
    records, problems = pairs_from_files(questions, answers, meta)
    assert all(one["question"].strip() and one["answer"].strip() for one in records)
    named = " ".join(problems)
    for name in {*questions} - {"x"}:
        whole = questions[name].strip() and answers.get(f"a_{name[2:]}", "").strip()
        assert bool(whole) or name in named or f"a_{name[2:]}" in named
