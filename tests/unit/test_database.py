"""A database that cannot be used says so, and keeps nobody from an answer."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from nix_trinity.errors import StorageError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange
from nix_trinity.knowledge.store import KnowledgeStore

EXCHANGE = Exchange(id="a", asked_at_ms=1, uid=0, session="s", interface="cli", question="why?")


def prepared(folder: Path, kind: str) -> Path:
    file = folder / "knowledge.db"
    if kind == "newer":
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA user_version = 999")
        connection.close()
    elif kind == "foreign":
        connection = sqlite3.connect(file)
        connection.execute("CREATE TABLE exchanges (x)")
        connection.close()
    elif kind == "no database":
        file.write_bytes(b"something else entirely, and long enough " * 200)
    elif kind == "folder missing":
        return folder / "missing"
    return folder


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("newer", "form 999"),
        ("foreign", "tables are not NixTrinity's"),
        ("no database", "not a database"),
        ("folder missing", "cannot be opened"),
    ],
)
def test_what_cannot_be_used_is_unavailable_and_says_why(tmp_path: Path, kind: str, reason: str) -> None:
    async def scenario() -> None:
        store = KnowledgeStore(Database(prepared(tmp_path, kind)), keeps_exchanges=True)
        with pytest.raises(StorageError) as caught:
            await store.keep(EXCHANGE)
        assert reason in caught.value.message
        assert caught.value.hint
        status = await store.status()
        assert (status.state, status.exchanges) == ("unavailable", None)
        assert reason in status.reason
        assert await store.responds(), "the watchdog has no quarrel with a file"
        await store.close()

    asyncio.run(scenario())


def test_it_heals_when_the_folder_comes_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = KnowledgeStore(Database(tmp_path / "late"), keeps_exchanges=True)
        with pytest.raises(StorageError):
            await store.keep(EXCHANGE)
        (tmp_path / "late").mkdir()
        await store.keep(EXCHANGE)
        status = await store.status()
        assert (status.state, status.exchanges) == ("on", 1)
        await store.close()

    asyncio.run(scenario())
