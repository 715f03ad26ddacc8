"""What went wrong once around builds: the engine away, a clock set back, deleted exchanges, a month of builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from nix_trinity.errors import BusyError, EngineUnreachableError
from nix_trinity.knowledge.learning import Build
from tests.unit import test_removal as removal
from tests.unit import test_reports as reports
from tests.unit import test_watch as watch


def test_without_the_engine_old_exchanges_go_also_when_something_was_forgotten(tmp_path: Path) -> None:
    async def act(s: removal.Scene) -> None:
        await s.forget("a")
        s.held.engine.machine.fail["list"] = s.held.engine.machine.fail["delete"] = removal.AWAY
        with pytest.raises(EngineUnreachableError):
            await s.removal.prune(False)
        assert not removal.OLD & await s.there()

    removal.scenario(tmp_path, act)


def test_a_build_from_before_the_clock_was_set_back_does_not_hide_what_comes_now(tmp_path: Path) -> None:
    async def act(s: watch.Scene) -> None:
        years = 10 * 365 * 24 * watch.HOUR
        build = Build(id="b", kind="weekly", state="done", roles=(), reason="", started_at_ms=s.now + years)
        await s.stores.learning.end_build(build)
        await s.look()
        await watch.corrections(s)
        await s.look(times=3)
        assert len(s.built) == 1

    watch.watched(tmp_path, act)


def test_a_real_run_tells_of_the_models_that_it_removes_because_something_was_forgotten(tmp_path: Path) -> None:
    async def act(s: removal.Scene) -> None:
        await s.forget("a")
        before = set(s.held.engine.models)
        done = await s.removal.prune(False)
        assert before - set(s.held.engine.models) == {name for name, _ in done.versions}

    removal.scenario(tmp_path, act)


def test_a_dry_run_does_not_call_kept_what_the_run_removes(tmp_path: Path) -> None:
    async def act(s: removal.Scene) -> None:
        await s.forget("a")
        told = await s.removal.prune(True)
        await s.removal.prune(False)
        assert set(dict(told.kept)) <= set(s.held.engine.models)

    removal.scenario(tmp_path, act)


def test_the_candidate_of_a_running_build_stays_when_something_in_it_was_forgotten(tmp_path: Path) -> None:
    async def act(s: removal.Scene) -> None:
        s.building = True
        await s.forget("c")
        await s.removal.prune(False)
        assert removal.CANDIDATE in s.held.engine.models

    removal.scenario(tmp_path, act)


def test_a_report_has_all_builds_of_its_month(tmp_path: Path) -> None:
    async def act(s: reports.Scene) -> None:
        await s.build("first", reports.SINCE, "the first one")
        for n in range(500):
            await s.build(f"b{n:03}", reports.UNTIL + n, "later")
        assert "the first one" in await s.text()

    reports.scenario(tmp_path, act)


def test_a_build_that_fails_is_not_logged_as_a_look_that_failed(tmp_path: Path) -> None:
    async def act(s: watch.Scene) -> None:
        s.build_fails = BusyError("A build is running.", "Wait.", retry_after_seconds=60)
        await watch.corrections(s)
        with capture_logs() as lines:
            await s.look()
        assert not any(line["event"] == "cannot tell whether a build is needed" for line in lines)

    watch.watched(tmp_path, act)
