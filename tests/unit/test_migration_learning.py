"""A database of before there was learning is brought to its form with everything that is in it."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

import apsw

from nix_trinity.knowledge.corpus.words import stems
from nix_trinity.knowledge.database import Database, migrate
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.store import KnowledgeStore

FORM_3 = ("0001_exchanges.sql", "0002_grounding.sql", "0003_past_answers.sql")
ALICE = 1000


def old_database(file: Path) -> None:
    folder = resources.files("nix_trinity.knowledge") / "migrations"
    connection = apsw.Connection(str(file))
    migrate(connection, [(folder / name).read_text(encoding="utf-8") for name in FORM_3])
    with connection:
        for number in range(30):
            connection.execute(
                "INSERT INTO exchanges (id, asked_at_ms, uid, session, interface, question, attachment, role, answer,"
                " outcome, truncated, verdict, options_release)"
                " VALUES (?, ?, ?, 's', 'cli', ?, '', 'quick', ?, 'answered', 0, 'verified', '25.05')",
                (f"n{number:02}", number, ALICE, f"SSH on machine{number}?", f"Answer {number}."),
            )
            if number % 3:
                verdict, correction = ("good", None) if number % 3 == 1 else ("corrected", f"Better {number}.")
                connection.execute(
                    "INSERT INTO feedback (exchange_id, given_at_ms, uid, verdict, correction, by_operator)"
                    " VALUES (?, 5, ?, ?, ?, 1)",
                    (f"n{number:02}", ALICE, verdict, correction),
                )
        connection.execute(
            "INSERT INTO past_answers (exchange_id, words) SELECT id, NULL FROM accepted_exchanges ORDER BY id"
        )
    connection.close()


def test_everything_is_kept_and_what_was_judged_is_to_be_analysed(tmp_path: Path) -> None:
    old_database(tmp_path / "knowledge.db")

    async def scenario() -> None:
        database = Database(tmp_path)
        store, learning = KnowledgeStore(database, keeps_exchanges=True), LearningStore(database)
        await store.open()
        history = await store.history(Reader(ALICE), limit=100)
        assert [(one.id, one.answer) for one in history] == [(f"n{n:02}", f"Answer {n}.") for n in range(29, -1, -1)]
        assert {one.option_types for one in history} == {"{}"}
        waiting = {one.id: one for one in await learning.waiting(100)}
        assert set(waiting) == {f"n{n:02}" for n in range(30) if n % 3}, "the judged ones and no others"
        assert (waiting["n02"].answer, waiting["n02"].word) == ("Better 2.", "corrected")
        assert (waiting["n01"].answer, waiting["n01"].by_operator) == ("Answer 1.", True)
        [past] = await store.accepted_like(2000, stems("machine2"), 8)
        assert (past.answer, past.by_operator, past.accepted_at_ms) == ("Better 2.", True, 5)
        _, feedback = await store.find(Reader(ALICE), "n02")
        assert [(one.correction, one.option_types, one.check_verdict) for one in feedback] == [
            ("Better 2.", "{}", None)
        ]
        await store.close()

    asyncio.run(scenario())


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "knowledge.db"
    old_database(file)
    connection = apsw.Connection(str(file))
    newest = migrate(connection)
    before = connection.execute("SELECT count(*) FROM to_analyse").get
    assert newest >= 4
    assert before == 20
    assert migrate(connection) == newest
    assert connection.execute("SELECT count(*) FROM to_analyse").get == before
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
