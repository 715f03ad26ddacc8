"""What is too big to wait makes one build at once: with a reason, not again and again, and whatever else fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import Context
from pathlib import Path
from typing import Any, TypeVarTuple

import pytest
from structlog.testing import capture_logs

from nix_trinity.config_sections import LearningSection
from nix_trinity.errors import BusyError, CorpusError, EngineUnreachableError, HostError, TrinityError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.learning import Build
from nix_trinity.training.progress import BuildEnded, BuildEvent
from nix_trinity.training.versions import Versions
from nix_trinity.training.watch import Watch
from tests.unit.test_learning_store import ALICE, OPERATOR, Stores, exchange, word
from tests.unit.test_versions import learned, manifest

MINUTE = 60_000
HOUR = 60 * MINUTE
NOW = 1_760_000_000_000
UNIT = "nix-trinity-build-now.service"
SECRET = "zebrafinch"
Arguments = TypeVarTuple("Arguments")


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is put forward by hand, so that nobody waits for a long sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = asyncio.Event()
        self.seconds = 0.0
        self._skipped = 0.0

    def time(self) -> float:
        return super().time() + self._skipped

    def call_later(
        self, delay: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if delay >= 1:
            self.seconds = delay
            self.asleep.set()
        return super().call_later(delay, callback, *args, context=context)

    def wake(self) -> None:
        self._skipped += self.seconds


class Corpus:
    """The corpus at its seam: a release, or what goes wrong when it is asked for."""

    def __init__(self) -> None:
        self.release: str | None = "25.05"
        self.fails: TrinityError | None = None

    async def refresh(self) -> None:
        """Nothing is read."""

    async def stamp(self) -> tuple[str, str | None]:
        if self.fails is not None:
            raise self.fails
        return f"options of {self.release}", self.release


class Scene:
    """A watch on real stores; ``built`` and ``units`` are what it started, with the reason or the unit's name."""

    def __init__(self, folder: Path, *, bus: bool = True, **settings: object) -> None:
        self.stores = Stores(folder)
        self.versions = Versions(folder / "versions")
        self.corpus = Corpus()
        self.now = NOW
        self.built: list[str] = []
        self.units: list[str] = []
        self.build_fails: TrinityError | None = None
        self.unit_fails: TrinityError | None = None
        self.tidied = 0
        self.watch = Watch(
            store=self.stores.learning,
            corpus=self.corpus,
            versions=self.versions,
            settings=LearningSection(**settings),  # type: ignore[arg-type]
            build=self._build,
            start_unit=self._start_unit if bus else None,
            tidy=self._tidy,
            now_ms=lambda: self.now,
        )
        self._task: asyncio.Task[None] | None = None

    async def _tidy(self) -> None:
        self.tidied += 1

    async def look(self, *, times: int = 1, after: int = MINUTE) -> None:
        """Let the watch look, ``after`` so many milliseconds on the wall's clock each time."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SkippingLoop)
        for _ in range(times):
            self.now += after
            loop.asleep.clear()
            if self._task is None:
                self._task = asyncio.create_task(self.watch.run())
            else:
                loop.wake()
            asleep = asyncio.create_task(loop.asleep.wait())
            await asyncio.wait({self._task, asleep}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                asleep.cancel()
                await self._task

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.stores.kept.close()

    async def _build(self, reason: str) -> AsyncGenerator[BuildEvent, None]:
        self.built.append(reason)
        if self.build_fails is not None:
            raise self.build_fails
        done = Build(
            id=f"b{len(self.built)}", kind="immediate", state="done", roles=(), reason=reason, started_at_ms=self.now
        )
        await self.stores.learning.end_build(done)
        await self.watch.built()
        yield BuildEnded(done.id, "done", "", 0.0)

    async def _start_unit(self, unit: str) -> None:
        self.units.append(unit)
        if self.unit_fails is not None:
            raise self.unit_fails


Act = Callable[[Scene], Awaitable[None]]


def watched(folder: Path, act: Act, **settings: Any) -> None:
    async def run() -> None:
        scene = Scene(folder, **settings)
        try:
            await act(scene)
        finally:
            await scene.close()

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(run())


async def corrections(s: Scene, number: int = 5) -> None:
    for n in range(number):
        question = f"How do I open port {n} for {SECRET}?"
        await s.stores.keep(
            exchange(f"corrected{n}", question=question, asked_at_ms=s.now),
            word("corrected", at=s.now + 1, correction="Better."),
        )


async def bad_verdicts(s: Scene, number: int = 10) -> None:
    for n in range(number):
        question = f"How do I open port {n} for {SECRET}?"
        await s.stores.keep(exchange(f"bad{n}", question=question, asked_at_ms=s.now), word("bad", at=s.now + 1))


async def unanswered(s: Scene, number: int = 3) -> None:
    for n in range(number):
        await s.stores.keep(
            exchange(
                f"unanswered{n}",
                question=f"{'Please, how' if n % 2 else 'How'} do I enable {SECRET} over ssh?",
                asked_at_ms=s.now + 1,
                verdict="ungrounded",
            )
        )


async def a_new_release(s: Scene) -> None:
    s.corpus.release = "25.11"


async def something_deleted(s: Scene) -> None:
    await s.stores.kept.forget(Reader(ALICE), "taught")


async def taught(s: Scene, state: str = "deployed") -> None:
    await s.stores.keep(exchange("taught", question=f"What is {SECRET}?"))
    one = learned("taught", f"What is {SECRET}?")
    s.versions.put(manifest("nix-expert-20260105", one, state=state, deployed_at_ms=5))


async def as_one_expects(s: Scene) -> None:
    """A daemon that looked before: the release is known, a deployed version teaches something that is there."""
    await taught(s)
    await s.look()
    assert s.built == []


def test_nothing_happened_so_nothing_is_built(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await as_one_expects(s)
        await s.stores.keep(exchange("fine"), word("good", at=s.now))
        await corrections(s, 4)
        await unanswered(s, 2)
        await s.look(times=3)
        assert (s.built, s.units) == ([], [])

    watched(tmp_path, act)


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (corrections, "5 answers were corrected since the last build"),
        (bad_verdicts, "10 answers were called bad since the last build"),
        (unanswered, "the same question (about network) was asked 3 times and not answered"),
        (a_new_release, "NixOS is 25.11 now, and the last build was made for 25.05"),
        (something_deleted, "1 exchange in deployed versions has been deleted or taken back"),
    ],
)
def test_what_is_too_big_to_wait_makes_exactly_one_build(tmp_path: Path, happens: Act, why: str) -> None:
    async def act(s: Scene) -> None:
        await as_one_expects(s)
        await happens(s)
        with capture_logs() as lines:
            await s.look()
        assert s.built == [why]
        assert any(line.get("reason") == why for line in lines), "the journal says why"
        assert SECRET not in f"{s.built}{lines}", "no question is quoted"
        # The build that follows a deletion replaces the version.
        s.versions.replace("nix-expert-20260105", state="previous")
        await s.look(times=3, after=HOUR)
        assert s.built == [why]

    watched(tmp_path, act)


def test_all_reasons_make_one_build_together(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await as_one_expects(s)
        await corrections(s)
        await a_new_release(s)
        await s.look(times=3)
        (reason,) = s.built
        assert "NixOS is 25.11" in reason
        assert "5 answers were corrected" in reason

    watched(tmp_path, act)


def test_the_configured_numbers_count(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await as_one_expects(s)
        await corrections(s, 1)
        await s.look()
        assert s.built == ["1 answer was corrected since the last build"]

    watched(tmp_path, act, corrections_for_build=1)


def test_what_a_version_teaches_that_is_not_deployed_is_no_reason(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await taught(s, "retired")
        await something_deleted(s)
        await s.look(times=2)
        assert s.built == []

    watched(tmp_path, act)


def test_what_came_before_the_last_build_is_no_reason(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await corrections(s)
        await s.stores.learning.end_build(
            Build(id="b", kind="weekly", state="nothing_new", roles=(), reason="", started_at_ms=s.now + 2)
        )
        await s.look(times=2)
        assert s.built == []

    watched(tmp_path, act)


def test_a_build_that_did_not_help_is_tried_again_after_an_hour_and_no_sooner(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.build_fails = EngineUnreachableError("Ollama does not answer.", "Start it.")
        await corrections(s)
        await s.look()
        assert len(s.built) == 1
        await s.look(times=59)
        assert len(s.built) == 1
        await s.look()
        assert len(s.built) == 2
        await s.look(times=59)
        assert len(s.built) == 2

    watched(tmp_path, act)


def test_a_restart_does_not_make_the_hour_shorter(tmp_path: Path) -> None:
    async def before(s: Scene) -> None:
        s.build_fails = EngineUnreachableError("Ollama does not answer.", "Start it.")
        await corrections(s)
        await s.look()
        assert len(s.built) == 1

    async def after(s: Scene) -> None:
        await s.look(after=30 * MINUTE)
        assert s.built == []
        await s.look(after=31 * MINUTE)
        assert len(s.built) == 1

    watched(tmp_path, before)
    watched(tmp_path, after)


def test_a_clock_that_was_set_back_does_not_block_builds(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.build_fails = EngineUnreachableError("Ollama does not answer.", "Start it.")
        await corrections(s)
        await s.look()
        await s.look(after=-24 * HOUR)
        assert len(s.built) == 2
        await s.look(times=2)
        assert len(s.built) == 2, "and the hour is counted from then on"

    watched(tmp_path, act)


def test_with_a_unit_the_daemon_builds_nothing_itself(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await corrections(s)
        await s.look(times=3)
        assert (s.units, s.built) == ([UNIT], [])

    watched(tmp_path, act, immediate_unit=UNIT)


def test_without_a_configured_unit_none_is_started(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await corrections(s)
        await s.look()
        assert (s.units, len(s.built)) == ([], 1)

    watched(tmp_path, act)


def test_without_a_bus_the_daemon_builds_itself(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await corrections(s)
        await s.look()
        assert len(s.built) == 1

    watched(tmp_path, act, immediate_unit=UNIT, bus=False)


def test_when_the_unit_cannot_be_started_the_daemon_builds_itself(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.unit_fails = HostError("systemd has no such unit.", "Look: systemctl list-unit-files")
        await corrections(s)
        with capture_logs() as lines:
            await s.look(times=3)
        assert (s.units, len(s.built)) == ([UNIT], 1)
        (line,) = [line for line in lines if line["log_level"] == "warning"]
        assert (line["unit"], line["error"]) == (UNIT, "systemd has no such unit.")

    watched(tmp_path, act, immediate_unit=UNIT)


@pytest.mark.parametrize(
    "error", [CorpusError("The index is gone.", "Index again."), EngineUnreachableError("Ollama is away.", "Start it.")]
)
def test_what_fails_while_looking_is_logged_and_the_next_look_happens(tmp_path: Path, error: TrinityError) -> None:
    async def act(s: Scene) -> None:
        await corrections(s)
        s.corpus.fails = error
        with capture_logs() as lines:
            await s.look(times=2)
        assert [(line["code"], line["error"]) for line in lines] == [(error.stable_code, error.message)] * 2
        assert s.built == []
        s.corpus.fails = None
        await s.look()
        assert len(s.built) == 1, "a look that failed is no build that was asked for"

    watched(tmp_path, act)


def test_a_database_that_cannot_be_used_is_logged_and_the_next_look_happens(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        with capture_logs() as lines:
            await s.look(times=2)
        assert [line["code"] for line in lines] == ["storage_unavailable"] * 2
        (tmp_path / "state").mkdir()
        await corrections(s)
        await s.look()
        assert len(s.built) == 1

    watched(tmp_path / "state", act)


def test_a_build_that_is_running_already_ends_no_watch(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        s.build_fails = BusyError("A build is running.", "Wait.", retry_after_seconds=60)
        await corrections(s)
        with capture_logs() as lines:
            await s.look()
        assert [line["code"] for line in lines if line["log_level"] == "warning"] == ["busy"]
        s.build_fails = None
        await s.look(after=HOUR)
        assert len(s.built) == 2

    watched(tmp_path, act)


def test_the_first_look_ever_takes_the_release_down_also_for_the_next_start(tmp_path: Path) -> None:
    async def first(s: Scene) -> None:
        s.corpus.release = None
        await s.look()
        s.corpus.release = "25.05"
        await s.look(times=2)
        assert s.built == []

    async def after_an_upgrade(s: Scene) -> None:
        s.corpus.release = "25.11"
        await s.look()
        assert s.built == ["NixOS is 25.11 now, and the last build was made for 25.05"]

    watched(tmp_path, first)
    watched(tmp_path, after_an_upgrade)


def test_a_new_release_stays_a_reason_until_a_build_was_made_for_it(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.look()
        s.corpus.release = "25.11"
        s.build_fails = EngineUnreachableError("Ollama does not answer.", "Start it.")
        await s.look()
        s.build_fails = None
        await s.look(times=3, after=HOUR)
        assert s.built == ["NixOS is 25.11 now, and the last build was made for 25.05"] * 2

    watched(tmp_path, act)


def test_any_build_counts_as_one_for_the_release_of_its_time(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.look()
        s.corpus.release = "25.11"
        await s.watch.built()
        await s.look(times=2)
        assert s.built == []
        s.corpus.release = None
        await s.watch.built()
        await s.look()
        s.corpus.release = "26.05"
        await s.look()
        assert s.built == ["NixOS is 26.05 now, and the last build was made for 25.11"]

    watched(tmp_path, act)


def test_what_an_operator_deletes_counts_too(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await as_one_expects(s)
        await s.stores.kept.forget(Reader(OPERATOR, sees_all=True), "taught")
        assert await s.watch.reasons() == ["1 exchange in deployed versions has been deleted or taken back"]

    watched(tmp_path, act)
