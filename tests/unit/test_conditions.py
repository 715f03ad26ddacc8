"""When a build waits, in words that a person understands, and that what is not known makes none wait."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.host.conditions import Conditions
from nix_trinity.host.pressure import memory_pressure

CALM = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
SHORT_OF_MEMORY = (
    "some avg10=1.00 avg60=34.51 avg300=2.00 total=99\nfull avg10=90.00 avg60=90.00 avg300=90.00 total=9\n"
)


class FakeMachine:
    """A machine whose Nix daemon uses ``share`` seconds of processor time a second."""

    def __init__(self, battery: bool | None = False, share: float | None = 0.0) -> None:
        self.battery = battery
        self.share = share
        self.now = 1000.0
        self.units: list[str] = []
        self.slept: list[float] = []

    async def on_battery(self) -> bool | None:
        return self.battery

    async def cpu_seconds(self, unit: str) -> float | None:
        self.units.append(unit)
        return None if self.share is None else 5000.0 + self.now * self.share

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def holding(
    machine: FakeMachine,
    pressure: Path,
    *,
    on_battery: bool = False,
    most: float = 20.0,
    beside_nix_builds: bool = False,
) -> str | None:
    return asyncio.run(
        Conditions(
            machine,
            on_battery=on_battery,
            most_memory_pressure_percent=most,
            beside_nix_builds=beside_nix_builds,
            pressure=pressure,
            sleep=machine.sleep,
            clock=lambda: machine.now,
        ).holding()
    )


@pytest.fixture
def pressure(tmp_path: Path) -> Path:
    path = tmp_path / "memory"
    path.write_text(CALM)
    return path


def test_nothing_holds_a_build_on_a_machine_at_rest(pressure: Path) -> None:
    assert holding(FakeMachine(), pressure) is None


def test_a_build_waits_while_the_machine_is_on_battery(pressure: Path) -> None:
    machine = FakeMachine(battery=True)
    assert holding(machine, pressure) == (
        "the machine runs on battery; it is built when it is plugged in, or now with --force"
    )
    assert machine.slept == []
    assert holding(machine, pressure, on_battery=True) is None


def test_a_build_waits_while_memory_is_short(pressure: Path) -> None:
    pressure.write_text(SHORT_OF_MEMORY)
    why = holding(FakeMachine(), pressure)
    assert why is not None
    assert "memory is short" in why
    assert "35 %" in why
    assert "--force" in why
    assert holding(FakeMachine(), pressure, most=34.51) is None
    assert holding(FakeMachine(), pressure, most=34.5) is not None
    assert holding(FakeMachine(), pressure, most=100) is None


@pytest.mark.parametrize(("share", "waits"), [(0.0, False), (0.4, False), (0.6, True), (7.5, True)])
def test_a_build_waits_while_nix_uses_more_than_half_a_processor(pressure: Path, share: float, waits: bool) -> None:
    machine = FakeMachine(share=share)
    why = holding(machine, pressure)
    assert (why == "Nix is building; it is built when Nix is done, or now with --force") is waits
    assert set(machine.units) == {"nix-daemon.service"}
    assert holding(machine, pressure, beside_nix_builds=True) is None


def test_a_nix_daemon_that_was_started_again_meanwhile_is_not_a_build(pressure: Path) -> None:
    assert holding(FakeMachine(share=-3.0), pressure) is None


def test_what_cannot_be_told_holds_nothing(tmp_path: Path) -> None:
    assert holding(FakeMachine(battery=None, share=None), tmp_path / "missing") is None


def test_a_nix_daemon_that_goes_away_during_the_sample_holds_nothing(pressure: Path) -> None:
    class Leaves(FakeMachine):
        async def cpu_seconds(self, unit: str) -> float | None:
            return None if self.slept else await super().cpu_seconds(unit)

    assert holding(Leaves(), pressure) is None


def test_a_clock_that_stands_still_holds_nothing(pressure: Path) -> None:
    class Stands(FakeMachine):
        async def sleep(self, seconds: float) -> None:
            self.slept.append(seconds)
            self.share = 9.0

    assert holding(Stands(), pressure) is None


def test_memory_pressure_is_some_avg60(pressure: Path) -> None:
    pressure.write_text(SHORT_OF_MEMORY)
    assert memory_pressure(pressure) == 34.51


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "some\n",
        "full avg60=50.00\n",
        "some avg10=3.00\n",
        "some avg60=\n",
        "some avg60=nan\n",
        "some avg60=-1\n",
        "some avg60=1e9\n",
    ],
)
def test_what_is_not_psi_tells_nothing(pressure: Path, text: str) -> None:
    pressure.write_text(text)
    assert memory_pressure(pressure) is None


@given(content=st.binary(max_size=200))
def test_no_content_makes_it_fail(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    found = memory_pressure(path)
    assert found is None or 0 <= found <= 100


def test_a_folder_in_its_place_tells_nothing(tmp_path: Path) -> None:
    assert memory_pressure(tmp_path) is None


def test_the_kernels_own_file_is_read_where_it_is() -> None:
    found = memory_pressure()
    assert found is None or 0 <= found <= 100
