"""A correction is kept whatever its check finds; what it finds is told and taken down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from nix_trinity.answering.question import Source
from nix_trinity.api import judging
from nix_trinity.api.judging import judge
from nix_trinity.api.messages import FeedbackReply
from nix_trinity.errors import CorpusError, NotFoundError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.store import KnowledgeStore

ALICE, BOB, OPERATOR = 1000, 1001, 7
TEXT = "Set `services.foo.bar` to true."
GOOD = Inspection("25.05", "verified", types={"services.foo.bar": "boolean"})
WRONG = Inspection("25.05", "flagged", problems=("services.foo.bar: does not exist in NixOS 25.05",))


def exchange(identifier: str, **fields: object) -> Exchange:
    known: dict[str, object] = {
        "asked_at_ms": 1,
        "uid": ALICE,
        "session": identifier,
        "interface": "cli",
        "question": "How do I have foo?",
        "answer": "No idea.",
        "outcome": "answered",
        "verdict": "verified",
    }
    return Exchange(id=identifier, **{**known, **fields})  # type: ignore[arg-type]  # the fields are Exchange's own


def known_again(identifier: str, of: str, **fields: object) -> Exchange:
    sources = msgspec.json.encode([Source("known", f"exchange {of}", "")]).decode()
    return exchange(identifier, **{"sources": sources, "learnable": False, "asked_at_ms": 9, **fields})


def said(verdict: str, text: str | None = None, *, by: int = ALICE) -> Feedback:
    return Feedback(given_at_ms=5, uid=by, verdict=verdict, correction=text, by_operator=by == OPERATOR)


def in_store(folder: Path, work: Callable[[KnowledgeStore], Awaitable[None]]) -> None:
    async def scenario() -> None:
        store = KnowledgeStore(Database(folder), keeps_exchanges=True)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(scenario())


def finds(inspection: Inspection, asked: list[tuple[str, str]] | None = None) -> judging.Inspect:
    async def inspect(question: str, answer: str) -> Inspection:
        if asked is not None:
            asked.append((question, answer))
        return inspection

    return inspect


def test_a_correction_that_holds_takes_its_types_along(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("a"))
        asked: list[tuple[str, str]] = []
        reply = await judge(store, finds(GOOD, asked), Reader(ALICE), "", said("corrected", TEXT))
        assert reply == FeedbackReply("a", "corrected", ())
        assert asked == [("How do I have foo?", TEXT)]
        _, [kept] = await store.find(Reader(ALICE), "a")
        assert (kept.correction, kept.check_verdict, kept.options_release) == (TEXT, "verified", "25.05")
        assert json.loads(kept.option_types) == {"services.foo.bar": "boolean"}

    in_store(tmp_path, work)


def test_one_with_an_invented_option_is_kept_and_the_person_is_told(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("a"))
        reply = await judge(store, finds(WRONG), Reader(ALICE), "a", said("corrected", TEXT))
        [notice] = reply.notices
        assert "services.foo.bar: does not exist in NixOS 25.05" in notice
        assert "is kept" in notice
        assert "do not learn from it until an operator accepts it" in notice
        _, [kept] = await store.find(Reader(ALICE), "a")
        assert (kept.correction, kept.check_verdict) == (TEXT, "flagged")

    in_store(tmp_path, work)


async def no_options(_question: str, _answer: str) -> Inspection:
    raise CorpusError("There are no options.", "Set corpus.options.")


async def broken(_question: str, _answer: str) -> Inspection:
    raise ZeroDivisionError


async def hangs(_question: str, _answer: str) -> Inspection:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize(
    ("inspect", "why"),
    [(no_options, "There are no options."), (broken, "itself failed"), (hangs, "took longer than 0.01 s")],
)
def test_a_check_that_fails_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inspect: judging.Inspect, why: str
) -> None:
    monkeypatch.setattr(judging, "_INSPECTION_SECONDS", 0.01)

    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("a"))
        reply = await judge(store, inspect, Reader(ALICE), "a", said("corrected", TEXT))
        [notice] = reply.notices
        assert "is kept, but it could not be checked" in notice
        assert why in notice
        _, [kept] = await store.find(Reader(ALICE), "a")
        assert (kept.correction, kept.check_verdict, kept.option_types) == (TEXT, None, "{}")

    in_store(tmp_path, work)


def test_without_an_inspector_and_for_other_words_nothing_is_checked(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("a"))
        assert (await judge(store, None, Reader(ALICE), "a", said("corrected", TEXT))).notices == ()
        assert (await judge(store, broken, Reader(ALICE), "a", said("good"))).notices == ()
        with suppress(NotFoundError):
            await judge(store, broken, Reader(BOB), "a", said("bad", by=BOB))
            raise AssertionError("another's exchange is not to be judged")

    in_store(tmp_path, work)


@pytest.mark.parametrize(("verdict", "text"), [("bad", None), ("corrected", TEXT)])
def test_a_word_against_a_known_answer_is_one_against_where_it_came_from(
    tmp_path: Path, verdict: str, text: str | None
) -> None:
    """Else the next one who asks gets the same wrong answer again."""

    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("first"))
        await judge(store, None, Reader(ALICE), "first", said("good"))
        await store.keep(known_again("again", "first"))
        reply = await judge(store, None, Reader(ALICE), "", said(verdict, text))
        assert reply.id == "first"
        assert "exchange first's" in reply.notices[0]
        answers = [past.answer for past in await store.accepted_like(ALICE, ["foo"], 8)]
        assert answers == ([] if text is None else [TEXT])

    in_store(tmp_path, work)


def test_praise_of_a_known_answer_does_not_take_an_operators_word_away(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("first"))
        await judge(store, None, Reader(OPERATOR, sees_all=True), "first", said("good", by=OPERATOR))
        await store.keep(known_again("again", "first"))
        assert (await judge(store, None, Reader(ALICE), "again", said("good"))).id == "again"
        assert [past.id for past in await store.accepted_like(BOB, ["foo"], 8)] == ["first"]

    in_store(tmp_path, work)


def test_who_may_not_judge_the_first_one_corrects_it_for_themselves(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore) -> None:
        await store.keep(exchange("first"))
        await judge(store, None, Reader(OPERATOR, sees_all=True), "first", said("good", by=OPERATOR))
        await store.keep(known_again("again", "first", uid=BOB))
        reply = await judge(store, finds(GOOD), Reader(BOB), "again", said("corrected", TEXT, by=BOB))
        assert reply == FeedbackReply("again", "corrected", ())
        assert {past.id for past in await store.accepted_like(BOB, ["foo"], 8)} == {"first", "again"}
        assert [past.id for past in await store.accepted_like(ALICE, ["foo"], 8)] == ["first"]
        await store.keep(known_again("third", "first", uid=BOB))
        reply = await judge(store, None, Reader(BOB), "third", said("bad", by=BOB))
        assert reply.id == "third"
        assert "--fresh" in reply.notices[0]
        assert [past.id for past in await store.accepted_like(ALICE, ["foo"], 8)] == ["first"]

    in_store(tmp_path, work)
