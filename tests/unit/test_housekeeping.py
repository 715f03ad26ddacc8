"""Old exchanges go, what anybody needs stays, and the file really shrinks."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path

import apsw
import pytest

from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import past_answers
from nix_trinity.knowledge.corpus.words import stems
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback
from nix_trinity.knowledge.housekeeping import Removed, remove_old

DAY = 86_400_000
NOW = 1_760_000_000_000
YEAR_AGO = NOW - 400 * DAY
NOISE = random.Random(5)


def exchange(identifier: str, *, at: int = YEAR_AGO, session: str = "", **fields: object) -> Exchange:
    known: dict[str, object] = {
        "uid": 1000,
        "interface": "cli",
        "question": "How do I enable the SSH server?",
        "answer": "Set `services.openssh.enable`.",
        "outcome": "answered",
        "verdict": "verified",
    }
    return Exchange(id=identifier, asked_at_ms=at, session=session or identifier, **{**known, **fields})  # type: ignore[arg-type]


def judged(connection: apsw.Connection, identifier: str, verdict: str) -> None:
    correction = "Better." if verdict == "corrected" else None
    rows.put_feedback(
        connection, identifier, Feedback(given_at_ms=YEAR_AGO, uid=1000, verdict=verdict, correction=correction)
    )
    past_answers.refresh(connection, identifier)


def judged_good(connection: apsw.Connection, number: int) -> None:
    for n in range(number):
        judged(connection, f"old{n:04}", "good")


def ids(connection: apsw.Connection) -> set[str]:
    return {str(identifier) for (identifier,) in connection.execute("SELECT id FROM exchanges")}


def everything(connection: apsw.Connection) -> dict[str, list[object]]:
    tables = ("exchanges", "feedback", "reviews", "renewals", "lessons", "to_analyse", "past_answers")
    return {table: list(connection.execute(f"SELECT * FROM {table} ORDER BY 1")) for table in tables}


def filled(connection: apsw.Connection, number: int, *, since: int = YEAR_AGO, kilobytes: int = 4) -> None:
    for n in range(number):
        text = NOISE.randbytes(kilobytes * 500).hex()
        rows.put_exchange(connection, exchange(f"old{n:04}", at=since + n, answer=text))


def of_all_sorts(connection: apsw.Connection) -> None:
    for verdict in ("good", "bad", "corrected"):
        rows.put_exchange(connection, exchange(verdict))
        judged(connection, verdict, verdict)
    for identifier in ("accepted", "rejected"):
        rows.put_exchange(connection, exchange(identifier, verdict="flagged"))
        connection.execute(
            "INSERT INTO reviews (exchange_id, decision, uid, decided_at_ms) VALUES (?, ?, 0, 0)",
            (identifier, identifier),
        )
        past_answers.refresh(connection, identifier)
    rows.put_exchange(connection, exchange("used"))
    rows.put_exchange(connection, exchange("running", outcome="running"))
    rows.put_exchange(connection, exchange("goes on", session="talk"))
    rows.put_exchange(connection, exchange("today", session="talk", at=NOW - DAY // 2))
    rows.put_exchange(connection, exchange("same name, other person", session="talk", uid=1001))
    rows.put_exchange(connection, exchange("young", at=NOW - 300 * DAY))
    rows.put_exchange(connection, exchange("unrated"))
    rows.put_exchange(connection, exchange("imported", interface="import"))
    rows.put_exchange(connection, exchange("failed", outcome="failed"))


KEPT = {"good", "bad", "corrected", "accepted", "rejected", "used", "running", "goes on", "today", "imported"}


def removed(folder: Path, **limits: int | bool) -> tuple[Removed, set[str]]:
    """Fill a database with all sorts, and remove what is old by these limits."""

    async def scenario() -> tuple[Removed, set[str]]:
        database = Database(folder)
        await database.run(of_all_sorts)
        known = {"days": 0, "megabytes": 0, **limits}
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, now_ms=NOW, used=["used", "gone long ago"], **known)  # type: ignore[arg-type]
        )
        left = await database.run(ids)
        await database.close()
        return result, left

    return asyncio.run(scenario())


def test_what_nobody_rated_and_nothing_uses_goes_by_age(tmp_path: Path) -> None:
    result, left = removed(tmp_path, days=365)
    assert left == KEPT | {"young"}
    assert result.exchanges == 3


def test_no_limit_removes_nothing(tmp_path: Path) -> None:
    result, left = removed(tmp_path, days=0, megabytes=0)
    assert (result.exchanges, result.freed_bytes) == (0, 0)
    assert left >= KEPT | {"young", "unrated", "failed"}


def test_the_file_shrinks_and_what_is_kept_is_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        file = tmp_path / "knowledge.db"

        def fill(connection: apsw.Connection) -> None:
            of_all_sorts(connection)
            filled(connection, 600)

        await database.run(fill)
        await database.run_outside_transaction(lambda c: c.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE))
        kept = {
            identifier: (
                await database.run(partial(rows.find_exchange, reader=rows.Reader(0, True), prefix=identifier))
            )[0]
            for identifier in sorted(KEPT)
        }
        before = file.stat().st_size
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, days=365, megabytes=0, now_ms=NOW, used=["used"])
        )
        after = file.stat().st_size
        assert result == Removed(603, before - after, after)
        assert after < before / 5
        assert not (tmp_path / "knowledge.db-wal").stat().st_size
        for identifier, row in kept.items():
            found = await database.run(partial(rows.find_exchange, reader=rows.Reader(0, True), prefix=identifier))
            assert found == [row]
        past = await database.run(lambda c: past_answers.accepted_like(c, 1000, stems("ssh server"), 9))
        assert {one.id for one in past} == {"good", "corrected", "accepted"}
        for check in (
            "PRAGMA integrity_check",
            "PRAGMA foreign_key_check",
            "INSERT INTO past_answers_text (past_answers_text, rank) VALUES ('integrity-check', 1)",
        ):
            assert await database.run(lambda c, check=check: c.execute(check).fetchall()) in ([], [("ok",)])  # type: ignore[misc]
        assert (
            await database.run(lambda c: c.execute("SELECT count(*) FROM to_analyse WHERE exchange_id LIKE 'old%'").get)
            == 0
        )
        await database.close()

    asyncio.run(scenario())


def test_a_little_that_goes_later_shrinks_the_file_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        await database.run(partial(filled, number=200))
        file = tmp_path / "knowledge.db"
        sizes = []
        for days in (400, 399):
            # On the second day a tenth of what is left goes: not worth writing the whole file anew.
            await database.run(
                lambda c: c.execute("UPDATE exchanges SET asked_at_ms = ? WHERE id < 'old0020'", (YEAR_AGO - 1,))
            )
            result = await database.run_outside_transaction(
                lambda connection, days=days: remove_old(connection, days=days, megabytes=0, now_ms=NOW)  # type: ignore[misc]
            )
            sizes.append(file.stat().st_size)
            assert result.size_bytes == sizes[-1]
            if days == 400:
                assert result.exchanges == 20
                await database.run(
                    lambda c: c.execute("UPDATE exchanges SET asked_at_ms = ? WHERE id < 'old0040'", (YEAR_AGO + 1,))
                )
                await database.run(
                    lambda c: c.execute("UPDATE exchanges SET asked_at_ms = ? WHERE id >= 'old0040'", (NOW - 9 * DAY,))
                )
        assert await database.run(lambda c: len(ids(c))) == 160
        assert sizes[1] < sizes[0] - 20 * 3_000
        assert await database.run(lambda c: c.execute("PRAGMA integrity_check").get) == "ok"
        await database.close()

    asyncio.run(scenario())


def test_the_oldest_go_until_the_database_is_small_enough(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        # Young ones: age alone would keep them all.
        await database.run(partial(filled, number=900, since=NOW - 10 * DAY))
        await database.run(partial(judged_good, number=3))
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, days=365, megabytes=2, now_ms=NOW)
        )
        left = sorted(await database.run(ids))
        size = (tmp_path / "knowledge.db").stat().st_size
        assert 1_500_000 < size <= 2_000_000, "small enough, and no smaller than need be"
        assert result.size_bytes == size
        assert left[:3] == ["old0000", "old0001", "old0002"]
        assert left[3:] == [f"old{n:04}" for n in range(900 - len(left) + 3, 900)]
        await database.close()

    asyncio.run(scenario())


def test_short_ones_go_until_it_is_small_enough_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)

        def fill(connection: apsw.Connection) -> None:
            for n in range(9_000):
                rows.put_exchange(connection, exchange(str(n), at=YEAR_AGO + n, session="s", question="q", answer="a"))

        await database.run(fill)
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, days=0, megabytes=1, now_ms=NOW)
        )
        assert 0 < result.exchanges < 9_000
        assert 800_000 < result.size_bytes <= 1_000_000
        await database.close()

    asyncio.run(scenario())


def test_imported_ones_go_by_size(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        await database.run(partial(filled, number=400))
        await database.run(lambda c: c.execute("UPDATE exchanges SET interface = 'import'"))
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, days=1, megabytes=1, now_ms=NOW)
        )
        assert 100 < result.exchanges < 300
        assert result.size_bytes <= 1_000_000
        await database.close()

    asyncio.run(scenario())


def test_a_limit_that_what_is_kept_exceeds_is_no_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        await database.run(partial(filled, number=300))
        await database.run(partial(judged_good, number=300))
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, days=1, megabytes=1, now_ms=NOW)
        )
        assert result.exchanges == 0
        assert await database.run(lambda c: len(ids(c))) == 300
        await database.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "limits", [{"days": 365, "megabytes": 0}, {"days": 0, "megabytes": 1}, {"days": 365, "megabytes": 1}]
)
def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path, limits: dict[str, int]) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        await database.run(partial(filled, number=600))
        await database.run(of_all_sorts)
        before = await database.run(everything)
        size = (tmp_path / "knowledge.db").stat().st_size
        told = await database.run_outside_transaction(
            lambda connection: remove_old(connection, now_ms=NOW, used=["used"], dry_run=True, **limits)
        )
        assert await database.run(everything) == before
        assert (tmp_path / "knowledge.db").stat().st_size == size
        done = await database.run_outside_transaction(
            lambda connection: remove_old(connection, now_ms=NOW, used=["used"], **limits)  # type: ignore[arg-type]
        )
        assert done.exchanges > 0
        assert told.exchanges == pytest.approx(done.exchanges, rel=0.2)
        assert told.freed_bytes > 0
        await database.close()

    asyncio.run(scenario())


def test_a_reader_at_work_keeps_nothing_from_being_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = Database(tmp_path)
        await database.run(partial(filled, number=50))
        reader = apsw.Connection(str(tmp_path / "knowledge.db"), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM exchanges").get == 50
        await database.run_outside_transaction(lambda c: c.set_busy_timeout(1))
        result = await database.run_outside_transaction(
            lambda connection: remove_old(connection, days=365, megabytes=0, now_ms=NOW)
        )
        assert result.exchanges == 50
        assert reader.execute("SELECT count(*) FROM exchanges").get == 50
        reader.close()
        await database.close()

    asyncio.run(scenario())
