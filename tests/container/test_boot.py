"""The machine is what the other tests here take it for: a real systemd, a network of its own, and all programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container import ollama_service
from tests.container.machine import Machine
from tests.stack import chat_model, rootfs
from tests.stack.container import Container
from tests.stack.environment import CHECKOUT
from tests.stack.errors import StackError
from tests.stack.waiting import eventually


def traces(folder: Path) -> list[str]:
    """What of a container is there on this machine: its folder, its control groups, its mounts."""
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    found = [*folder.parent.glob(folder.name), *Path("/sys/fs/cgroup").glob(f"**/{folder.name}")]
    return [*map(str, found), *(line for line in mounts if folder.name in line)]


def test_systemd_is_the_first_process_and_everything_is_up(machine: Machine) -> None:
    assert machine.read("/proc/1/comm").strip() == "systemd"
    assert machine.succeed("systemctl is-system-running").strip() == "running"
    assert machine.succeed("systemctl --failed --no-legend").strip() == ""


def test_the_bus_answers_and_starts_polkit(machine: Machine) -> None:
    call = ["busctl", "call", "--json=short", "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority"]
    actions = machine.succeed([*call, "org.freedesktop.PolicyKit1.Authority", "EnumerateActions", "s", "C"])
    assert "org.freedesktop.systemd1.manage-units" in actions
    assert machine.show("polkit.service", "ActiveState") == "active"


def test_the_network_is_loopback_alone_and_it_is_up(machine: Machine) -> None:
    addresses = machine.succeed("ip -oneline -brief address").splitlines()
    assert len(addresses) == 1
    assert re.match(r"lo\s+\S+\s+127\.0\.0\.1/8\b", addresses[0])
    assert machine.succeed("ip route show").strip() == ""


def test_systemd_limits_addresses_with_programs_in_the_kernel(machine: Machine) -> None:
    # An address that is this machine's own and not loopback: nothing leaves it, whatever the outcome.
    machine.succeed("ip address add 192.0.2.1/32 dev lo")
    try:
        allow_local = ["--property=IPAddressDeny=any", "--property=IPAddressAllow=localhost"]
        send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{}', 9))"
        limited = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *allow_local, "python3", "-c"]
        machine.succeed(["python3", "-c", send.format("192.0.2.1")])
        machine.succeed([*limited, send.format("127.0.0.1")])
        assert "PermissionError" in machine.fail([*limited, send.format("192.0.2.1")]).output
    finally:
        machine.succeed("ip address delete 192.0.2.1/32 dev lo")


def test_the_projects_programs_are_there_from_the_wheel(machine: Machine) -> None:
    assert set(machine.project.programs) == {"nix-trinityd", "nix-trinity", "ask-nix-guru"}
    assert machine.succeed("nix-trinityd --version").startswith("nix-trinityd ")
    nowhere = "NIX_TRINITY_SOCKET=/run/nowhere"
    assert machine.run(f"{nowhere} nix-trinity status").code == 3
    assert machine.run(["env", nowhere, str(machine.project.package / "bin" / "ask-nix-guru"), "hello"]).code == 3
    machine.succeed(f"test -f {machine.project.library}/nix_trinity/modelfiles/catalogue.toml")


def test_every_module_and_library_is_found_by_the_machines_python(machine: Machine) -> None:
    program = machine.read(str(machine.project.package / "bin" / "nix-trinityd"))
    paths = next(line for line in program.splitlines() if line.startswith("sys.path"))
    walk = f"""\
import importlib, pkgutil, sys
{paths}
import matplotlib.figure
import nix_trinity
for module in pkgutil.walk_packages(nix_trinity.__path__, "nix_trinity."):
    importlib.import_module(module.name)
