"""The port that programs may use which cannot talk to a Unix socket: held by systemd, behind a token (c29)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.install import install
from tests.container.machine import Done, Machine
from tests.container.product import DAEMON, TOKEN, TOKEN_FILE, USER, changed, golden, person, product

SOCKET_UNIT = "nix-trinity-http.socket"
PORT = 11480
CANNOT_CONNECT = 7  # curl's
URL = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def served(machine: Machine) -> Iterator[Machine]:
    with product(machine, golden("everything-on")), person(machine, "sam", "users"):
        yield machine


def get(machine: Machine, path: str, *arguments: str, user: str = "sam") -> Done:
    """Ask as a program of somebody's who may not use the socket; the status comes after the body."""
    command = ["curl", "--silent", "--max-time", "20", "--write-out", "\n%{http_code}", *arguments, f"{URL}{path}"]
    return machine.run(command, user=user)


def listening(machine: Machine) -> list[str]:
    """What systemd and the daemon listen on; an Ollama that other tests have in the machine is not ours."""
    shown = machine.succeed(["ss", "--no-header", "--listening", "--tcp", "--numeric", "--processes"])
    return [line.split()[3] for line in shown.splitlines() if '"ollama"' not in line]


def test_a_connection_starts_the_daemon_and_without_the_token_that_is_all(served: Machine) -> None:
    # As when it is idle: by itself, and not stopped by anybody.
    served.succeed(["systemctl", "kill", "--kill-whom=main", DAEMON])
    served.wait_until(lambda: served.show(DAEMON, "ActiveState") == "inactive")
    for arguments in ([], ["--header", "Authorization: Bearer " + TOKEN[:-1] + "x"]):
        body, _, code = get(served, "/v1/status", *arguments).stdout.rpartition("\n")
        assert code == "401"
        assert json.loads(body)["error"]["code"] == "unauthorized"
        assert "httpTokenFile" in body
    assert served.show(DAEMON, "ActiveState") == "active"


def test_with_the_token_it_answers_and_sees_no_persons_exchanges(served: Machine) -> None:
    bearer = ("--header", f"Authorization: Bearer {TOKEN}")
    served.run(["nix-trinity", "ask", "how do I enable the ssh server"], user="alice")
    body, _, code = get(served, "/v1/status", *bearer).stdout.rpartition("\n")
    assert (code, json.loads(body)["activated"]) == ("200", True)
    body, _, code = get(served, "/v1/history", *bearer).stdout.rpartition("\n")
    assert (code, json.loads(body)["exchanges"]) == ("200", [])
    _, _, code = get(served, "/v1/stats", *bearer).stdout.rpartition("\n")
    assert code == "403"


def test_only_loopback_listens(served: Machine) -> None:
    assert listening(served) == [f"127.0.0.1:{PORT}"]
    # An address of this machine's own that is not loopback: nothing leaves it, whatever the outcome.
    served.succeed("ip address add 192.0.2.1/32 dev lo")
    try:
        assert served.run(f"curl --silent --max-time 3 http://192.0.2.1:{PORT}/v1/status").code == CANNOT_CONNECT
    finally:
        served.succeed("ip address delete 192.0.2.1/32 dev lo")


def test_the_tokens_file_stays_roots_and_the_daemon_has_its_copy(served: Machine) -> None:
    assert served.succeed(["stat", "--format=%a %U", TOKEN_FILE]).strip() == "600 root"
    served.fail(["cat", TOKEN_FILE], user=USER)
    served.succeed("nix-trinity status", user="alice")
    credential = f"/run/credentials/{DAEMON}/http-token"
    assert served.succeed(["cat", f"/proc/{served.show(DAEMON, 'MainPID')}/root{credential}"]).strip() == TOKEN
    served.fail(["cat", credential], user="sam")
    # Neither where anybody on the machine can look, nor in what the daemon writes.
    assert TOKEN not in served.succeed(["systemctl", "show", DAEMON])
    assert TOKEN not in served.journal(DAEMON)


def test_a_switch_that_adds_the_port_while_the_daemon_runs_brings_it(served: Machine) -> None:
    """systemd adds no socket to a service that runs, so that the restart has to begin with the socket."""
    served.succeed(["systemctl", "stop", SOCKET_UNIT, DAEMON])
    # As before the switch: the daemon runs, and nobody holds the port.
    served.succeed(["systemctl", "start", "--job-mode=ignore-dependencies", DAEMON])
    assert served.show(SOCKET_UNIT, "ActiveState") == "inactive"
    assert get(served, "/v1/status").code == CANNOT_CONNECT
    served.succeed("nix-trinity status", user="alice")
    # A switch restarts what has changed and then starts what is new.
    served.succeed(["systemctl", "restart", DAEMON])
    served.succeed(["systemctl", "start", SOCKET_UNIT])
    _, _, code = get(served, "/v1/status", "--header", f"Authorization: Bearer {TOKEN}").stdout.rpartition("\n")
    assert code == "200"


def test_a_switch_to_another_port_opens_that_one_alone(served: Machine, tmp_path: Path) -> None:
    """NixOS leaves a changed socket as it is, so that the restart of the daemon has to bring it."""
    served.succeed("nix-trinity status", user="alice")
    other = changed(golden("everything-on"), tmp_path, {"http": {"port": PORT + 1}})
    unit = other.folder / "units" / SOCKET_UNIT
    unit.write_text(unit.read_text(encoding="utf-8").replace(str(PORT), str(PORT + 1)), encoding="utf-8")
    install(served, other)
    served.succeed(["systemctl", "restart", DAEMON])
    assert listening(served) == [f"127.0.0.1:{PORT + 1}"]
    served.succeed(f"curl --silent --fail --oauth2-bearer {TOKEN} http://127.0.0.1:{PORT + 1}/v1/status")
