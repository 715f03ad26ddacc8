"""What the units can do, tried from inside them, and where they leave anything (c12, c25)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container import probe
from tests.container.machine import Machine
from tests.container.product import DAEMON, NO_ENGINE, STATE, changed, golden, person, product

JOB = "nix-trinity-options.service"
UNITS = (DAEMON, JOB)
PROBE = "/srv/probe/probe.py"
EVERYBODYS = ("/srv/probe/everybodys", "/run/everybodys")
# This machine's own, and not loopback: nothing leaves it, whatever the outcome.
LOOPBACK, ELSEWHERE = "127.0.0.1", "192.0.2.1"
ANSWERED_BY_SEARCH = 6
OF_ITS_OWN = ["/tmp", "/var/tmp"]
# What systemd, the journal and the accounts' tools write while anything runs.
NOT_OURS = ("/var/log/journal", "/var/lib/systemd", "/var/cache/private", "/home/mia", "/srv", "/etc", "/var/log/wtmp")


@pytest.fixture(scope="module")
def sandboxed(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    configuration = changed(golden("container"), tmp_path_factory.mktemp("golden"), NO_ENGINE)
    # Where everybody may write, the daemon's user may too, were it not for the sandbox.
    for place in EVERYBODYS:
        machine.succeed(["install", "--directory", "--mode=0777", place])
    machine.write(PROBE, Path(probe.__file__).read_text(encoding="utf-8"))
    look = f"[Service]\nExecStartPre=/usr/bin/python3 {PROBE} {LOOPBACK} {ELSEWHERE}\n"
    machine.succeed(f"ip address add {ELSEWHERE}/32 dev lo")
    try:
        with product(machine, configuration, drop_ins=dict.fromkeys(UNITS, look)):
            yield machine
    finally:
        machine.succeed(f"ip address delete {ELSEWHERE}/32 dev lo")
        machine.succeed(["rm", "-r", *EVERYBODYS, str(Path(PROBE).parent)])


@pytest.fixture(scope="module")
def seen(sandboxed: Machine) -> dict[str, dict[str, Any]]:
    found = {}
    for unit in UNITS:
        lines = [line for line in sandboxed.journal(unit).splitlines() if line.startswith("PROBE ")]
        found[unit] = json.loads(lines[-1].removeprefix("PROBE "))
    return found


def test_the_daemon_can_write_to_its_state_alone(seen: dict[str, dict[str, Any]]) -> None:
    assert seen[DAEMON]["writable"] == sorted([*OF_ITS_OWN, STATE])


def test_a_job_can_write_to_nothing(seen: dict[str, dict[str, Any]]) -> None:
    assert seen[JOB]["writable"] == OF_ITS_OWN


def test_the_tmp_of_a_unit_is_not_the_machines(sandboxed: Machine, seen: dict[str, dict[str, Any]]) -> None:
    assert seen[DAEMON]["run"]["/tmp"]
    sandboxed.succeed(f"test -f {STATE}/{probe.MARK}")
    assert sandboxed.succeed(f"find /tmp /var/tmp -name {probe.MARK}") == ""


def test_what_a_unit_writes_it_cannot_run(seen: dict[str, dict[str, Any]]) -> None:
    for unit in UNITS:
        assert set(seen[unit]["run"].values()) == {"EACCES"}, unit


def test_nothing_but_loopback_can_be_reached(seen: dict[str, dict[str, Any]]) -> None:
    assert seen[DAEMON]["send"] == {LOOPBACK: "done", ELSEWHERE: "EPERM"}
    assert set(seen[JOB]["send"].values()) == {"EAFNOSUPPORT"}


@pytest.mark.parametrize("unit", UNITS)
def test_people_and_the_rest_of_the_machine_are_out_of_sight(seen: dict[str, dict[str, Any]], unit: str) -> None:
    assert seen[unit]["home"] == seen[unit]["root's home"] == "EACCES"
    assert seen[unit]["other processes"] is False
    assert seen[unit]["a new namespace"] == "EPERM"
    assert seen[unit]["raw packets"] == "EAFNOSUPPORT"


def test_what_the_daemon_needs_of_the_machine_it_sees(sandboxed: Machine, seen: dict[str, dict[str, Any]]) -> None:
    daemon = seen[DAEMON]
    assert daemon["memory"] == daemon["system bus"] == "done"
    # A kernel may have been built or started without it; it is not for the sandbox to take it away.
    assert daemon["pressure"] == ("done" if Path("/proc/pressure/memory").exists() else "ENOENT")
    shown: dict[str, Any] = {}

    def timers_are_read() -> bool:
        shown.update(json.loads(sandboxed.succeed("nix-trinity status --json")))
        return set((shown["learning"] or {}).get("next", ())) == {"weekly", "monthly", "prune"}

    sandboxed.wait_until(timers_are_read)
    total = int(sandboxed.succeed("awk '/^MemTotal/ { print $2 }' /proc/meminfo"))
    assert shown["ram_gib"] == pytest.approx(total / 1024**2)


def test_the_running_daemon_has_no_capability_and_gets_none(sandboxed: Machine) -> None:
    sandboxed.succeed("nix-trinity status")
    lines = sandboxed.read(f"/proc/{sandboxed.show(DAEMON, 'MainPID')}/status").splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_a_crash_leaves_no_dump_with_what_people_asked(sandboxed: Machine) -> None:
    sandboxed.succeed("nix-trinity status")
    limits = sandboxed.read(f"/proc/{sandboxed.show(DAEMON, 'MainPID')}/limits").splitlines()
    assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]


def test_nix_has_the_last_word_on_syntax_in_the_sandbox_too(sandboxed: Machine) -> None:
    # Of two arguments with one name the daemon's own parser knows nothing.
    asked = sandboxed.run(["nix-trinity", "ask", "how do I set the time zone"])
    assert asked.code == ANSWERED_BY_SEARCH, asked.output
    code = '```nix\n{ pkgs, pkgs, ... }: { time.timeZone = "Europe/Berlin"; }\n```\n'
    corrected = sandboxed.run(["nix-trinity", "correct", "--text", code])
    assert "duplicate formal function argument" in corrected.output


def test_nothing_is_left_outside_the_state_folder(sandboxed: Machine) -> None:
    with person(sandboxed, "mia", "users", "wheel") as operator:
        sandboxed.succeed(["systemctl", "stop", DAEMON])
        sandboxed.succeed("touch --date='1 second ago' /srv/before")
        asked = sandboxed.run(["nix-trinity", "ask", "how do I enable the ssh server"], user=operator)
        assert asked.code == ANSWERED_BY_SEARCH, asked.output
        sandboxed.succeed("cd && nix-trinity backup copy.db && nix-trinity report", user=operator)
        plots = sandboxed.succeed(f"find {STATE}/reports -name '*.svg'").split()
        assert plots, "the library that draws, which wants a home and a cache, was in use"
        assert sandboxed.succeed(f"find {STATE}/cache -type f"), "and found a cache that outlives the daemon"
        places = "/ /tmp /var/tmp /dev/shm /run/lock"
        found = sandboxed.succeed(f"find {places} -xdev -newer /srv/before ! -type d -printf '%p\\n'").splitlines()
        outside = [path for path in found if not path.startswith((STATE, *NOT_OURS))]
        assert outside == []
        assert any(path.startswith(STATE) for path in found)
        assert sandboxed.succeed(f"find / -xdev -user nix-trinity ! -path '{STATE}*' ! -path '/run/*'") == ""


def test_a_state_folder_from_a_machine_with_other_numbers_is_taken_over(sandboxed: Machine) -> None:
    sandboxed.succeed(["systemctl", "stop", DAEMON])
    sandboxed.succeed(["chown", "--recursive", "4242:4242", STATE])
    asked = sandboxed.run(["nix-trinity", "ask", "how do I set the time zone"])
    assert asked.code == ANSWERED_BY_SEARCH
    assert "not being kept" not in asked.stderr
    assert sandboxed.succeed(f"find {STATE} ! -user nix-trinity") == ""


def test_with_a_state_folder_that_cannot_be_written_it_answers_and_says_that_nothing_is_kept(
    sandboxed: Machine,
) -> None:
    drop_in = f"/run/systemd/system/{DAEMON}.d/read-only.conf"
    sandboxed.write(drop_in, f"[Service]\nReadOnlyPaths={STATE}\n")
    try:
        sandboxed.succeed(f"systemctl daemon-reload && systemctl restart {DAEMON}")
        asked = sandboxed.run(["nix-trinity", "ask", "how do I set the time zone"])
        assert asked.code == ANSWERED_BY_SEARCH
        assert "time.timeZone" in asked.stdout
        assert "This exchange is not being kept" in asked.stderr
        assert "unavailable" in sandboxed.succeed("nix-trinity status | grep ^logging")
    finally:
        sandboxed.succeed(f"rm {drop_in} && systemctl daemon-reload && systemctl stop {DAEMON}")