assert "nix_trinity.daemon" in sys.modules
"""
    machine.succeed(["python3", "-sEP", "-"], input=walk)


def test_ollama_inside_answers_with_the_real_model(ollama_inside: Machine) -> None:
    request = {"model": chat_model.NAME, "messages": [{"role": "user", "content": "Name one colour."}], "stream": False}
    answer = ollama_service.ask(ollama_inside, "/api/chat", {**request, "options": {"num_predict": 12}})
    assert answer["message"]["content"].strip()
    assert ollama_inside.show("ollama.service", "DynamicUser") == "yes"
    server = ollama_inside.show("ollama.service", "MainPID")
    assert ollama_inside.succeed(["ps", "-o", "user=", "-p", server]).strip() == "ollama"
    ollama_inside.succeed("test -d /var/lib/private/ollama/models/blobs")


def test_a_command_has_the_rights_and_groups_of_its_user(machine: Machine) -> None:
    assert machine.succeed("id --user --name", user="nobody").strip() == "nobody"
    assert machine.fail("touch /etc/x", user="nobody").code == 1
    assert machine.succeed(["cat"], input="ä\n", user="nobody") == "ä\n"


def test_a_command_that_takes_too_long_is_ended_inside_too(machine: Machine) -> None:
    with pytest.raises(StackError, match="given up"):
        machine.run("exec -a forgotten sleep 1000", timeout=0.5)
    assert machine.run("pgrep --full ^forgotten").code == 1


def test_a_command_in_the_background_can_be_read_as_it_goes(machine: Machine) -> None:
    with machine.spawn("echo one; read -r word; echo $word", user="nobody") as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "one\n"
        assert command.communicate("two\n") == ("two\n", "")
    assert command.returncode == 0


def test_what_fails_says_so_with_what_it_wrote(machine: Machine) -> None:
    with pytest.raises(StackError, match=r"exit code 3\n    went wrong"):
        machine.succeed("echo went wrong >&2; exit 3")
    with pytest.raises(StackError, match="should not have"):
        machine.fail("true")


def test_a_written_file_is_a_new_one_even_where_a_link_was(machine: Machine) -> None:
    machine.succeed("mkdir -p /srv/written && echo theirs > /srv/target && ln -sfn /srv/target /srv/written/link")
    machine.write("/srv/written/link", "ours\n", 0o600)
    assert machine.read("/srv/written/link") == "ours\n"
    assert machine.read("/srv/target") == "theirs\n"
    assert machine.succeed("stat --format=%a /srv/written/link").strip() == "600"


def test_the_journal_of_a_unit_from_a_mark_on(machine: Machine) -> None:
    machine.succeed("systemd-run --quiet --wait --unit=marked-one echo before")
    mark = machine.journal_mark()
    machine.succeed("systemd-run --quiet --wait --unit=marked-one echo after")
    assert "before\n" in machine.journal("marked-one.service")
    later = machine.journal("marked-one.service", since=mark)
    assert "after\n" in later
    assert "before\n" not in later


def test_two_machines_at_once_a_reboot_and_no_trace_of_either(container: Container, machine: Machine) -> None:
    with Machine(container) as second:
        second.write("/var/lib/kept", "kept")
        second.write("/run/lost", "lost")
        first_boot = second.leader
        second.reboot()
        assert second.leader != first_boot
        assert second.read("/var/lib/kept") == "kept"
        assert second.run("test -e /run/lost").code == 1
        assert machine.run("test -e /var/lib/kept").code == 1
        assert traces(second.folder)
    assert traces(second.folder) == []
    assert machine.succeed("systemctl is-system-running").strip() == "running"


def test_a_machine_that_does_not_come_up_says_why_and_leaves_no_trace(container: Container) -> None:
    machine = Machine(container, {Path("/nowhere/at-all"): "/srv/x"})
    with pytest.raises(StackError, match=r"(?s)ended while it booted.*/nowhere/at-all.*No such file"):
        machine.start()
    assert traces(machine.folder) == []


def test_nothing_is_left_when_the_tests_are_killed(container: Container) -> None:
    script = (
        "import time\n"
        "from tests.container.machine import Machine\n"
        "from tests.stack import container\n"
        "machine = Machine(container.obtain())\n"
        "machine.start()\n"
        "print(machine.leader, machine.folder, flush=True)\n"
        "time.sleep(1000)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        leader, folder = tests.stdout.readline().split()
        assert Path(f"/proc/{leader}").exists()
        assert traces(Path(folder))
        tests.kill()
    eventually(lambda: traces(Path(folder)) == [] and not Path(f"/proc/{leader}").exists(), seconds=20)


def test_a_damaged_tar_is_not_booted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, kept = tmp_path / "made", tmp_path / "kept" / "root.tar"
    made.write_bytes(b"a root file system")
    rootfs.seal(made, kept)
    assert rootfs.sealed(kept)
    kept.write_bytes(b"a root file sYstem")
    assert not rootfs.sealed(kept)
    assert "damaged" in capsys.readouterr().err
