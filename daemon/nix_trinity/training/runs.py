"""Builds as they run: one at a time, each with its row, and apart from the connection that asked for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Literal

import msgspec
import structlog

from nix_trinity.errors import BusyError, InternalError, StorageError, TrinityError
from nix_trinity.knowledge.exchanges import new_id
from nix_trinity.knowledge.learning import Build, BuildKind, BuildState
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.training.progress import BuildEnded, BuildEvent, BuildStarted, RoleResult
from nix_trinity.training.schedule import due

_RETRY_SECONDS = 60
_COUNTS_AS = {"weekly": ("weekly", "monthly"), "monthly": ("monthly",)}

_log = structlog.get_logger("training")

Work = Callable[[Build, Callable[[BuildEvent], None]], Awaitable[Sequence[RoleResult]]]


class BuildRuns:
    """Starts builds and tells what they do to whoever listens."""

    def __init__(
        self,
        store: LearningStore,
        work: Work,
        *,
        holding: Callable[[], Awaitable[str | None]],
        now_ms: Callable[[], int],
        refusal: Callable[[], TrinityError] | None = None,
    ) -> None:
        """``refusal``: why no build can be started here at all; None where it can."""
        self._refusal = refusal
        self._store = store
        self._work = work
        self._holding = holding
        self._now_ms = now_ms
        self._running: Build | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> Build | None:
        """The build that is at work."""
        return self._running

    async def start(
        self, kind: BuildKind, roles: Sequence[str], *, force: bool, reason: str
    ) -> AsyncGenerator[BuildEvent, None]:
        """Start a build and tell its events. It goes on when nobody listens any more.

        :raises BusyError: another one is running.
        :raises TrinityError: why it failed, or cannot be started at all.
        """
        if self._refusal is not None:
            raise self._refusal()
        if self._running is not None:
            raise BusyError(
                f"The {self._running.kind} build {self._running.id} is running; two at once would disturb each other.",
                "Follow it with: nix-trinity builds",
                retry_after_seconds=_RETRY_SECONDS,
            )
        build = Build(
            id=new_id(), kind=kind, state="running", roles=tuple(roles), reason=reason, started_at_ms=self._now_ms()
        )
        self._running = build
        events: asyncio.Queue[BuildEvent | TrinityError | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(build, events.put_nowait, force=force), name=f"build {build.id}")
        self._task.add_done_callback(lambda _: self._over(build, events))
        while (event := await events.get()) is not None:
            if isinstance(event, TrinityError):
                raise event
            yield event

    async def stop(self) -> None:
        """End the build that is at work, and wait until its row says so."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _over(self, build: Build, events: asyncio.Queue[BuildEvent | TrinityError | None]) -> None:
        # Also of a task that was cancelled before its first step; the next build may have begun by now.
        if self._running is build:
            self._running = None
        events.put_nowait(None)

    async def _run(self, build: Build, tell: Callable[[BuildEvent | TrinityError], None], *, force: bool) -> None:
        structlog.contextvars.bind_contextvars(build=build.id)
        began = time.monotonic()
        try:
            not_now = None if force else await self._not_now(build)
            if not_now is not None:
                _log.info("build not begun", kind=build.kind, state=not_now[0], why=not_now[1])
                tell(BuildEnded(build.id, *not_now, 0.0))
                return
            await self._store.begin_build(build)
            tell(BuildStarted(build.id, build.kind, build.roles, build.reason))
            _log.info("build began", kind=build.kind, roles=build.roles, reason=build.reason)
            results = await self._work(build, tell)
            state = _state(results)
            why = "; ".join(f"{one.role}: {one.result}" for one in results)
            await self._end(build, state, results)
            _log.info("build ended", state=state, results=why)
            tell(BuildEnded(build.id, state, why, round(time.monotonic() - began, 1)))
        except asyncio.CancelledError:
            await asyncio.shield(self._failed(build, "interrupted", "The daemon was stopped while it was building."))
            raise
        except TrinityError as error:
            _log.warning("build failed", code=error.stable_code, error=error.message)
            tell(error)
            await self._failed(build, error.stable_code, f"{error.message} {error.hint}")
        except Exception as error:
            _log.exception("build failed")
            tell(InternalError("The build failed by a fault of NixTrinity's own.", "See: journalctl -u nix-trinity -e"))
            await self._failed(build, "internal", repr(error))
        finally:
            self._running = None

    async def _not_now(self, build: Build) -> tuple[Literal["not_due", "put_off"], str] | None:
        """Whether it is not due or put off, and why; None when it runs now."""
        if build.kind in _COUNTS_AS:
            last = await self._store.last_success(_COUNTS_AS[build.kind])
            not_due = due(build.kind, last, self._now_ms())
            if not_due:
                return "not_due", not_due
        held = await self._holding() if build.kind != "manual" else None
        return ("put_off", held) if held else None

    async def _failed(self, build: Build, code: str, error: str) -> None:
        """Write down that it failed, where that can be written."""
        try:
            await self._end(build, "failed", (), code, error)
        except StorageError as unwritten:
            _log.warning("a build's end is not kept", code=unwritten.stable_code, error=unwritten.message)

    async def _end(
        self,
        build: Build,
        state: BuildState,
        results: Sequence[RoleResult],
        code: str | None = None,
        error: str | None = None,
    ) -> None:
        await self._store.end_build(
            msgspec.structs.replace(
                build,
                state=state,
                results=msgspec.json.encode(list(results)).decode(),
                error_code=code,
                error=error,
                ended_at_ms=self._now_ms(),
            )
        )


def _state(results: Sequence[RoleResult]) -> BuildState:
    became = {one.result for one in results}
    if became <= {"nothing_new"}:
        return "nothing_new"
    return "failed" if became == {"failed"} else "done"
