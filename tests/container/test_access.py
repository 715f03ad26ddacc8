"""Who may ask, and who sees what. The users' group here is one that people have to be put into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.container.install import install
from tests.container.machine import Machine
from tests.container.product import DAEMON, SOCKET, STATE, USER, changed, golden, person, product
from tests.stack.environment import CHECKOUT

HOW_TO = CHECKOUT / "docs/how-to/several-users.md"
ANSWERED_BY_SEARCH = 6
NOT_ALLOWED = 4


@pytest.fixture(scope="module")
def people(machine: Machine) -> Iterator[Machine]:
    """The product, for alice (an operator, by the configuration), mia and max (who may ask), and sam (who may not)."""
    with product(machine, golden("everything-on")), ExitStack() as stack:
        for name in ("mia", "max"):
            stack.enter_context(person(machine, name, "users", USER))
        stack.enter_context(person(machine, "sam", "users"))
        for name, question in (("mia", "how do I enable the ssh server"), ("max", "how do I set the time zone")):
            assert machine.run(["nix-trinity", "ask", question], user=name).code == ANSWERED_BY_SEARCH
        yield machine


def questions_seen_by(machine: Machine, user: str) -> dict[str, str]:
    shown = json.loads(machine.succeed(["nix-trinity", "history", "--json"], user=user))
    return {exchange["question"]: exchange["id"] for exchange in shown["exchanges"]}


def test_who_is_in_no_group_is_told_which_one_to_join(people: Machine) -> None:
    for command in (["status"], ["ask", "how do I enable the ssh server"], ["history"]):
        refused = people.run(["nix-trinity", *command], user="sam")
        assert (refused.code, refused.stdout) == (NOT_ALLOWED, "")
        assert f"You may not use {SOCKET}." in refused.stderr
        assert f'users.users.<you>.extraGroups = [ "{USER}" ]' in refused.stderr
    assert f"*You may not use {SOCKET}.*" in HOW_TO.read_text(encoding="utf-8")


def test_a_member_sees_their_own_exchanges_and_an_operator_everybodys(people: Machine) -> None:
    mias, maxs = questions_seen_by(people, "mia"), questions_seen_by(people, "max")
    assert set(mias) == {"how do I enable the ssh server"}
    assert set(maxs) == {"how do I set the time zone"}
    assert questions_seen_by(people, "alice") == {**mias, **maxs}
    of_max = maxs["how do I set the time zone"]
    shown = people.fail(["nix-trinity", "show", of_max], user="mia")
    assert "time zone" not in shown.output
    people.fail(["nix-trinity", "forget", of_max], user="mia")
    assert "time zone" in people.succeed(["nix-trinity", "show", of_max], user="alice")


@pytest.mark.parametrize("command", [["backup", "copy.db"], ["build"], ["prune"], ["review"], ["report"], ["stats"]])
def test_what_is_an_operators_is_refused_to_a_member(people: Machine, command: list[str]) -> None:
    refused = people.run(["sh", "-c", 'cd && exec "$@"', "sh", "nix-trinity", *command], user="mia")
    assert refused.code == NOT_ALLOWED, refused.output
    assert "services.nixTrinity.operators" in refused.stderr
    assert people.run("test -e /home/mia/copy.db").code == 1


def test_the_socket_is_for_the_group_alone(people: Machine) -> None:
    shown = people.succeed(["stat", "--format=%F %a %U:%G", SOCKET]).strip()
    assert shown == f"socket 660 {USER}:{USER}"
    assert people.succeed(["stat", "--format=%a %U", "/run/nix-trinity"]).strip() == "755 root"


def test_nobody_reads_what_is_kept_but_the_daemon(people: Machine) -> None:
    assert people.succeed(["stat", "--format=%a %U:%G", STATE]).strip() == f"700 {USER}:{USER}"
    people.succeed(["test", "-s", f"{STATE}/knowledge.db"])
    # Also not who is in the group of the daemon's own user, which members of it are here.
    for user in ("mia", "alice", "sam"):
        people.fail(["head", "--bytes=1", f"{STATE}/knowledge.db"], user=user)
        people.fail(["ls", STATE], user=user)
    assert people.succeed(["find", STATE, "-type", "f", "-perm", "/077"]) == ""


def test_a_switch_to_another_group_lets_that_one_in(people: Machine, tmp_path: Path) -> None:
    """NixOS leaves a changed socket as it is, open or closed to whom it was before."""
    for_all = changed(golden("everything-on"), tmp_path, {"access": {"users_group": "users"}})
    unit = for_all.folder / "units/nix-trinity.socket"
    text = unit.read_text(encoding="utf-8")
    unit.write_text(text.replace(f"SocketGroup={USER}", "SocketGroup=users"), encoding="utf-8")
    tmpfiles = for_all.folder / "tmpfiles.conf"
    text = tmpfiles.read_text(encoding="utf-8")
    tmpfiles.write_text(text.replace(f"{SOCKET} 0660 {USER} {USER}", f"{SOCKET} 0660 {USER} users"), encoding="utf-8")
    inode = people.succeed(["stat", "--format=%i", SOCKET])
    install(people, for_all)
    people.succeed(["systemctl", "restart", DAEMON])
    people.succeed("nix-trinity status", user="sam")
    assert people.succeed(["stat", "--format=%i", SOCKET]) == inode
