"""A daemon that hangs (c21) and one that is restarted (c22): whoever asks meanwhile is answered a little later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container.machine import Machine
from tests.container.product import DAEMON, SOCKET, golden, product


@pytest.fixture(scope="module")
def watched(machine: Machine) -> Iterator[Machine]:
    with product(machine, golden("container"), drop_ins={DAEMON: "[Service]\nWatchdogSec=2\n"}):
        yield machine


def test_a_daemon_that_hangs_is_replaced_and_the_question_that_waited_is_answered(watched: Machine) -> None:
    watched.succeed("nix-trinity status")
    hung = watched.show(DAEMON, "MainPID")
    inode = watched.succeed(["stat", "--format=%i", SOCKET])
    mark = watched.journal_mark()
    watched.succeed(["kill", "-STOP", hung])
    # Connected while it hangs: the socket is systemd's, so the next daemon has it.
    status = watched.succeed("nix-trinity status", timeout=30)
    assert f"process {watched.show(DAEMON, 'MainPID')}" in status
    assert watched.show(DAEMON, "MainPID") not in {hung, "0"}
    assert "Watchdog timeout" in watched.journal(DAEMON, since=mark)
    assert watched.show(DAEMON, "NRestarts") == "1"
    assert watched.succeed(["stat", "--format=%i", SOCKET]) == inode


def test_a_daemon_that_is_well_is_left_alone_for_longer_than_the_limit(watched: Machine) -> None:
    watched.succeed("nix-trinity status")
    before = watched.show(DAEMON, "MainPID")
    watched.succeed("sleep 4")
    watched.succeed("nix-trinity status")
    assert watched.show(DAEMON, "MainPID") == before
