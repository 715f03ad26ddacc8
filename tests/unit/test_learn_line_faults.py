"""Builds and deployments that fail, are stopped, or are taken back: what is left of them, and what is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from nix_trinity.errors import EngineError, EngineTimeoutError, EngineUnreachableError, StorageError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.runs import BuildRuns
from tests.unit.learn_bench import ALICE, NAME, Line, scenario
from tests.unit.test_runs import Runs
from tests.unit.test_runs import scenario as runs_scenario


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("list", EngineTimeoutError("slow", "")),
        ("list", EngineUnreachableError("away", "")),
        (f"copy {NAME} nix-quick", EngineUnreachableError("away", "")),
    ],
)
def test_a_good_candidate_whose_deployment_failed_is_tried_again(tmp_path: Path, step: str, error: EngineError) -> None:
    async def act(line: Line) -> None:
        await line.teach()

        @asynccontextmanager
        async def failing(_: str) -> AsyncIterator[None]:
            line.engine.machine.fail[step] = error
            yield

        line.roles._undisturbed = failing
        with suppress(EngineUnreachableError):
            await line.build()
        line.engine.machine.fail.clear()
        line.roles._undisturbed = line._undisturbed
        again = await line.build()
        assert again.result == "deployed", again.why

    scenario(tmp_path, act)


def test_a_build_that_replaced_a_version_for_what_was_deleted_says_so(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.teach_more()
        await line.build()
        await line.kept.forget(Reader(ALICE), "second")
        result = await line.build()
        assert line.deployed() == f"{NAME}-2"
        assert (result.result, result.version, result.previous, result.dropped) == ("deployed", f"{NAME}-2", NAME, 1)

    scenario(tmp_path, act)


class FullDisk(LearningStore):
    async def begin_build(self, build: Build) -> None:
        raise StorageError(f"The disk is full, {build.id} is not kept.", "Free some.")

    async def end_build(self, build: Build) -> None:
        await self.begin_build(build)


def test_a_build_whose_row_cannot_be_written_tells_its_listener(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        runs = BuildRuns(FullDisk(r.database), r._work, holding=r._holding, now_ms=lambda: 1)
        with pytest.raises(StorageError):
            assert [event async for event in runs.start("manual", ("quick",), force=False, reason="")] == []

    runs_scenario(tmp_path, act)


def test_a_build_that_is_stopped_before_its_first_step_is_not_running_for_ever(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        listening = asyncio.ensure_future(anext(r.runs.start("manual", ("quick",), force=False, reason="")))
        while r.runs.running is None:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0)
        await r.runs.stop()
        with suppress(StopAsyncIteration):
            await listening
        assert r.runs.running is None

    runs_scenario(tmp_path, act)


def test_a_rollback_is_not_undone_by_the_next_weekly_build(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        await line.teach_more()
        await line.build()
        await line.roles._deployment.rollback("quick", None, now_ms=1)
        await line.build()
        assert line.deployed() == NAME

    scenario(tmp_path, act)
