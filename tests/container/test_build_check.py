"""What the build of a system runs on the daemon's configuration, with this systemd and this daemon.

tests/nix/test_build_check.py shows that every configuration's build runs this script; here it runs as nobody, who is what
builds run as.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container.machine import Done, Machine
from tests.stack.environment import CHECKOUT

SCRIPT = CHECKOUT / "nix/module/check-config.sh"
FOLDER = "/srv/build-check"
# A build has no home and nothing of the caller's environment. With structured attributes a list is an array, and what
# is to be made stands in the array "outputs".
AS_A_BUILD = """\
exec env -i HOME=/homeless-shelter PATH=/usr/local/bin:/usr/bin bash -euo pipefail -c '
declare -A outputs=([out]={folder}/out)
config={folder}/config.toml
calendars=("$@")
. {folder}/check-config.sh' build "$@"
"""
WEEKLY = "timers.weekly.onCalendar=Fri 18:00"


@pytest.fixture
def builder(machine: Machine) -> Iterator[Machine]:
    machine.succeed(["install", "--directory", "--owner=nobody", FOLDER])
    machine.write(f"{FOLDER}/check-config.sh", SCRIPT.read_text(encoding="utf-8"))
    machine.write(f"{FOLDER}/build.sh", AS_A_BUILD.format(folder=FOLDER))
    try:
        yield machine
    finally:
        machine.succeed(["rm", "-r", FOLDER])


def build(machine: Machine, config: str, *calendars: str) -> Done:
    machine.write(f"{FOLDER}/config.toml", config)
    return machine.run(["bash", f"{FOLDER}/build.sh", *calendars], user="nobody")


def test_what_is_right_is_copied(builder: Machine) -> None:
    config = '[models]\ntier = "tiny"\n'
    done = build(builder, config, WEEKLY, "timers.monthly.onCalendar=*-*-01 19:00")
    assert done.code == 0, done.output
    assert builder.read(f"{FOLDER}/out") == config


def test_without_timers_there_is_no_calendar_to_check(builder: Machine) -> None:
    assert build(builder, "").code == 0


REFUSED = {
    "a calendar": (
        "",
        "timers.weekly.onCalendar=every Friday",
        ["services.nixTrinity.timers.weekly.onCalendar", '"Fri 18:00"'],
    ),
    "a Modelfile": (
        f'[models.roles.coder]\nmodelfile = "{FOLDER}/bad.Modelfile"\n',
        WEEKLY,
        ["services.nixTrinity.roles.coder.modelfile", "FORM"],
    ),
    "an unknown key": (
        "[answring]\nmax_running = 1\n",
        WEEKLY,
        ["services.nixTrinity.settings.answring", "'answering'"],
    ),
    "an adapter for two bases": (
        '[models]\ntier = "recommended"\n[learning.adapters]\nexpert = "/a.gguf"\ncoder = "/a.gguf"\n',
        WEEKLY,
        ["services.nixTrinity.roles.expert.adapter", "services.nixTrinity.roles.coder.adapter", "Take it out"],
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_wrong_stops_the_build_with_the_option_and_the_fix(builder: Machine, what: str) -> None:
    config, calendar, said = REFUSED[what]
    builder.write(f"{FOLDER}/bad.Modelfile", "FORM mistral:7b\n")
    done = build(builder, config, calendar)
    assert done.code == 1, done.output
    for words in said:
        assert words in done.stderr
    assert builder.run(["test", "-e", f"{FOLDER}/out"]).code == 1


def test_all_that_is_wrong_is_said_at_once(builder: Machine) -> None:
    done = build(builder, "[answring]\n", "timers.weekly.onCalendar=x", "timers.prune.onCalendar=y")
    for option in ("timers.weekly.onCalendar", "timers.prune.onCalendar", "settings.answring"):
        assert f"services.nixTrinity.{option}" in done.stderr
