"""A switch that changes the system's options: the daemon has them before anybody asks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.container.golden import Golden
from tests.container.install import install
from tests.container.machine import Machine
from tests.container.product import DAEMON, SAMPLE_OPTIONS, changed, golden, product

UNIT = "nix-trinity-options.service"
NEW = "services.carillon.enable"
LIST = "/etc/nix-trinity-test/after-the-switch.json"
IDLE_SECONDS = 2


def with_one_more() -> str:
    options = json.loads(SAMPLE_OPTIONS)
    like = options["services.openssh.enable"]
    options[NEW] = {**like, "loc": NEW.split("."), "description": "Rings the carillon in the tower every hour."}
    return json.dumps(options)


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory: pytest.TempPathFactory) -> tuple[Golden, Golden]:
    daemon = {"idle_timeout_seconds": IDLE_SECONDS}
    folder = tmp_path_factory.mktemp("before")
    before = changed(golden("container"), folder, {"daemon": daemon})
    other_folder = tmp_path_factory.mktemp("after")
    return before, changed(golden("container"), other_folder, {"daemon": daemon, "corpus": {"options": LIST}})


@pytest.fixture(scope="module")
def mark(machine: Machine) -> str:
    return machine.journal_mark()


@pytest.fixture(scope="module")
def switched(machine: Machine, mark: str, before_and_after: tuple[Golden, Golden]) -> Iterator[Machine]:
    with product(machine, before_and_after[0]):
        yield machine


def indexed(machine: Machine) -> int:
    corpus = json.loads(machine.succeed("nix-trinity status --json"))["corpus"]
    return int(corpus["options"]) if corpus and corpus["state"] == "ready" else 0


def test_at_boot_it_runs_once_and_the_daemon_leaves_when_it_is_idle(switched: Machine, mark: str) -> None:
    assert switched.show(UNIT, "ActiveState") == "active"
    assert switched.show(UNIT, "ExecMainStatus") == "0"
    switched.wait_until(lambda: "idle for" in switched.journal(DAEMON, since=mark), seconds=10 + IDLE_SECONDS)
    switched.wait_until(lambda: switched.show(DAEMON, "ActiveState") == "inactive")
    assert switched.journal(UNIT, since=mark).count(f"Starting {UNIT}") == 1


@pytest.mark.parametrize("daemon_is", ["gone", "running"])
def test_a_switch_brings_the_new_options_before_anybody_asks(
    switched: Machine, before_and_after: tuple[Golden, Golden], daemon_is: str
) -> None:
    before, after = before_and_after
    install(switched, before)
    switched.succeed(["systemctl", "restart", DAEMON])
    switched.wait_until(lambda: indexed(switched) > 0)
    known = indexed(switched)
    assert NEW not in switched.succeed(["nix-trinity", "options", NEW])
    if daemon_is == "gone":
        switched.succeed(["systemctl", "stop", DAEMON])
    install(switched, after, {LIST: with_one_more()})
    # As a switch does: those of the changed units that are running.
    switched.succeed(["systemctl", "try-restart", DAEMON, UNIT])
    # Nobody has asked yet: the unit did. It may be answered before systemd has taken down that the daemon is ready.
    switched.wait_until(lambda: switched.show(DAEMON, "ActiveState") == "active", seconds=IDLE_SECONDS)
    switched.wait_until(lambda: indexed(switched) == known + 1)
    assert NEW in switched.succeed(["nix-trinity", "options", "ring", "the", "carillon", "in", "the", "tower"])
