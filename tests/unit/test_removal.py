"""What retention removes, and what it never does: versions, old exchanges, traces of what was forgotten."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.config_sections import RetentionSection
from nix_trinity.engines.protocol import EngineLock
from nix_trinity.errors import EngineUnreachableError, NotFoundError
from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.training.removal import Removal
from tests.unit.fake_engine import FakeEngine
from tests.unit.test_learning_store import ALICE, Stores, exchange, word
from tests.unit.test_retention import DAY_MS, GONE, Store, at

NOW = at(30.5)
CANDIDATE = "nix-expert-20260131-3"
DEPLOYED = "nix-expert-20260131"
OLDER = ("nix-expert-20260101", "nix-expert-20260102", "nix-expert-20260103")
AWAY = EngineUnreachableError("Ollama does not answer.", "Start it.")


class Scene:
    """Versions on a fake engine that learned from exchanges a, b and c, beside others of all ages."""

    def __init__(self, folder: Path, **policy: Any) -> None:
        self.stores = Stores(folder)
        self.held = Store(folder / "versions")
        self.building = False
        self.engine_asked_for = 0
        self.removal = Removal(
            self._engine,
            self.held.versions,
            self.stores.learning,
            self.stores.database,
            policy=RetentionSection(**policy),
            lock=EngineLock(),
            free_bytes=lambda: 10_000_000 - 1000 * len(self.held.engine.models),
            now_ms=lambda: NOW,
            building=lambda: self.building,
        )

    async def _engine(self) -> FakeEngine:
        self.engine_asked_for += 1
        return await self.held.engine.source()

    async def fill(self) -> None:
        noise = random.Random(3)
        for number, one in enumerate(("a", "b", "c", "rated", "old1", "old2", "old3")):
            await self.put(one, NOW - 400 * DAY_MS + number, noise.randbytes(50_000).hex())
        await self.stores.say("rated", word("bad"))
        await self.put("young", NOW - 300 * DAY_MS, "Yes.")

    async def put(self, identifier: str, asked_at_ms: int, answer: str) -> None:
        one = exchange(identifier, session=identifier, asked_at_ms=asked_at_ms, answer=answer)
        # Not through the store: to look for secrets in long answers takes longer than all else here.
        await self.stores.database.run(lambda connection: rows.put_exchange(connection, one))

    def size(self) -> int:
        path = self.stores.database.path
        return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")))

    async def there(self) -> set[str]:
        return {one.id for one in await self.stores.kept.history(Reader(0, sees_all=True), limit=100)}

    async def forget(self, *ids: str) -> None:
        for one in ids:
            await self.stores.kept.forget(Reader(ALICE), one)

    def texts(self, *, name: str = "") -> str:
        """All that stands in the files of versions, or of one."""
        folder = self.held.versions.folder
        found = sorted(folder.iterdir())
        return "".join(file.read_text() for file in found if not name or file.name.split(".")[0] == name)

    def everything(self) -> dict[str, object]:
        return {"files": self.texts(), "models": dict(self.held.engine.models)}


EXCHANGES = {"a", "b", "c", "rated", "young", "old1", "old2", "old3"}
OLD = {"old1", "old2", "old3"}


def scenario(folder: Path, act: Callable[[Scene], Awaitable[None]], **policy: Any) -> None:
    async def run() -> None:
        scene = Scene(folder, **policy)
        try:
            await scene.fill()
            await act(scene)
        finally:
            await scene.stores.kept.close()

    asyncio.run(run())


def test_pruning_removes_what_no_rule_keeps_and_says_how_much(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        before = s.size()
        pruned = await s.removal.prune(False)
        assert not pruned.dry_run
        assert {name for name, _ in pruned.versions} == GONE
        assert dict(pruned.kept)[DEPLOYED] == "deployed"
        assert not GONE & set(s.held.engine.models)
        assert {DEPLOYED, "nix-expert-20260103", *s.held.theirs} <= set(s.held.engine.models)
        assert await s.there() == EXCHANGES - OLD
        assert pruned.exchanges == 3
        # Four models by the disk, and three answers of 100 kB out of the database.
        assert 4000 + 3 * 100_000 < pruned.freed_bytes <= 4000 + before - s.size()
        assert pruned.freed_bytes % 1024 == 4000 % 1024, "the models' part is in it"
        again = await s.removal.prune(False)
        assert (again.versions, again.exchanges) == ((), 0)

    scenario(tmp_path, act)


def test_a_dry_run_tells_what_would_go_and_changes_nothing(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.forget("c")
        before, there = s.everything(), await s.there()
        told = await s.removal.prune(True)
        assert told.dry_run
        assert s.everything() == before
        assert await s.there() == there
        assert {name for name, _ in told.versions} == GONE
        assert told.exchanges == 3
        assert told.freed_bytes > 3 * 100_000

    scenario(tmp_path, act)


def test_a_dry_run_tells_what_the_next_run_does(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        told, done = await s.removal.prune(True), await s.removal.prune(False)
        assert (told.versions, told.kept, told.exchanges) == (done.versions, done.kept, done.exchanges)

    scenario(tmp_path, act)


def test_the_candidate_of_a_running_build_stays_and_any_other_goes(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.building = True
        pruned = await s.removal.prune(False)
        assert dict(pruned.kept)[CANDIDATE] == "being built"
        assert CANDIDATE in s.held.engine.models
        assert s.held.versions.get(CANDIDATE).state == "candidate"
        assert {name for name, _ in pruned.versions} == GONE - {CANDIDATE}
        s.building = False
        assert [name for name, _ in (await s.removal.prune(False)).versions] == [CANDIDATE]
        assert CANDIDATE not in s.held.engine.models

    scenario(tmp_path, act)


def test_exchanges_that_a_version_learned_from_stay_also_when_its_model_went(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.removal.prune(False)
        assert s.held.versions.get("nix-expert-20260131-2").removed, "the only one that was made of c"
        await s.removal.prune(False)
        assert {"a", "b", "c"} <= await s.there()
        for name in s.held.versions.names():
            s.held.versions.remove_files(name)
        await s.removal.prune(False)
        assert await s.there() == {"rated", "young"}

    scenario(tmp_path, act)


def test_the_size_that_is_allowed_counts_too(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        pruned = await s.removal.prune(False)
        assert pruned.exchanges == 0
        await s.put("big", NOW - 40 * DAY_MS, "x" * 1_500_000)
        assert (await s.removal.prune(False)).exchanges == 5
        assert await s.there() == {"a", "b", "c", "rated"}

    scenario(tmp_path, act, exchange_days=0, exchange_megabytes=1)


def test_deleted_exchanges_go_from_older_versions_and_stay_in_the_deployed_one(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        for name in (*OLDER, DEPLOYED):
            s.held.versions.put_evaluation(name, {"held_out": [{"id": "a", "text": "secret of a"}, {"id": "z"}]})
        await s.forget("a", "b")
        await s.removal.purge_forgotten()
        assert "secret of a" not in s.texts(), "in no manifest, Modelfile or evaluation"
        for name in OLDER:
            one = s.held.versions.get(name)
            assert (one.example_ids, one.removed) == ((), True)
            assert not any("How is" in message.content for message in s.held.versions.modelfile(name).messages)
            assert s.held.versions.read_evaluation(name) == {"held_out": [{"id": "z"}]}
            assert name not in s.held.engine.models
        assert s.held.versions.get(DEPLOYED).example_ids == ("b",)
        assert "secret of b" in s.texts(name=DEPLOYED)
        assert DEPLOYED in s.held.engine.models
        assert s.held.versions.get("nix-expert-20260131-2").example_ids == ("c",), "c is still there"

    scenario(tmp_path, act)


def test_once_it_is_replaced_the_deployed_version_loses_it_too(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.forget("b")
        await s.removal.purge_forgotten()
        s.held.versions.replace(DEPLOYED, state="previous", replaced_at_ms=NOW)
        await s.removal.purge_forgotten()
        assert "secret of b" not in s.texts()
        assert DEPLOYED not in s.held.engine.models

    scenario(tmp_path, act)


def test_nothing_was_forgotten_so_the_engine_is_not_asked(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        before = s.everything()
        await s.removal.purge_forgotten()
        assert s.engine_asked_for == 0
        assert s.everything() == before

    scenario(tmp_path, act)


def test_pruning_takes_forgotten_exchanges_out_as_well(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.forget("a")
        await s.removal.prune(False)
        assert "secret of a" not in s.texts()
        with pytest.raises(NotFoundError):
            await s.stores.kept.find(Reader(0, sees_all=True), "a")

    scenario(tmp_path, act)


def test_without_the_engine_old_exchanges_go_and_versions_wait(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.held.engine.machine.fail["list"] = AWAY
        s.held.engine.machine.fail["delete"] = AWAY
        models = dict(s.held.engine.models)
        with pytest.raises(EngineUnreachableError):
            await s.removal.prune(False)
        assert await s.there() == EXCHANGES - OLD
        assert s.held.engine.models == models
        assert not any(one.removed for one in s.held.versions.load_all())
        s.held.engine.machine.fail.clear()
        assert {name for name, _ in (await s.removal.prune(False)).versions} == GONE

    scenario(tmp_path, act)


def test_a_purge_without_the_engine_is_done_by_the_next_one(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.forget("a")
        s.held.engine.machine.fail["delete"] = AWAY
        with pytest.raises(EngineUnreachableError):
            await s.removal.purge_forgotten()
        assert s.held.versions.get(OLDER[0]).example_ids == ("a",), "it is still known that it has to go"
        s.held.engine.machine.fail.clear()
        await s.removal.purge_forgotten()
        assert "secret of a" not in s.texts()

    scenario(tmp_path, act)
