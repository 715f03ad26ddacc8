"""Builds as they run: one at a time, each with a row that says how it ended, whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nix_trinity.errors import BusyError, CatalogueError, InternalError, ModelMissingError, TrinityError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.learning import Build, BuildKind, BuildState
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.progress import BuildEnded, BuildEvent, BuildStarted, BuildStep, RoleResult
from nix_trinity.training.runs import BuildRuns

DAY = 86_400_000
NOW = 1_795_600_000_000
"""2026-11-25 09:46 UTC."""
STEP = BuildStep("quick", "select", 1, 1, "3 examples")
HELD = "Nix is building."


def result(role: str, became: str) -> RoleResult:
    return RoleResult(role, became, None, None, 0, 0, "why")


class Runs:
    """Builds whose work is played: it waits for ``go``, then fails or returns ``results``."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder)
        self.store = LearningStore(self.database)
        self.results: Sequence[RoleResult] = [result("quick", "deployed")]
        self.fails: Exception | None = None
        self.holds: str | None = None
        self.go = asyncio.Event()
        self.go.set()
        self.worked: list[Build] = []
        self.now = NOW
        self.runs = BuildRuns(self.store, self._work, holding=self._holding, now_ms=lambda: self.now)

    async def _work(self, build: Build, tell: Callable[[BuildEvent], None]) -> Sequence[RoleResult]:
        self.worked.append(build)
        tell(STEP)
        await self.go.wait()
        self.now += 1_000
        if self.fails is not None:
            raise self.fails
        return self.results

    async def _holding(self) -> str | None:
        return self.holds

    async def build(self, kind: BuildKind = "manual", *, force: bool = False) -> list[BuildEvent]:
        return [event async for event in self.runs.start(kind, ("quick", "expert"), force=force, reason="the timer")]

    async def ended(self, kind: BuildKind = "manual", *, force: bool = False) -> tuple[str, str]:
        last = (await self.build(kind, force=force))[-1]
        assert isinstance(last, BuildEnded)
        return last.state, last.why

    async def row(self) -> Build:
        return (await self.store.builds(10))[0]

    async def was(self, kind: BuildKind, at_ms: int, state: BuildState = "done") -> None:
        build = Build(id=kind, kind=kind, state=state, roles=(), reason="", started_at_ms=at_ms, ended_at_ms=at_ms)
        await self.store.end_build(build)


def scenario(folder: Path, act: Callable[[Runs], Awaitable[None]]) -> None:
    async def run() -> None:
        runs = Runs(folder)
        try:
            await asyncio.wait_for(act(runs), 20)
        finally:
            await runs.runs.stop()
            await runs.database.close()

    asyncio.run(run())


