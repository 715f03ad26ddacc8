"""What a person notices of a daemon that comes when it is asked, leaves when it is not, and is restarted meanwhile.

The letter and number in a test's docstring is the row of the list of faults that users of such systems met.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.container import ollama_service
from tests.container.machine import Machine
from tests.container.product import DAEMON, SOCKET
from tests.container.scenarios import configure, installed, scenario

RESTARTS = 20
# Says a line for each time that it was answered, and the exit code for each time that it was not.
ASKING = "until [ -e /run/enough ]; do nix-trinity status > /dev/null && echo fine || echo refused: $?; done"


@pytest.fixture(scope="module")
def service(ollama_inside: Machine) -> Iterator[Machine]:
    with installed(ollama_inside) as machine:
        yield machine


def ask(machine: Machine, *words: str, code: int = 0) -> dict[str, Any]:
    done = machine.run(["ask-nix-guru", "--json", "--role", "quick", *words], user="alice", timeout=120)
    assert done.code == code, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_question_starts_it_and_each_sees_their_own(service: Machine) -> None:
    scenario(service, "query")


def test_it_is_stopped_in_the_middle_of_an_answer(service: Machine) -> None:
    configure(service, {"daemon": {"shutdown_grace_seconds": 1}, "answering": {"answer_tokens": 1000}})
    question = "exec ask-nix-guru --role empathy tell me a long story about a shell < /dev/null"
    mark = service.journal_mark()
    with service.spawn(question, user="alice", timeout=120) as client:
        assert client.stdout is not None
        begun = client.stdout.read(1)
        assert begun, "the answer begins"
        service.succeed(["systemctl", "stop", DAEMON])
        _, said = client.communicate(timeout=30)
    assert client.returncode == 1
    assert "error: The daemon was stopped before the answer was whole." in said
    assert "Ask again" in said
    assert service.show(DAEMON, "Result") == "success"
    assert "Traceback" not in service.journal(DAEMON, since=mark)
    configure(service, {"daemon": {"shutdown_grace_seconds": 30}, "answering": {"answer_tokens": 48}})
    row = json.loads(service.succeed(["nix-trinity", "show", "--json"], user="alice"))["exchange"]
    assert row["question"].startswith("tell me a long story")
    assert (row["outcome"], row["error_code"]) == ("cancelled", "shutting_down")
    assert ask(service, "how", "do", "I", "enable", "the", "SSH", "server")["outcome"] == "answered"


def test_a_boot_before_ollama_is_there_heals_by_itself(service: Machine) -> None:
    """c10: answers from the search until then, and from the model without a restart."""
    configure(service, {"daemon": {"idle_timeout_seconds": 120}})
    service.succeed("systemctl disable --quiet ollama.service")
    try:
        service.reboot()
        assert service.show("ollama.service", "ActiveState") == "inactive"
        answer = ask(service, "how", "do", "I", "enable", "the", "SSH", "server", code=6)
        assert answer["degraded"] == "engine_unreachable"
        assert "services.openssh.enable" in answer["answer"]
        assert any("Ollama" in notice or "engine" in notice for notice in answer["notices"]), answer["notices"]
        process = service.show(DAEMON, "MainPID")
        service.succeed("systemctl enable --quiet --now ollama.service")
        ollama_service.wait_for(service)
        service.wait_until("nix-trinity status | grep 'quick .*: ready'", seconds=60)
        assert ask(service, "how", "do", "I", "enable", "the", "SSH", "server")["model"] == "nix-quick"
        assert service.show(DAEMON, "MainPID") == process
    finally:
        service.succeed("systemctl enable --quiet --now ollama.service")
        ollama_service.wait_for(service)
        configure(service, {"daemon": {"idle_timeout_seconds": 5}})


def test_nobody_is_refused_while_it_is_restarted(service: Machine) -> None:
    """c22: the path of the socket stays the same one."""
    # So many starts within seconds are a person's only in a test.
    service.write(f"/run/systemd/system/{DAEMON}.d/often.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    service.succeed("systemctl daemon-reload")
    inode = service.succeed(f"stat --format=%i {SOCKET}")
    with service.spawn(ASKING, user="bob", timeout=120) as client:
        for _ in range(RESTARTS):
            service.succeed(["systemctl", "restart", DAEMON])
        service.succeed("touch /run/enough")
        asked, said = client.communicate(timeout=60)
    service.succeed(f"rm -r /run/enough /run/systemd/system/{DAEMON}.d && systemctl daemon-reload")
    assert set(asked.splitlines()) == {"fine"}, said
    assert len(asked.splitlines()) >= RESTARTS
    assert service.succeed(f"stat --format=%i {SOCKET}") == inode
    assert re.fullmatch(r"\d+", inode.strip())
