"""systemd and its like (logind, UPower) over D-Bus: everything here is optional, and nothing waits for it long."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from nix_trinity.errors import HostError

if TYPE_CHECKING:
    from nix_trinity.host.bus import Connection, Target

_OUR_SERVICE = re.compile(r"nix-trinity(-[a-z0-9]+)*(@[a-z0-9]+(-[a-z0-9]+)*)?\.service")
_SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_UPOWER = ("org.freedesktop.UPower", "/org/freedesktop/UPower", "org.freedesktop.UPower")
_SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
_NOT_SET = 2**64 - 1
"""What systemd's unsigned 64-bit numbers are where there is nothing to say (UINT64_MAX, USEC_INFINITY)."""

_log = structlog.get_logger("systemd")


class SystemBus:
    """The system bus, or the one at ``address``; nothing it does can affect more than the call that was made.

    Each call makes a connection of its own and closes it: a bus that was restarted is simply found again,
    and an idle daemon holds none. A call takes ``deadline_seconds`` at most.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        deadline_seconds: float = 5.0,
        wall_clock: Callable[[], float] = time.time,
        monotonic_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address or os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or _SYSTEM_BUS
        self._deadline_seconds = deadline_seconds
        self._wall_clock = wall_clock
        self._monotonic_clock = monotonic_clock
        self._said_no_inhibitor = False

    async def start_unit(self, name: str) -> None:
        """Ask systemd to start a service of ours; returns when the job is queued, not when it is done.

        The mode is "fail": a job that contradicts one that is queued (a stop, a shutdown) is refused and
        replaces nothing; where the unit is being started already, that job is enough.

        :raises HostError: the name is not one of ours, the bus cannot be asked, or systemd refused.
        """
        if not _OUR_SERVICE.fullmatch(name):
            raise HostError(
                f"{name!r} is not a service of NixTrinity, and no other is started.",
                "Set learning.immediate_unit to a unit such as nix-trinity-immediate.service, or empty it.",
            )
        try:
            async with self._connected() as connection:
                await connection.ask(_SYSTEMD, "StartUnit", "ss", (name, "fail"), reply="o")
        except HostError as error:
            raise HostError(
                f"{name} could not be started: {error.message}",
                f"Check it with `systemctl status {name}` and that a polkit rule lets the daemon's user start it, "
                "or empty learning.immediate_unit: the daemon then builds by itself.",
            ) from error

    async def next_elapse(self, timer: str) -> datetime | None:
        """When a timer fires next (UTC); None where it is not loaded, not due at all, or cannot be asked."""
        try:
            async with self._connected() as connection:
                target = await _unit(connection, timer, "org.freedesktop.systemd1.Timer")
                realtime = await connection.get(target, "NextElapseUSecRealtime", "t")
                monotonic = await connection.get(target, "NextElapseUSecMonotonic", "t")
        except HostError as error:
            _not_told("next_elapse", error)
            return None
        return elapse_at(realtime, monotonic, wall_now=self._wall_clock(), monotonic_now=self._monotonic_clock())

    async def on_battery(self) -> bool | None:
        """Whether the machine runs on battery, as UPower says; None where it cannot be told."""
        try:
            async with self._connected() as connection:
                return bool(await connection.get(_UPOWER, "OnBattery", "b"))
        except HostError as error:
            _not_told("on_battery", error)
            return None

    async def cpu_seconds(self, unit: str) -> float | None:
        """The processor time of a service since it was started, in seconds; None where it cannot be told."""
        try:
            async with self._connected() as connection:
                target = await _unit(connection, unit, "org.freedesktop.systemd1.Service")
                nanoseconds = await connection.get(target, "CPUUsageNSec", "t")
        except HostError as error:
            _not_told("cpu_seconds", error)
            return None
        return None if nanoseconds == _NOT_SET else float(nanoseconds) / 1e9

    def inhibit(self, why: str) -> AbstractAsyncContextManager[bool]:
        """Delay sleep and shutdown while inside, as far as logind lets one (InhibitDelayMaxSec).

        Gives whether it is in force; without logind it is not, which is logged once. Raises nothing.
        """
        return self._inhibiting(why)

    @asynccontextmanager
    async def _inhibiting(self, why: str) -> AsyncIterator[bool]:
        descriptor = await self._inhibitor(why)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    async def _inhibitor(self, why: str) -> int | None:
        try:
            async with self._connected() as connection:
                arguments = ("sleep:shutdown", "NixTrinity", why, "delay")
                return await connection.descriptor(_LOGIND, "Inhibit", "ssss", arguments)
        except HostError as error:
            if not self._said_no_inhibitor:
                self._said_no_inhibitor = True
                _log.warning("sleep_and_shutdown_not_delayed", reason=error.message)
            return None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """A connection under the deadline; whatever goes wrong meanwhile becomes a HostError."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                connected = await asyncio.to_thread(_library)
                async with connected(self._address) as connection:
                    yield connection
        except TimeoutError as error:
            raise _host_error(f"no answer within {self._deadline_seconds:g} s") from error
        except Exception as error:
            # dbus-next's faults come as any kind of exception: EOFError, KeyError, AttributeError, …
            raise _host_error(str(error) or type(error).__name__) from error


def elapse_at(realtime: int, monotonic: int, *, wall_now: float, monotonic_now: float) -> datetime | None:
    """The earlier of a timer's two next elapses, which systemd gives in microseconds of its two clocks.

    0 and the greatest number are "none". ``wall_now`` and ``monotonic_now`` are in seconds.
    """
    candidates = []
    if realtime not in (0, _NOT_SET):
        candidates.append(realtime / 1e6)
    if monotonic not in (0, _NOT_SET):
        candidates.append(wall_now + monotonic / 1e6 - monotonic_now)
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=min(candidates)) if candidates else None
    except OverflowError:
        return None


async def _unit(connection: Connection, name: str, interface: str) -> Target:
    (path,) = await connection.ask(_SYSTEMD, "GetUnit", "s", (name,), reply="o")
    return (_SYSTEMD[0], path, interface)


def _library() -> Callable[[str], AbstractAsyncContextManager[Connection]]:
    from nix_trinity.host.bus import connected

    return connected


def _host_error(reason: str) -> HostError:
    return HostError(f"the system bus was asked in vain ({reason}).", "Check it with `systemctl status dbus.service`.")


def _not_told(what: str, error: HostError) -> None:
    _log.debug("not_told_by_the_bus", what=what, reason=error.message)