def test_a_build_tells_what_it_does_and_its_row_says_the_same(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        started, step, ended = await r.build("weekly")
        row = await r.row()
        assert started == BuildStarted(row.id, "weekly", ("quick", "expert"), "the timer")
        assert step == STEP
        assert isinstance(ended, BuildEnded)
        assert (ended.id, ended.state, ended.why) == (row.id, "done", "quick: deployed")
        assert (row.kind, row.state, row.roles, row.reason) == ("weekly", "done", ("quick", "expert"), "the timer")
        assert (row.started_at_ms, row.ended_at_ms, row.error_code, row.error) == (NOW, NOW + 1_000, None, None)
        [kept] = msgspec.json.decode(row.results)
        assert (kept["role"], kept["result"], kept["why"]) == ("quick", "deployed", "why")
        assert r.runs.running is None

    scenario(tmp_path, act)


def test_two_at_once_are_refused_and_the_one_that_runs_is_named(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        r.go.clear()
        first = r.runs.start("monthly", ("quick",), force=False, reason="")
        started = await anext(first)
        assert isinstance(started, BuildStarted)
        assert (await r.row()).state == "running"
        assert r.runs.running is not None
        assert r.runs.running.id == started.id
        with pytest.raises(BusyError, match=f"monthly build {started.id} is running") as raised:
            await r.build("manual", force=True)
        assert raised.value.retry_after_seconds > 0
        r.go.set()
        assert isinstance([event async for event in first][-1], BuildEnded)
        assert len(await r.store.builds(10)) == 1, "what was refused has no row"
        assert await r.ended() == ("done", "quick: deployed"), "and then the next one may run"

    scenario(tmp_path, act)


@pytest.mark.parametrize(
    "error",
    [
        ModelMissingError("The base is not there.", "ollama pull base"),
        CatalogueError("Line 3 is wrong.", "Correct it.", code="special"),
    ],
)
def test_a_build_that_cannot_go_on_says_why_to_its_listener_and_in_its_row(tmp_path: Path, error: TrinityError) -> None:
    async def act(r: Runs) -> None:
        r.fails = error
        listening = r.runs.start("manual", ("quick",), force=False, reason="")
        assert isinstance(await anext(listening), BuildStarted)
        assert await anext(listening) == STEP
        with pytest.raises(type(error)) as raised:
            await anext(listening)
        assert raised.value is error
        row = await r.row()
        assert (row.state, row.error_code, row.ended_at_ms) == ("failed", error.stable_code, NOW + 1_000)
        assert row.error == f"{error.message} {error.hint}"
        r.fails = None
        assert (await r.ended())[0] == "done"

    scenario(tmp_path, act)


def test_a_fault_of_our_own_is_called_that_and_its_text_is_for_the_row_only(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        r.fails = ZeroDivisionError("by zero")
        with pytest.raises(InternalError, match="fault of NixTrinity's own") as raised:
            await r.build()
        assert "journalctl" in raised.value.hint
        row = await r.row()
        assert (row.state, row.error_code, row.error) == ("failed", "internal", "ZeroDivisionError('by zero')")
        assert r.runs.running is None

    scenario(tmp_path, act)


def test_what_is_stopped_in_the_middle_is_failed_and_not_running_for_ever(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        await r.runs.stop()
        r.go.clear()
        listening = r.runs.start("weekly", ("quick",), force=False, reason="")
        assert isinstance(await anext(listening), BuildStarted)
        await r.runs.stop()
        row = await r.row()
        assert (row.state, row.error_code, row.ended_at_ms) == ("failed", "interrupted", NOW)
        assert "stopped" in (row.error or "")
        assert [event async for event in listening] == [STEP], "whoever listened is not left waiting"
        assert r.runs.running is None
        await r.runs.stop()
        r.go.set()
        assert (await r.ended("weekly"))[0] == "done", "it was no success, so it is due still"

    scenario(tmp_path, act)


def test_whoever_stops_listening_does_not_stop_the_build(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        r.go.clear()
        listening = r.runs.start("manual", ("quick",), force=False, reason="")
        await anext(listening)
        await listening.aclose()
        assert r.runs.running is not None
        r.go.set()
        for _ in range(1_000):
            await asyncio.sleep(0.01 if r.runs.running is not None else 0)
        assert (await r.row()).state == "done"

    scenario(tmp_path, act)


def test_what_is_not_due_says_from_when_on_it_is_and_leaves_no_row(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        await r.was("weekly", NOW - DAY)
        [ended] = await r.build("weekly")
        assert isinstance(ended, BuildEnded)
        assert ended.state == "not_due"
        assert "last weekly build was on 2026-11-24" in ended.why
        assert "due from 2026-11-30" in ended.why
        assert [one.id for one in await r.store.builds(10)] == ["weekly"]
        assert r.worked == []
        assert (await r.ended("monthly"))[0] == "done", "a weekly one is not the month's"

    scenario(tmp_path, act)


@pytest.mark.parametrize(
    ("before", "at", "state", "then"),
    [
        ("monthly", NOW - DAY, "done", "not_due"),
        ("monthly", NOW - DAY, "nothing_new", "not_due"),
        ("monthly", NOW - DAY, "failed", "done"),
        ("weekly", NOW - 7 * DAY, "done", "done"),
        ("manual", NOW - DAY, "done", "done"),
        ("immediate", NOW - DAY, "done", "done"),
    ],
)
def test_what_counts_as_the_weeks_build(
    tmp_path: Path, before: BuildKind, at: int, state: BuildState, then: str
) -> None:
    async def act(r: Runs) -> None:
        await r.was(before, at, state)
        assert (await r.ended("weekly"))[0] == then

    scenario(tmp_path, act)


@pytest.mark.parametrize("kind", ["weekly", "monthly", "immediate"])
def test_what_the_machine_is_busy_with_holds_builds_that_nobody_waits_for(tmp_path: Path, kind: BuildKind) -> None:
    async def act(r: Runs) -> None:
        r.holds = HELD
        assert await r.ended(kind) == ("put_off", HELD)
        assert await r.store.builds(10) == []
        assert r.worked == []
        r.holds = None
        assert (await r.ended(kind))[0] == "done"

    scenario(tmp_path, act)


def test_a_manual_build_is_held_by_nothing(tmp_path: Path) -> None:
    async def act(r: Runs) -> None:
        r.holds = HELD
        await r.was("manual", NOW - 1)
        assert (await r.ended("manual"))[0] == "done"

    scenario(tmp_path, act)


@pytest.mark.parametrize("kind", ["weekly", "monthly", "immediate"])
def test_force_overrides_the_date_and_what_holds(tmp_path: Path, kind: BuildKind) -> None:
    async def act(r: Runs) -> None:
        r.holds = HELD
        await r.was(kind, NOW - 1)
        assert (await r.ended(kind, force=True))[0] == "done"
        assert len(r.worked) == 1

    scenario(tmp_path, act)


@pytest.mark.parametrize(
    ("became", "state"),
    [
        (("nothing_new", "nothing_new"), "nothing_new"),
        (("nothing_new", "rejected"), "done"),
        (("failed", "deployed"), "done"),
        (("failed", "failed"), "failed"),
    ],
)
def test_the_builds_state_comes_of_its_roles(tmp_path: Path, became: tuple[str, str], state: str) -> None:
    async def act(r: Runs) -> None:
        r.results = [result("quick", became[0]), result("expert", became[1])]
        assert await r.ended() == (state, f"quick: {became[0]}; expert: {became[1]}")
        assert (await r.row()).state == state
        assert len(msgspec.json.decode((await r.row()).results, type=list[Any])) == 2

    scenario(tmp_path, act)
