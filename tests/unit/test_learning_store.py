"""What the learn line keeps: nothing said is lost, nothing forgotten stays, and no query reads all that is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from nix_trinity.errors import NotFoundError, RequestError
from nix_trinity.knowledge.corpus.words import stems
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.judged import asks_the_same, is_in_doubt
from nix_trinity.knowledge.learning import Build, Judged, Lesson
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.store import KnowledgeStore

ALICE, BOB, OPERATOR = 1000, 1001, 7
HOUR = 3_600_000
SSH = "How do I enable the SSH server?"
ANSWER = "Set `services.openssh.enable` to true."


def exchange(identifier: str, **fields: object) -> Exchange:
    known: dict[str, object] = {
        "asked_at_ms": 1,
        "uid": ALICE,
        "session": "s",
        "interface": "cli",
        "role": "quick",
        "question": SSH,
        "answer": ANSWER,
        "outcome": "answered",
        "verdict": "verified",
        "options_release": "25.05",
    }
    return Exchange(id=identifier, **{**known, **fields})  # type: ignore[arg-type]  # the fields are Exchange's own


def word(said: str, *, by: int = ALICE, at: int = 10, **fields: object) -> Feedback:
    return Feedback(given_at_ms=at, uid=by, verdict=said, by_operator=by == OPERATOR, **fields)  # type: ignore[arg-type]


def lesson(identifier: str, **fields: object) -> Lesson:
    known: dict[str, object] = {
        "role": "quick",
        "topic": "ssh",
        "kind": "confirmed",
        "state": "eligible",
        "reason": "confirmed",
        "value": 0.5,
        "cluster": "c",
        "question": SSH,
        "answer": ANSWER,
    }
    return Lesson(exchange_id=identifier, **{**known, **fields})  # type: ignore[arg-type]  # Lesson's own fields


class Stores:
    """Both doors to one file, and short ways through them."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder)
        self.kept = KnowledgeStore(self.database, keeps_exchanges=True)
        self.learning = LearningStore(self.database)

    async def keep(self, kept: Exchange, *words: Feedback) -> None:
        await self.kept.keep(kept)
        for one in words:
            await self.say(kept.id, one)

    async def say(self, identifier: str, one: Feedback) -> None:
        await self.kept.judge(Reader(one.uid, sees_all=one.uid == OPERATOR), identifier, one)

    async def waiting(self) -> dict[str, Judged]:
        return {one.id: one for one in await self.learning.waiting(100)}

    async def analyse(self, **fields: object) -> list[str]:
        ids = list(await self.waiting())
        await self.learning.analysed([lesson(one, **fields) for one in ids], ids)
        return ids

    async def past(self, uid: int) -> dict[str, str]:
        return {one.id: one.answer for one in await self.kept.accepted_like(uid, stems(SSH), 8)}


def scenario(folder: Path, act: Callable[[Stores], Awaitable[None]]) -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Stores]:
        stores = Stores(folder)
        try:
            yield stores
        finally:
            await stores.kept.close()

    async def run() -> None:
        async with opened() as stores:
            await act(stores)

    asyncio.run(run())


