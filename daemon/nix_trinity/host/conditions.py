"""Why a build has to wait now: the machine has something better to do with its power, memory or processors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from nix_trinity.host.pressure import memory_pressure

NIX_DAEMON = "nix-daemon.service"
BUSY_PROCESSORS = 0.5
"""Nix counts as building when it uses more processor time than this, in seconds a second."""

Sleep = Callable[[float], Awaitable[object]]


class Machine(Protocol):
    """What has to be known of the machine; None is "it cannot be told"."""

    async def on_battery(self) -> bool | None:
        """Whether it runs on battery now."""
        ...

    async def cpu_seconds(self, unit: str) -> float | None:
        """The processor time that a unit has used since it was started, in seconds."""
        ...


class Conditions:
    """The conditions that builds wait under; what cannot be told never makes one wait.

    The keywords up to ``beside_nix_builds`` are the keys of ``[learning]`` of the same names. Nix is seen where
    its daemon builds; what root builds without the daemon is not in ``nix-daemon.service``'s processor time.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        on_battery: bool,
        most_memory_pressure_percent: float,
        beside_nix_builds: bool,
        pressure: Path = Path("/proc/pressure/memory"),
        sample_seconds: float = 2.0,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine = machine
        self._on_battery = on_battery
        self._most_pressure = most_memory_pressure_percent
        self._beside_nix = beside_nix_builds
        self._pressure = pressure
        self._sample_seconds = sample_seconds
        self._sleep = sleep
        self._clock = clock

    async def holding(self) -> str | None:
        """Say in words for a person why a build has to wait now; None when it may begin.

        Takes ``sample_seconds`` when nothing but Nix can hold it. Raises nothing of its own.
        """
        if not self._on_battery and await self._machine.on_battery():
            return "the machine runs on battery; it is built when it is plugged in, or now with --force"
        stalled = memory_pressure(self._pressure)
        if stalled is not None and stalled > self._most_pressure:
            return (
                f"memory is short (tasks waited for it {stalled:.0f} % of the last minute); "
                "it is built when that is over, or now with --force"
            )
        if not self._beside_nix and await self._nix_builds():
            return "Nix is building; it is built when Nix is done, or now with --force"
        return None

    async def _nix_builds(self) -> bool:
        before = await self._machine.cpu_seconds(NIX_DAEMON)
        if before is None:
            return False
        began = self._clock()
        await self._sleep(self._sample_seconds)
        after = await self._machine.cpu_seconds(NIX_DAEMON)
        took = self._clock() - began
        return after is not None and took > 0 and (after - before) / took > BUSY_PROCESSORS
