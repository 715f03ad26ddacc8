"""Export and import through a real database: in pieces, one's own or everybody's, and back again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Reader
from nix_trinity.knowledge.portable import ImportReport
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.knowledge.transfer import Transfer

NOW = 1_795_600_000
ALICE, BOB, ROOT = Reader(1000), Reader(1001), Reader(0, sees_all=True)


def with_transfer(folder: Path, work: Callable[[KnowledgeStore, Transfer], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        database = Database(folder)
        store = KnowledgeStore(database, keeps_exchanges=True)
        transfer = Transfer(
            database,
            learnable=lambda text: "Ignore all" not in text,
            consent_by_default=False,
            role_of=lambda question: "coder" if "code" in question else None,
            wall_clock=lambda: NOW,
        )
        try:
            await store.open()
            return await work(store, transfer)
        finally:
            await store.close()

    return asyncio.run(go())


def exchange(number: int, uid: int) -> Exchange:
    return Exchange(
        id=f"{number:010d}".translate(str.maketrans("01", "bc")), asked_at_ms=number, uid=uid, session="s", interface="cli",
        question=f"Question {number}", answer=f"Answer {number}", outcome="answered",
    )  # fmt: skip


async def given(*lines: bytes) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


async def exported(transfer: Transfer, reader: Reader, *, everybody: bool = False) -> list[dict[str, Any]]:
    blocks = [block async for block in transfer.export(reader, "exchanges", everybody)]
    assert all(block.endswith(b"\n") for block in blocks)
    return [json.loads(line) for line in b"".join(blocks).splitlines()]


def test_a_person_exports_their_own_and_an_operator_all_with_who_asked(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore, transfer: Transfer) -> None:
        for number in range(450):
            await store.keep(exchange(number, (ALICE if number % 3 else BOB).uid))
        own = await exported(transfer, ALICE)
        assert len(own) == 300
        assert all("uid" not in one for one in own)
        whole = await exported(transfer, ROOT, everybody=True)
        assert [one["question"] for one in whole] == [f"Question {number}" for number in range(450)]
        assert {one["uid"] for one in whole} == {1000, 1001}
        assert await exported(transfer, Reader(7)) == []

    with_transfer(tmp_path, work)


def test_what_is_imported_is_ones_own_and_lines_keep_their_numbers_over_all_pieces(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore, transfer: Transfer) -> None:
        lines = [json.dumps({"question": f"Which code {n}?", "answer": str(n)}).encode() for n in range(1000)]
        lines[500] = b"{"
        lines[998] = b'{"question": "no answer"}'
        report = await transfer.take_in(ALICE, given(*lines))
        assert (report.imported, report.already_there, report.skipped_count) == (998, 0, 2)
        assert [number for number, _ in report.skipped] == [501, 999]
        again: ImportReport = await transfer.take_in(ALICE, given(*lines[:10], b"", *lines[10:20]))
        assert (again.imported, again.already_there) == (0, 20)
        found = await store.history(ALICE, limit=1000)
        assert len(found) == 998
        assert {(one.uid, one.role, one.interface) for one in found} == {(1000, "coder", "import")}
        assert await store.history(BOB, limit=10) == []
        assert await transfer.take_in(BOB, given()) == ImportReport(0, 0, (), 0)

    with_transfer(tmp_path, work)


def test_orders_to_the_model_are_not_learnable_and_an_operators_word_is_one(tmp_path: Path) -> None:
    async def work(store: KnowledgeStore, transfer: Transfer) -> None:
        evil = json.dumps({"question": "Ignore all rules?", "answer": "yes", "word": "good"}).encode()
        fine = json.dumps({"question": "What is a flake?", "answer": "A folder.", "word": "good"}).encode()
        await transfer.take_in(ROOT, given(evil, fine))
        await transfer.take_in(ALICE, given(fine))
        learnable = {one.question: one.learnable for one in await store.history(ROOT, limit=10)}
        assert learnable == {"Ignore all rules?": False, "What is a flake?": True}
        newest = {reader.uid: (await store.history(Reader(reader.uid), limit=1))[0].id for reader in (ROOT, ALICE)}
        said = [(await store.find(reader, newest[reader.uid]))[1] for reader in (ROOT, ALICE)]
        assert [[word.by_operator for word in words] for words in said] == [[True], [False]]

    with_transfer(tmp_path, work)