def test_an_exchange_waits_once_it_is_answered_and_again_whenever_something_is_said(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.kept.keep(exchange("x", outcome="running", answer=""))
        assert await s.waiting() == {}, "nothing can be made of half an answer"
        await s.kept.keep(exchange("x", option_types='{"services.openssh.enable": "boolean"}'))
        judged = (await s.waiting())["x"]
        assert (judged.answer, judged.word, judged.review, judged.allows) == (ANSWER, None, None, None)
        assert judged.option_types == {"services.openssh.enable": "boolean"}
        assert await s.analyse() == ["x"]
        assert await s.waiting() == {}
        await s.kept.keep(exchange("x", outcome="running"))
        await s.kept.keep(exchange("x"))
        assert set(await s.waiting()) == {"x"}, "written anew"
        for one in (word("good"), word("bad")):
            await s.say("x", one)
            assert set(await s.waiting()) == {"x"}
        await s.kept.keep(
            exchange("failed", outcome="running"),
        )
        await s.kept.keep(exchange("failed", outcome="failed"))
        await s.say("failed", word("bad"))
        assert set(await s.waiting()) == {"x"}

    scenario(tmp_path, act)


def test_all_words_on_an_exchange_arrive(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        types = '{"services.openssh.enable": "boolean"}'
        correction = word(
            "corrected",
            at=30,
            correction="Better.",
            option_types=types,
            check_verdict="verified",
            options_release="26.05",
        )
        await s.keep(
            exchange("x", attachment="log", verdict="flagged"),
            word("good", by=OPERATOR, at=20),
            word("bad"),
            correction,
        )
        await s.learning.say_consent(ALICE, True, 5)
        judged = (await s.waiting())["x"]
        assert (judged.answer, judged.given_answer, judged.check) == ("Better.", ANSWER, "verified")
        assert (judged.word, judged.judged_by, judged.judged_at_ms, judged.by_operator) == (
            "corrected",
            ALICE,
            30,
            False,
        )
        assert judged.good_from == 2, "the operator's good and Alice's correction; her bad is no longer what she thinks"
        assert (judged.has_attachment, judged.allows, judged.options_release) == (True, True, "26.05")
        assert judged.option_types == {"services.openssh.enable": "boolean"}
        _, feedback = await s.kept.find(Reader(ALICE), "x")
        assert feedback[-1] == correction

    scenario(tmp_path, act)


def test_what_the_asker_did_next(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.kept.keep(exchange("first"))
        await s.kept.keep(exchange("doubt", asked_at_ms=10, question="That does not work, what else?"))
        await s.kept.keep(exchange("again", asked_at_ms=5 * HOUR, session="t", question="how can I enable SSH server"))
        await s.kept.keep(exchange("late", asked_at_ms=30 * HOUR, session="u"))
        await s.kept.keep(exchange("other", asked_at_ms=6 * HOUR, uid=BOB, session="s"))
        await s.kept.keep(
            exchange("off", asked_at_ms=7 * HOUR, session="v", question="How do I disable the SSH server?")
        )
        found = await s.waiting()
        assert {one.id: one.asked_again for one in found.values()} == {
            "first": 1,
            "again": 0,
            "late": 0,
            "other": 0,
            "doubt": 0,
            "off": 0,
        }
        assert [one.id for one in found.values() if one.followed_up_in_doubt] == ["first"]

    scenario(tmp_path, act)


@pytest.mark.parametrize(
    ("question", "doubts"),
    [
        ("It doesn't work.", True),
        ("That didn’t help", True),
        ("Still the same error after a rebuild", True),
        ("error again: attribute missing", True),
        ("Das funktioniert nicht!", True),
        ("ça ne marche pas", True),
        ("No funciona", True),
        ("Is 21.11 still supported?", False),
        ("How do I find out why a service does not start?", False),
        ("Thanks! And how do I open the port?", False),
        ("", False),
    ],
)
def test_doubt_is_heard_in_several_languages(question: str, doubts: bool) -> None:
    assert is_in_doubt(question) == doubts


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (SSH, "how can I enable SSH server", True),
        (SSH, "How do I disable the SSH server?", False),
        ("Upgrade to 24.11?", "Upgrade to 25.05?", False),
        ("", "", False),
        ("the", "a", False),
        ("Wie installiere ich vim?", "wie installiere ich Vim", True),
    ],
)
def test_asking_again_is_asking_the_same(one: str, other: str, same: bool) -> None:
    assert asks_the_same(one, other) == same == asks_the_same(other, one)


def test_a_correction_that_comes_while_its_exchange_is_analysed_is_seen_the_next_time(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.keep(exchange("x"), word("good"))
        await s.keep(exchange("y"), word("good"))
        seen = await s.waiting()
        await s.say("x", word("corrected", correction="Better."))
        await s.learning.analysed([lesson(one) for one in seen], list(seen))
        left = await s.waiting()
        assert {one.id: one.answer for one in left.values()} == {"x": "Better."}
        await s.analyse(kind="corrected", answer="Better.")
        # Whatever is said and analysed later, the correction is what there is to learn.
        await s.learning.decide("x", "accepted", OPERATOR, 40)
        await s.learning.say_consent(ALICE, True, 50)
        assert (await s.waiting())["x"].answer == "Better."

    scenario(tmp_path, act)


def test_a_killed_build_and_a_forgotten_exchange_leave_the_list_right(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        for name in ("x", "y"):
            await s.keep(exchange(name), word("good"))
        assert set(await s.waiting()) == {"x", "y"}
        assert set(await s.waiting()) == {"x", "y"}, "nothing is taken off before it is analysed"
        await s.kept.forget(Reader(ALICE), "x")
        await s.learning.analysed([lesson("x"), lesson("y")], ["x", "y"])
        assert await s.learning.lesson("x") is None
        assert await s.learning.existing(["x", "y", "z"]) == {"y"}
        assert await s.waiting() == {}
        await s.database.run(lambda c: c.execute("INSERT INTO to_analyse (exchange_id) VALUES ('nowhere')").fetchall())
        assert await s.waiting() == {}
        assert await s.database.run(lambda c: c.execute("SELECT count(*) FROM to_analyse").get) == 0

    scenario(tmp_path, act)


def test_lessons_come_most_valuable_first_then_the_newest(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        made = [
            lesson("a", value=0.5, judged_at_ms=1, cluster="one"),
            lesson("b", value=0.5, judged_at_ms=2, role="coder"),
            lesson("c", value=0.9, state="held_out", cluster="one", option_types={"x.y": "string"}, judged_by=3),
            lesson("d", value=0.1),
            lesson("e", value=1.0, state="duplicate"),
        ]
        for one in made:
            await s.kept.keep(exchange(one.exchange_id))
        await s.learning.analysed(made, list("abcde"))

        async def ids(states: Sequence[str], **more: object) -> list[str]:
            found = await s.learning.lessons(states=states, **{"limit": 9, **more})  # type: ignore[arg-type]
            return [one.exchange_id for one in found]

        assert await ids(["eligible"]) == ["b", "a", "d"]
        assert await ids(["eligible", "held_out"]) == ["c", "b", "a", "d"]
        assert await ids(["eligible", "held_out"], role="quick", limit=2) == ["c", "a"]
        assert await ids([]) == []
        assert [one.exchange_id for one in await s.learning.in_cluster("one")] == ["c", "a"]
        assert [one.exchange_id for one in await s.learning.lessons_page("b", 2)] == ["c", "d"]
        assert await s.learning.lesson("c") == made[2]
        await s.learning.analysed([lesson("c", value=0.2)], [])
        assert (await s.learning.lesson("c")) == lesson("c", value=0.2)

    scenario(tmp_path, act)


def test_lessons_that_ask_alike_are_found_by_their_rare_words(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        questions = {f"n{number}": f"How do I enable the service number {number}?" for number in range(50)}
        questions |= {"wg": "How do I enable WireGuard?", "long": "wireguard " + "with many other things " * 9}
        for name, question in questions.items():
            await s.kept.keep(exchange(name, question=question))
        await s.learning.analysed([lesson(name, question=question) for name, question in questions.items()], [])
        assert (await s.learning.alike("enabling wireguard", 1))[0].exchange_id == "wg"
        assert (await s.learning.alike("enable the service number 17", 3))[0].exchange_id == "n17"
        for nothing in ("", "zyx", '" OR *', "\x00"):
            assert await s.learning.alike(nothing, 3) == []
        await s.learning.analysed([lesson("wg", question="Which printer?")], [])
        assert [one.exchange_id for one in await s.learning.alike("wireguard", 3)] == ["long"]
        assert [one.exchange_id for one in await s.learning.alike("printers", 3)] == ["wg"]

    scenario(tmp_path, act)


def test_an_operators_review_changes_what_is_accepted_and_for_whom(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.kept.keep(exchange("kept0", verdict="flagged"))
        assert await s.past(BOB) == {}
        assert await s.learning.decide("kept", "accepted", OPERATOR, 20) == "kept0"
        assert await s.past(BOB) == {"kept0": ANSWER}, "accepted for everybody"
        [past] = await s.kept.accepted_like(BOB, stems(SSH), 8)
        assert (past.accepted_at_ms, past.by_operator, past.option_types) == (20, True, "{}")
        await s.learning.decide("kept0", "rejected", OPERATOR, 30)
        assert await s.past(ALICE) == {}
        await s.say("kept0", word("corrected", correction="Mine."))
        assert await s.past(ALICE) == {}, "a rejection is not undone by others"
        await s.say("kept0", word("corrected", by=OPERATOR, correction="Right."))
        assert await s.past(BOB) == {"kept0": "Right."}

    scenario(tmp_path, act)


def test_an_operators_review_stands_for_the_text_that_it_was_of(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.keep(exchange("x"), word("good"))
        await s.learning.decide("x", "accepted", OPERATOR, 20)
        await s.say("x", word("good", at=30))
        assert await s.past(BOB) == {"x": ANSWER}
        await s.say("x", word("corrected", at=40, correction="My own address is 10.1.2.3."))
        assert await s.past(BOB) == {}, "nobody but its author accepted this text"
        assert (await s.waiting())["x"].review is None
        with pytest.raises(RequestError) as caught:
            await s.learning.decide("x", "accepted", OPERATOR, 50, seen=ANSWER)
        assert caught.value.stable_code == "answer_changed"
        await s.learning.decide("x", "accepted", OPERATOR, 50, seen="My own address is 10.1.2.3.")
        assert await s.past(BOB) == {"x": "My own address is 10.1.2.3."}
        assert (await s.waiting())["x"].review == "accepted"

    scenario(tmp_path, act)


def test_a_review_needs_one_answered_exchange(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        for name in ("ab", "ac"):
            await s.kept.keep(exchange(name))
        await s.kept.keep(exchange("failed", outcome="failed"))
        for prefix, error, code in (
            ("z", NotFoundError, "not_found"),
            ("a", RequestError, "ambiguous_id"),
            ("failed", RequestError, "bad_request"),
            ("", RequestError, "bad_request"),
        ):
            with pytest.raises(error) as caught:
                await s.learning.decide(prefix, "accepted", OPERATOR, 1)
            assert (caught.value.stable_code, bool(caught.value.hint)) == (code, True)
        assert await s.past(ALICE) == {}

    scenario(tmp_path, act)


def test_candidates_are_what_nobody_decided_and_what_was_set_aside(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        states = {"low": ("review", 0.2), "high": ("review", 0.9), "aside": ("excluded", 0.5), "out": ("excluded", 1.0)}
        for name in states:
            await s.keep(exchange(name), word("good"))
        made = [lesson(name, state=state, value=value) for name, (state, value) in states.items()]
        await s.learning.renew("aside", None, {}, "services.openssh.enable is gone", "26.05", 5)
        await s.learning.analysed(made, list(states))

        async def names() -> list[str]:
            return [one.exchange_id for one in await s.learning.candidates(10)]

        assert await names() == ["high", "aside", "low"]
        assert [one.exchange_id for one in await s.learning.candidates(1)] == ["high"]
        await s.learning.decide("high", "accepted", OPERATOR, 20)
        await s.learning.decide("aside", "rejected", OPERATOR, 20)
        assert await names() == ["low"], "what was decided is not asked again"

    scenario(tmp_path, act)


def test_renewed_answers_take_the_place_of_old_ones_until_somebody_says_better(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.keep(exchange("x", option_types='{"old.enable": "boolean"}'), word("good"))
        await s.analyse()
        assert await s.learning.renew("x", "Set `new.enable`.", {"new.enable": "boolean"}, "renamed", "26.05", 5)
        assert await s.past(ALICE) == {"x": "Set `new.enable`."}
        judged = (await s.waiting())["x"]
        assert (judged.answer, judged.given_answer, judged.set_aside) == ("Set `new.enable`.", ANSWER, None)
        assert (judged.option_types, judged.options_release) == ({"new.enable": "boolean"}, "26.05")
        await s.learning.renew("x", None, {}, "new.enable is gone", "26.11", 6)
        assert await s.past(ALICE) == {}
        assert (await s.waiting())["x"].set_aside == "new.enable is gone"
        [page] = await s.learning.accepted_page("", 10)
        assert (page.id, page.set_aside, page.said_answer) == ("x", "new.enable is gone", ANSWER)
        assert page.said_option_types == {"old.enable": "boolean"}
        assert await s.learning.clear_renewal("x")
        assert not await s.learning.clear_renewal("x")
        assert await s.past(ALICE) == {"x": ANSWER}
        await s.learning.renew("x", None, {}, "gone", "26.11", 7)
        await s.say("x", word("corrected", correction="The newest way."))
        assert await s.past(ALICE) == {"x": "The newest way."}, "a correction is of its own time"
        assert not await s.learning.renew("nowhere", None, {}, "gone", None, 8)

    scenario(tmp_path, act)


def test_all_that_is_accepted_is_walked_through_page_by_page(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        for number in range(12):
            words = [] if number % 3 == 0 else [word("good" if number % 3 == 1 else "bad")]
            await s.keep(exchange(f"n{number:02}"), *words)
        await s.learning.renew("n01", None, {}, "gone", None, 1)
        # Set aside and nothing that would be accepted: a page of these alone is not the end.
        await s.learning.renew("n00", None, {}, "gone", None, 1)
        seen: list[str] = []
        after = ""
        while page := await s.learning.accepted_page(after, 1):
            seen.extend(one.id for one in page)
            after = page[-1].id
        assert seen == ["n01", "n04", "n07", "n10"]

    scenario(tmp_path, act)


def test_a_change_of_consent_has_the_persons_exchanges_analysed_again(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.keep(exchange("judged"), word("good"))
        await s.kept.keep(exchange("unjudged"))
        await s.keep(exchange("bobs", uid=BOB), word("good", by=BOB))
        await s.analyse()
        assert await s.learning.consent(ALICE) is None
        for allows in (True, False):
            await s.learning.say_consent(ALICE, allows, 5)
            assert await s.learning.consent(ALICE) is allows
            found = await s.waiting()
            assert {one.id: one.allows for one in found.values()} == {"judged": allows, "unjudged": allows}
            await s.learning.say_consent(ALICE, allows, 6)
            await s.analyse()
            await s.learning.say_consent(ALICE, allows, 7)
            assert await s.waiting() == {}, "the same again changes nothing"

    scenario(tmp_path, act)


def test_secrets_are_taken_out_of_all_that_comes_in(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9

    async def act(s: Stores) -> None:
        await s.keep(exchange("x"), word("good"))
        await s.learning.analysed([lesson("x", question=secret, answer=secret, reason=secret)], [])
        await s.learning.renew("x", f"token {secret}", {}, secret, None, 1)
        build = Build(id="b", kind="manual", state="failed", roles=(), reason=secret, error=secret, started_at_ms=1)
        await s.learning.begin_build(build)

    scenario(tmp_path, act)
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir())


def test_forgetting_leaves_nothing_in_any_file(tmp_path: Path) -> None:
    pieces = [b"quombat", b"xillophage", b"mumblewort", b"grobnick"]

    def left() -> list[bytes]:
        return [piece for piece in pieces for file in tmp_path.iterdir() if piece in file.read_bytes()]

    async def act(s: Stores) -> None:
        question = "zyxquombat vexillophage"
        for number in range(50):
            await s.keep(exchange(f"n{number}", question=f"zyx vexil question {number}"), word("good"))
        await s.kept.keep(exchange("gone", question=question, answer="zyxquombat"))
        await s.learning.decide("gone", "accepted", OPERATOR, 2)
        await s.learning.renew("gone", "mumblewort", {}, "grobnick", None, 3)
        for _ in range(2):
            found = await s.waiting()
            await s.learning.analysed(
                [lesson(one.id, question=one.question, answer=one.answer) for one in found.values()], list(found)
            )
        assert set(left()) == set(pieces), "it was written at all"
        await s.kept.forget(Reader(ALICE), "gone")
        assert left() == []
        assert await s.learning.alike(question, 3) == []
        for table in ("reviews", "renewals", "to_analyse", "lessons", "lesson_words"):
            query = f"SELECT count(*) FROM {table} WHERE exchange_id = 'gone'"
            assert await s.database.run(lambda c, query=query: c.execute(query).get) == 0  # type: ignore[misc]
        assert len(await s.learning.alike("zyx question 7", 3)) == 3, "the others are still found"

    scenario(tmp_path, act)
    assert left() == []


def test_builds_know_their_last_success_and_a_killed_one_is_failed(tmp_path: Path) -> None:
    def build(identifier: str, kind: str, state: str, began: int, ended: int | None = None) -> Build:
        return Build(
            id=identifier,
            kind=kind,  # type: ignore[arg-type]  # one of the kinds
            state=state,  # type: ignore[arg-type]  # one of the states
            roles=("quick", "coder"),
            reason="timer",
            started_at_ms=began,
            ended_at_ms=ended,
        )

    async def act(s: Stores) -> None:
        assert await s.learning.last_success(["weekly"]) is None
        assert await s.learning.last_build_started() is None
        await s.learning.begin_build(build("a", "weekly", "running", 1))
        await s.learning.end_build(build("a", "weekly", "done", 1, 2))
        await s.learning.end_build(build("b", "monthly", "nothing_new", 3, 4))
        await s.learning.end_build(build("c", "weekly", "put_off", 5, 6))
        await s.learning.begin_build(build("d", "weekly", "running", 7))
        assert await s.learning.close_interrupted_builds(9) == 1
        assert await s.learning.close_interrupted_builds(10) == 0
        killed, *older = await s.learning.builds(3)
        assert (killed.id, killed.state, killed.error_code, killed.ended_at_ms) == ("d", "failed", "interrupted", 9)
        assert killed.roles == ("quick", "coder")
        assert [one.id for one in older] == ["c", "b"]
        assert await s.learning.last_success(["weekly"]) == 2
        assert await s.learning.last_success(["weekly", "monthly"]) == 4
        assert await s.learning.last_build_started() == 3
        assert await s.learning.fact("release") is None
        for value in ("25.05", "25.11"):
            await s.learning.set_fact("release", value)
        assert await s.learning.fact("release") == "25.11"

    scenario(tmp_path, act)


def test_what_came_in_since_the_last_build(tmp_path: Path) -> None:
    async def act(s: Stores) -> None:
        await s.keep(exchange("old", asked_at_ms=1, verdict="ungrounded"), word("bad", at=2))
        await s.keep(exchange("late", asked_at_ms=3), word("bad", at=20))
        await s.keep(exchange("better", asked_at_ms=12), word("bad", at=20), word("corrected", at=21, correction="So."))
        await s.kept.keep(exchange("nothing", asked_at_ms=13, verdict="ungrounded", question="Why?"))
        await s.kept.keep(exchange("broken", asked_at_ms=14, verdict="ungrounded", outcome="failed"))
        since = await s.learning.since(10)
        assert (since.corrections, since.bad) == (1, 2)
        assert since.unanswered == (("nothing", "Why?"), ("late", SSH))
        nothing = await s.learning.since(100)
        assert (nothing.corrections, nothing.bad, nothing.unanswered) == (0, 0, ())

    scenario(tmp_path, act)


# What may be read from one end to the other: values handed in, and tables that stay small.
_SMALL = {"json_each", "to_analyse", "builds", "n"}


def test_no_query_reads_all_that_is_kept(tmp_path: Path) -> None:
    asked: dict[str, int] = {}

    def trace(cursor: apsw.Cursor, sql: str, values: object) -> bool:
        asked[sql] = len(values) if isinstance(values, (tuple, list)) else 0
        return True

    async def act(s: Stores) -> None:
        await s.keep(exchange("x", verdict="ungrounded"), word("bad"))
        await s.keep(exchange("y"), word("good"))
        await s.database.run(lambda connection: setattr(connection, "exec_trace", trace))
        store = s.learning
        await s.analyse(state="review")
        await store.alike(SSH, 3)
        await store.in_cluster("c")
        await store.lessons(states=["eligible"], role="quick", limit=3)
        await store.lessons(states=["review"], limit=3)
        await store.lessons_page("", 3)
        await store.candidates(3)
        await store.renew("y", "n", {}, "r", None, 1)
        await store.clear_renewal("y")
        await store.decide("x", "accepted", OPERATOR, 1)
        await store.accepted_page("", 3)
        await store.existing(["x"])
        await store.since(1)
        await store.consent(ALICE)
        await store.last_success(["weekly"])
        await store.last_build_started()
        await s.kept.forget(Reader(OPERATOR, sees_all=True), "x")
        await s.database.run(lambda connection: setattr(connection, "exec_trace", None))
        wrong = await s.database.run(scans)
        assert wrong == []
        assert len(asked) > 25

    def scans(connection: apsw.Connection) -> list[tuple[str, str]]:
        inside = "SELECT e.id FROM exchanges e WHERE e.uid = 1"  # of the triggers, which have no plan of their own
        queries = [sql for sql in asked if sql.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]
        wrong = []
        for sql in [*queries, inside]:
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * asked.get(sql, 0)):
                kind, _, rest = str(step).partition(" ")
                if kind == "SCAN" and rest.split()[0] not in _SMALL and not rest.startswith(("(", "CONSTANT")):
                    wrong.append((sql, str(step)))
        return wrong

    scenario(tmp_path, act)
