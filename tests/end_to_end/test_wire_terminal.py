"""What reaches whom: a person at a real terminal, a pipe, other people, and the engine with a person's own Modelfile.

The letter and number in a test's docstring is the row of the list of faults that users of such systems met.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stack.daemon_process import BIN, ActivatedDaemon
from tests.stack.fake_ollama import BASE, Call, FakeOllama, answers, refuses
from tests.stack.server import OllamaServer
from tests.stack.terminal import Terminal
from tests.stack.waiting import eventually

# Colours the screen, rings, renames the window, and moves the cursor: what a log that a model quotes may hold.
MISCHIEF = "\x1b[31mred\x1b[0m \x07bell \x1b]0;owned\x07 \x9b2Jcleared \rback"
OBEYED = re.compile(r"\x1b(?!\[2m|\[0m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x7f-\x9f]")
"""What a terminal would act on; dim and plain are the client's own, and line ends are the terminal's."""
ASK = ("ask-nix-guru", "--role", "quick", "what is a flake")


def at_terminal(daemon: ActivatedDaemon, program: str, *words: str) -> Terminal:
    return Terminal([str(BIN / program), *words], daemon.environment)


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def running(engine: FakeOllama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    """Without options, so that nothing is added to what the engine says."""
    with ActivatedDaemon(tmp_path_factory.mktemp("d"), ollama_url=engine.url, model=BASE, options=None) as daemon:
        yield daemon


@pytest.fixture
def daemon(running: ActivatedDaemon, engine: FakeOllama) -> ActivatedDaemon:
    engine.reset()
    return running


def test_at_a_terminal_the_answer_streams_and_what_is_not_the_answer_is_dim(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    gate = threading.Event()

    def in_two_parts(call: Call) -> None:
        call.start()
        call.say("The first part. ")
        call.wait_for(gate)
        call.say("And the rest.")
        call.end()

    engine.chat = in_two_parts
    with at_terminal(daemon, *ASK) as terminal:
        terminal.read_until("The first part.")
        gate.set()
        assert terminal.exit_code() == 0
    text = terminal.screen.replace("\r\n", "\n")
    assert "\nThe first part. And the rest.\n" in f"\n{text}"
    dim = re.findall(r"\x1b\[2m(.*?)\x1b\[0m", text)
    assert any("nix-quick" in line for line in dim)
    assert any(daemon.rows()[0]["id"] in line for line in dim)
    assert set(re.findall(r"\x1b[^m]*m", text)) == {"\x1b[2m", "\x1b[0m"}


def test_in_a_pipe_there_is_the_answer_and_nothing_else(daemon: ActivatedDaemon) -> None:
    done = daemon.client(*ASK)
    assert done.stdout == "A flake is a folder with a lock file.\n"
    assert OBEYED.findall(done.stderr) == []
    assert "\x1b" not in done.stderr


def test_a_terminal_does_not_obey_an_answer(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = answers(*MISCHIEF, "\n\tand so on")
    with at_terminal(daemon, *ASK) as terminal:
        assert terminal.exit_code() == 0
    text = terminal.screen.replace("\r\n", "\n")
    assert OBEYED.findall(text) == []
    assert "\r" not in text
    assert "\ufffd[31mred" in text, "what it was can still be seen"
    assert "\n\tand so on" in text, "line feeds and tabs are harmless"


def test_a_terminal_does_not_obey_an_error(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    engine.chat = refuses(500, f"blob is damaged {MISCHIEF}")
    with at_terminal(daemon, *ASK) as terminal:
        assert terminal.exit_code() == 1
    assert "blob is damaged" in terminal.screen
    assert OBEYED.findall(terminal.screen) == []


@pytest.mark.parametrize("command", [("show",), ("history",)])
def test_a_terminal_does_not_obey_what_was_kept(
    daemon: ActivatedDaemon, engine: FakeOllama, command: tuple[str, ...]
) -> None:
    engine.chat = answers(MISCHIEF)
    assert daemon.ask(f"what is {MISCHIEF}")["outcome"] == "answered"
    with at_terminal(daemon, "nix-trinity", *command) as terminal:
        assert terminal.exit_code() == 0
    assert "what is" in terminal.screen
    assert OBEYED.findall(terminal.screen) == []


@pytest.mark.parametrize("words", [["One. "], []], ids=["halfway", "before the first word"])
def test_ctrl_c_ends_the_question_everywhere(daemon: ActivatedDaemon, engine: FakeOllama, words: list[str]) -> None:
    """c05: exit code 130, the engine stops, the row says so."""

    def slow(call: Call) -> None:
        call.start()
        call.say(*words)
        call.wait()

    engine.chat = slow
    with at_terminal(daemon, *ASK) as terminal:
        eventually(lambda: engine.chats)
        if words:
            terminal.read_until("One. ")
        pressed = time.monotonic()
        terminal.press("\x03")
        assert terminal.exit_code() == 130
    eventually(lambda: engine.closed)
    assert engine.closed[0] - pressed < 2
    eventually(lambda: daemon.rows()[0]["outcome"] == "cancelled")
    assert "Traceback" not in terminal.screen


def test_sigint_ends_a_question_in_a_pipe_too(daemon: ActivatedDaemon, engine: FakeOllama) -> None:
    """c05: as a shell's Ctrl-C reaches a command whose output is not a terminal."""

    def slow(call: Call) -> None:
        call.start()
        call.say("One. ")
        call.wait()

    engine.chat = slow
    command = [str(BIN / ASK[0]), *ASK[1:]]
    with subprocess.Popen(
        command, env=daemon.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        assert client.stdout is not None
        assert os.read(client.stdout.fileno(), 100) == b"One. "
        client.send_signal(signal.SIGINT)
        rest, problem = client.communicate(timeout=20)
    assert client.returncode == 130
    assert b"Traceback" not in rest + problem
    eventually(lambda: daemon.rows()[0]["outcome"] == "cancelled")


def test_a_persons_own_modelfile_takes_the_place_of_ours(
    ollama_server: OllamaServer, chat_model: str, tmp_path: Path
) -> None:
    own = tmp_path / "Modelfile"
    own.write_text('SYSTEM """Answer as the captain of the good ship Zanzibar."""\nPARAMETER num_predict 8\n')
    daemon = ActivatedDaemon(tmp_path, ollama_url=ollama_server.url, model=chat_model)
    quick = "[models.roles.quick]\n"
    daemon.config.write_text(daemon.config.read_text().replace(quick, f'{quick}modelfile = "{own}"\n'))
    with daemon:
        assert daemon.ask("what is a flake")["outcome"] == "answered"
        shown = ollama_server.http.post("/api/show", {"model": "nix-quick"})
        assert shown["system"] == "Answer as the captain of the good ship Zanzibar."
        assert "num_predict" in shown["parameters"]


@contextmanager
def someone(uid: int, *groups: int) -> Iterator[None]:
    """Connect as somebody else: the kernel notes who it was at that moment."""
    own = os.getgroups()
    os.setgroups(groups)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setgroups(own)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_people_see_their_own_exchanges_and_operators_all(engine: FakeOllama) -> None:
    engine.reset()
    ann, bob, operator, group = 61_001, 61_002, 61_003, 4
    config = '[access]\noperators_group = "adm"'
    with tempfile.TemporaryDirectory(prefix="nt-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, config=config) as daemon:
            daemon.socket.chmod(0o666)

            def as_person(uid: int, method: str, path: str, body: object = None) -> Any:
                with someone(uid, *([group] if uid == operator else [])):
                    reply = daemon.request(method, path, body)
                with reply:
                    return json.loads(reply.read())

            asked = {
                uid: as_person(uid, "POST", "/v1/ask", {"question": f"I am {uid}", "role": "quick", "stream": False})
                for uid in (ann, bob)
            }
            anns, bobs = asked[ann]["id"], asked[bob]["id"]
            for uid, sees in ((ann, {ann}), (bob, {bob}), (operator, {ann, bob}), (0, {ann, bob})):
                found = as_person(uid, "GET", "/v1/history")["exchanges"]
                assert {row["uid"] for row in found} == sees
            verdict = {"verdict": "bad", "id": bobs}
            for method, path, body in (
                ("GET", f"/v1/history/{bobs}", None),
                ("DELETE", f"/v1/history/{bobs}", None),
                ("POST", "/v1/feedback", verdict),
            ):
                assert as_person(ann, method, path, body)["error"]["code"] == "not_found"
            assert as_person(ann, "GET", "/v1/backup")["error"]["code"] == "forbidden"
            assert as_person(ann, "GET", "/v1/history/last")["exchange"]["id"] == anns
            assert as_person(operator, "POST", "/v1/feedback", verdict)["id"] == bobs
            assert as_person(operator, "GET", f"/v1/history/{bobs}")["exchange"]["question"] == f"I am {bob}"
            joined = {"question": "and now", "role": "quick", "stream": False, "session": asked[bob]["session"]}
            engine.reset()
            as_person(ann, "POST", "/v1/ask", joined)
            assert "I am" not in json.dumps(engine.chats[0]), "a session is one person's"
