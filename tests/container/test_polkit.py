"""What polkit lets the daemon's user do to the machine's units: start the one that builds at once, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.container.machine import Machine
from tests.container.product import DAEMON, NO_ENGINE, USER, changed, golden, person, product

IMMEDIATE = "nix-trinity-immediate.service"
ANSWERED_BY_SEARCH = 6
SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
START = (*SYSTEMD, "StartUnit", "ss", IMMEDIATE, "fail")
# A unit that no file describes, made of whatever the caller likes: systemd asks polkit the same as for StartUnit.
MADE_UP = ("ssa(sv)a(sa(sv))", IMMEDIATE, "fail", "1", "ExecStart", "a(sasb)", "1", "/bin/id", "1", "id", "false", "0")

REFUSED = {
    "stopping it": (*SYSTEMD, "StopUnit", "ss", IMMEDIATE, "fail"),
    "restarting it": (*SYSTEMD, "RestartUnit", "ss", IMMEDIATE, "fail"),
    "reloading it": (*SYSTEMD, "ReloadUnit", "ss", IMMEDIATE, "fail"),
    "reloading or restarting it": (*SYSTEMD, "ReloadOrRestartUnit", "ss", IMMEDIATE, "fail"),
    "killing it": (*SYSTEMD, "KillUnit", "ssi", IMMEDIATE, "all", "9"),
    "changing it": (*SYSTEMD, "SetUnitProperties", "sba(sv)", IMMEDIATE, "true", "1", "CPUWeight", "t", "10"),
    "another one in its name": (*SYSTEMD, "StartTransientUnit", *MADE_UP),
    "another unit of ours": (*SYSTEMD, "StartUnit", "ss", "nix-trinity-weekly.service", "fail"),
    "a unit of the system": (*SYSTEMD, "StartUnit", "ss", "systemd-tmpfiles-clean.service", "fail"),
    "stopping one of the system": (*SYSTEMD, "StopUnit", "ss", "dbus.service", "fail"),
    "reloading all units": (*SYSTEMD, "Reload"),
    "a reboot": (*LOGIND, "Reboot", "b", "false"),
}


@pytest.fixture(scope="module")
def installed(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The product, which builds after a single correction, and two people who may ask; there is no engine."""
    one_is_enough = {"learning": {"corrections_for_build": 1}}
    configuration = changed(golden("container"), tmp_path_factory.mktemp("golden"), {**NO_ENGINE, **one_is_enough})
    with product(machine, configuration), ExitStack() as stack:
        stack.enter_context(person(machine, "mia", "users"))
        stack.enter_context(person(machine, "olga", "users", "wheel"))
        yield machine


def call(*arguments: str) -> list[str]:
    return ["busctl", "--timeout=10", "--allow-interactive-authorization=no", "call", *arguments]


def test_the_daemons_user_may_start_the_build_at_once(installed: Machine) -> None:
    mark = installed.journal_mark()
    installed.succeed(call(*START), user=USER)
    installed.wait_until(lambda: "immediate build" in installed.journal(IMMEDIATE, since=mark))


@pytest.mark.parametrize("what", REFUSED)
def test_the_daemons_user_is_refused(installed: Machine, what: str) -> None:
    refused = installed.fail(call(*REFUSED[what]), user=USER)
    # A call that is wrong in another way shows nothing about who may make it.
    expected = ("nteractive authentication required", "Access denied", "already loaded or has a fragment file")
    assert any(words in refused.output for words in expected), refused.output


@pytest.mark.parametrize("user", ["mia", "olga", "nobody"])
def test_nobody_else_may_start_it(installed: Machine, user: str) -> None:
    assert "nteractive authentication required" in installed.fail(call(*START), user=user).output


def test_the_daemon_itself_starts_it_when_people_have_taught_it_enough(installed: Machine) -> None:
    asked = installed.run(["nix-trinity", "ask", "how do I enable the ssh server"], user="mia")
    assert asked.code == ANSWERED_BY_SEARCH, asked.output
    mark = installed.journal_mark()
    correction = "Write `services.openssh.enable = true;`, and switch."
    installed.succeed(["nix-trinity", "correct", "--text", correction], user="mia")
    # It looks once a minute, and when it starts.
    installed.succeed(["systemctl", "restart", DAEMON])
    installed.wait_until(lambda: "immediate build" in installed.journal(IMMEDIATE, since=mark))
    assert "1 answer was corrected since the last build" in installed.journal(DAEMON, since=mark)
    assert installed.show(IMMEDIATE, "User") == USER
    builds = installed.succeed("nix-trinity builds", user="olga")
    assert "immediate" in builds, builds
