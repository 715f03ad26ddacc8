"""The thin client against a server that replays given bytes: what is sent, what is shown, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nix_trinity
from nix_trinity.client import wire
from nix_trinity.client.arguments import quoted, read_arguments

PACKAGES = str(Path(nix_trinity.__file__).parent.parent)
MAIN = "from nix_trinity.client.main import main; main()"
ASK = "from nix_trinity.client.main import ask_nix_guru; ask_nix_guru()"
STARTED = {
    "event": "started", "id": "k3f9", "session": "s", "role": "expert", "role_reason": "asks for an option",
    "model": "nix-expert", "model_version": "1", "notices": ["The engine is old."],
}  # fmt: skip
ENDED = {
    "event": "ended", "id": "k3f9", "outcome": "ok", "kept": True, "truncated": False, "queue_ms": 0.0,
    "first_token_ms": 1.0, "total_ms": 3200.0, "prompt_tokens": 1, "answer_tokens": 2, "verdict": "verified", "sources": [], "options_release": None, "degraded": None, "notices": [],
}  # fmt: skip
Reply = list[bytes] | Callable[[socket.socket], None]


class FakeDaemon:
    """Answers each connection with the next reply (the last one again and again) and keeps the requests."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replies: list[Reply] = []
        self.requests: list[bytes] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def body(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.requests[-1].partition(b"\r\n\r\n")[2])
        return value

    def head(self) -> str:
        return self.requests[-1].partition(b"\r\n\r\n")[0].decode()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(10)
                reply = self.replies[min(len(self.requests), len(self.replies) - 1)]
                self.requests.append(_request(connection))
                try:
                    if callable(reply):
                        reply(connection)
                    else:
                        for block in reply:
                            connection.sendall(block)
                except OSError:
                    pass


def _request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head = received.partition(b"\r\n\r\n")[0]
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(received) < len(head) + 4 + length:
        received += connection.recv(1 << 20)
    return received


def fixed(body: bytes, status: int = 200) -> list[bytes]:
    return [b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)), body]


def refused(code: str, status: int = 400) -> list[bytes]:
    return fixed(
        json.dumps({"error": {"code": code, "message": "It went wrong.", "hint": "Do this."}}).encode(), status
    )


def chunked(body: bytes, size: int = 1 << 16, *, whole: bool = True) -> list[bytes]:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    sent = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *sent, *([b"0\r\n\r\n"] if whole else [])]


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(event, ensure_ascii=False).encode() + b"\n" for event in events)


def text(piece: str) -> dict[str, Any]:
    return {"event": "text", "text": piece}


ANSWER = lines(STARTED, text("Grüße, "), text("日本 ❄"), ENDED)


def environment(path: Path | str, **more: str) -> dict[str, str]:
    unset = {"USER_LEVEL", "NIX_TRINITY_ROLE", "VISUAL", "EDITOR"}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "PYTHONPATH": PACKAGES, "NIX_TRINITY_SOCKET": str(path), "PYTHONUTF8": "1", **more}


def run(
    path: Path | str, *words: str | bytes, code: str = MAIN, given: bytes = b"", **more: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        input=given,
        capture_output=True,
        env=environment(path, **more),
        timeout=60,
        check=False,
    )


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "socket")
    yield fake
    fake.close()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 16])
def test_blocks_may_end_in_the_middle_of_characters_and_lines(daemon: FakeDaemon, size: int) -> None:
    daemon.replies = [chunked(ANSWER, size)]
    done = run(daemon.path, "why", code=ASK)
    assert (done.returncode, done.stdout.decode()) == (0, "Grüße, 日本 ❄\n")
    assert done.stderr.decode() == "note: The engine is old.\nverified\n"


def test_a_body_without_length_ends_with_the_connection(daemon: FakeDaemon) -> None:
    daemon.replies = [[b"HTTP/1.1 200 OK\r\n\r\n", ANSWER[:50], ANSWER[50:]]]
    assert run(daemon.path, "ask", "why").stdout.decode() == "Grüße, 日本 ❄\n"


def test_words_are_joined_and_options_may_stand_anywhere(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(ANSWER)]
    words = ["how", "--role=coder", "do", "-c", "I", "--level", "expert", "--no-log", "--", "--json", "-x"]
    assert run(daemon.path, *words, code=ASK).returncode == 0
    body = daemon.body()
    assert body.pop("local_time")[10] == "T"
    assert body == {
        "question": "how do I --json -x", "attachment": "", "role": "coder", "level": "expert", "session": None,
        "continue": True, "log": False, "stream": True,
    }  # fmt: skip
    assert "POST /v1/ask HTTP/1.1" in daemon.head()
    assert "User-Agent: nix-trinity-client/0.1.0" in daemon.head()
    assert "Connection: close" in daemon.head()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ask", "why", "--colour"], b"--colour"),
        (["ask", "--role"], b"--role needs a value"),
        (["ask", "why", "--level", "guru"], b"--level is 'guru'"),
        (["ask", "why", "--level="], b"--level is ''"),
        (
            ["ask", "why", "--role", "guru"],
            b"--role is 'guru', which is no role.\n  Roles: expert, empathy, coder, quick, auto.",
        ),
        (["ask", "why", "--role="], b"--role is ''"),
        (["ask", "  "], b"question is empty"),
        (["ask"], b"usage: ask-nix-guru"),
        ([], b"usage: nix-trinity"),
        (["statsu"], b"Did you mean status?"),
        (["status", "now"], b"'now'"),
        (["forget"], b"which exchange"),
        (["backup"], b"where"),
        (["ask", b"\xff"], b"not valid UTF-8"),
    ],
)
def test_wrong_usage_is_named_and_ends_with_2(tmp_path: Path, words: list[str | bytes], said: bytes) -> None:
    done = run(tmp_path / "none", *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr


def test_an_unknown_option_hints_at_two_dashes(tmp_path: Path) -> None:
    assert b"put -- first" in run(tmp_path / "none", "ask", "-x").stderr


def test_a_wrong_user_level_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "none", "ask", "why", USER_LEVEL="wizard")
    assert done.returncode == 2
    assert b"USER_LEVEL is 'wizard'" in done.stderr


def test_a_wrong_role_in_the_environment_is_named(tmp_path: Path) -> None:
    done = run(tmp_path / "none", "why", code=ASK, NIX_TRINITY_ROLE="wizard")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: NIX_TRINITY_ROLE is 'wizard', which is no role.")
    done = run(tmp_path / "none", "--json", "why", code=ASK, NIX_TRINITY_ROLE="wizard")
    assert json.loads(done.stdout)["error"]["code"] == "unknown_role"


@pytest.mark.parametrize(
    ("set_to", "words", "sent"),
    [
        ("coder", [], "coder"),
        ("coder", ["--role", "quick"], "quick"),
        ("coder", ["--role", "auto"], None),
        ("wizard", ["--role", "auto"], None),
        ("auto", [], None),
        ("auto", ["--role=expert"], "expert"),
        ("", [], None),
    ],
)
def test_the_environment_says_who_answers_where_no_option_does(
    daemon: FakeDaemon, set_to: str, words: list[str], sent: str | None
) -> None:
    daemon.replies = [chunked(ANSWER)]
    assert run(daemon.path, "why", *words, code=ASK, NIX_TRINITY_ROLE=set_to).returncode == 0
    assert daemon.body()["role"] == sent


def test_what_is_piped_in_is_the_attachment(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(ANSWER)]
    assert run(daemon.path, "ask", given=b"caf\xc3\xa9 \xff\0").returncode == 0
    assert daemon.body()["attachment"] == "café \ufffd\ufffd"
    assert daemon.body()["question"] == "What does this say, and what should I do?"


@pytest.mark.parametrize("size", [2 << 20, (2 << 20) + 1, 30 << 20])
def test_of_huge_input_both_ends_are_kept(daemon: FakeDaemon, size: int) -> None:
    daemon.replies = [chunked(ANSWER)]
    done = run(daemon.path, "ask", "why", given=b"FIRST" + b"x" * (size - 9) + b"LAST")
    sent = daemon.body()["attachment"]
    assert sent.startswith("FIRST")
    assert sent.endswith("LAST")
    assert len(sent.encode()) <= 2 << 20
    assert ("[…]" in sent) == (b"left out" in done.stderr) == (size > 2 << 20)
    if size > 2 << 20:
        head, tail = sent.split("\n[…]\n")
        assert abs(2 * len(head) - len(tail)) < 4
        assert f"note: {size - len(head) - len(tail)} bytes".encode() in done.stderr


def test_closed_input_is_ignored(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(ANSWER)]
    command = f'"{sys.executable}" -c "{ASK}" why <&-'
    subprocess.run(["sh", "-c", command], env=environment(daemon.path), check=True, timeout=30, capture_output=True)
    assert daemon.body()["attachment"] == ""


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        *[(code, 2) for code in ("bad_request", "bad_json", "question_empty", "question_too_long", "too_large")],
        *[(code, 2) for code in ("nul_byte", "bad_text", "unknown_role", "ambiguous_id")],
        ("forbidden", 4), ("busy", 5), ("engine_busy", 5), ("engine_unreachable", 6), ("engine_timeout", 6),
        ("model_missing", 7), ("not_found", 1), ("internal", 1),
    ],
)  # fmt: skip
def test_each_error_has_its_exit_code(daemon: FakeDaemon, code: str, exit_code: int) -> None:
    daemon.replies = [refused(code)]
    done = run(daemon.path, "status")
    assert (done.returncode, done.stderr) == (exit_code, b"error: It went wrong.\n  Do this.\n")


def test_an_error_within_the_stream(daemon: FakeDaemon) -> None:
    error = {"event": "error", "error": {"code": "engine_timeout", "message": "Too slow.", "hint": "Wait."}}
    daemon.replies = [chunked(lines(STARTED, text("Half"), error))]
    done = run(daemon.path, "ask", "why")
    assert (done.returncode, done.stdout) == (6, b"Half\n")
    assert done.stderr.endswith(b"error: Too slow.\n  Wait.\n")


@pytest.mark.parametrize("whole", [True, False])
def test_a_stream_cut_short(daemon: FakeDaemon, whole: bool) -> None:
    daemon.replies = [chunked(lines(STARTED, text("Half")), whole=whole)]
    done = run(daemon.path, "ask", "why")
    assert (done.returncode, done.stdout) == (1, b"Half\n")
    assert b"error: The daemon stopped in the middle of the answer." in done.stderr


def test_a_place_in_the_queue_is_told(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(lines({"event": "queued", "id": "k", "position": 2}) + ANSWER)]
    assert run(daemon.path, "ask", "why").stderr.startswith(b"waiting: position 2\n")


@pytest.mark.parametrize(
    "reply",
    [[b"SSH-2.0-x\r\n"], fixed(b"<html>", 404), fixed(b"[]", 500), fixed(b'{"error": "x"}', 500),
     [b"HTTP/1.1 200 X\r\nContent-Length: -4\r\n\r\n"],
     [b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]],
)  # fmt: skip
def test_something_else_on_the_socket(daemon: FakeDaemon, reply: list[bytes]) -> None:
    daemon.replies = [reply]
    done = run(daemon.path, "status")
    assert done.returncode == 1
    assert b"error: Something else answers on this socket" in done.stderr


def test_json_is_one_object_also_for_errors(daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.replies = [fixed(b'{"answer": "Yes."}\n'), refused("busy", 429)]
    done = run(daemon.path, "ask", "--json", "why")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"answer": "Yes."})
    assert daemon.body()["stream"] is False
    done = run(daemon.path, "ask", "--json", "why")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (5, "busy")
    done = run(tmp_path / "none", "ask", "--json", "why")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (3, "no_daemon")


def test_a_daemon_that_was_just_leaving_is_asked_again(daemon: FakeDaemon) -> None:
    daemon.replies = [[], [], fixed(b"ready\n")]
    done = run(daemon.path, "status")
    assert (done.returncode, done.stdout, len(daemon.requests)) == (0, b"ready\n", 3)


def test_after_five_retries_it_gives_up(daemon: FakeDaemon) -> None:
    daemon.replies = [[]]
    assert run(daemon.path, "status").returncode == 3
    assert len(daemon.requests) == 6


def test_a_reply_that_has_begun_is_not_asked_for_again(daemon: FakeDaemon) -> None:
    daemon.replies = [[b"HTTP/1.1 200"]]
    assert run(daemon.path, "status").returncode == 1
    assert len(daemon.requests) == 1


def test_no_daemon(tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stale))
    for path in (tmp_path / "none", stale):
        done = run(path, "status")
        assert done.returncode == 3
        assert b"systemctl status nix-trinity.socket" in done.stderr
        assert b"services.nixTrinity.enable = true" in done.stderr


def test_not_in_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    # As root no mode forbids anything, so the kernel's answer is put in place.
    class Forbidding:
        AF_UNIX = SOCK_STREAM = 1

        def socket(self, *_: int) -> Forbidding:
            return self

        def connect(self, _: str) -> None:
            raise PermissionError(13, "Permission denied")

        def close(self) -> None:
            pass

    monkeypatch.setattr(wire, "sockets", Forbidding())
    with pytest.raises(wire.Refusal, match="You may not use") as refusal:
        wire.request("GET", "/v1/status")
    assert refusal.value.exit_code == 4
    assert 'users.users.<you>.extraGroups = [ "nix-trinity" ]' in refusal.value.hint


def test_a_socket_path_that_is_too_long() -> None:
    done = run("/" + "x" * 107, "status")
    assert done.returncode == 2
    assert b"108 bytes" in done.stderr


def test_ctrl_c_closes_the_connection_at_once(daemon: FakeDaemon) -> None:
    closed = threading.Event()

    def hold(connection: socket.socket) -> None:
        for block in chunked(lines(STARTED, text("Half")), whole=False):
            connection.sendall(block)
        if connection.recv(1) == b"":
            closed.set()

    daemon.replies = [hold]
    with subprocess.Popen(
        [sys.executable, "-c", ASK, "why"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon.path),
    ) as client:  # fmt: skip
        assert client.stdout
        assert client.stdout.read(4) == b"Half"
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=10)
    assert client.returncode == 130
    assert said == b"note: The engine is old.\n\n"
    assert closed.wait(5)


INTERRUPT_WHEN_IMPORTED = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("nix_trinity.client.report", ["ask", "why"]),
        ("nix_trinity.client.wire", ["ask", "why"]),
        ("nix_trinity.client.ask", ["ask", "why"]),
        ("nix_trinity.client.piped", ["ask", "why"]),
        ("nix_trinity.client.commands", ["status"]),
        ("json", ["good"]),
        ("difflib", ["statsu"]),
    ],
)
def test_ctrl_c_while_it_still_loads_ends_it_without_a_traceback(
    daemon: FakeDaemon, module: str, words: list[str]
) -> None:
    daemon.replies = [chunked(ANSWER)]
    done = run(daemon.path, *words, code=f"{INTERRUPT_WHEN_IMPORTED.format(module=module)}\n{MAIN}")
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"\n")


@pytest.mark.parametrize("program", ["ask-nix-guru", "nix-trinity"])
def test_ctrl_c_while_an_installed_program_still_loads(tmp_path: Path, program: str) -> None:
    script = Path(sys.executable).parent / program
    if not script.exists():
        pytest.skip(f"{program} is not installed beside this Python")
    before = INTERRUPT_WHEN_IMPORTED.format(module="nix_trinity.client.report")
    code = f"{before}\nimport runpy\nrunpy.run_path({str(script)!r}, run_name='__main__')"
    done = run(tmp_path / "none", "status", code=code)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"\n")


def test_a_reader_that_leaves_ends_it_quietly(daemon: FakeDaemon) -> None:
    closed = threading.Event()

    def endless(connection: socket.socket) -> None:
        piece = lines(text("x" * 4000 + "\n"))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + lines({**STARTED, "notices": []}))
        try:
            while True:
                connection.sendall(piece)
        except OSError:
            closed.set()

    daemon.replies = [endless]
    with subprocess.Popen(
        [sys.executable, "-c", ASK, "why"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon.path),
    ) as client:  # fmt: skip
        assert client.stdout
        assert client.stderr
        client.stdout.read(4)
        client.stdout.close()
        assert client.wait(10) == 1
        assert client.stderr.read() == b""
    assert closed.wait(5)


def test_judging(daemon: FakeDaemon) -> None:
    daemon.replies = [fixed(b'{"id": "k3f9", "verdict": "good"}')]
    assert run(daemon.path, "good").stdout == b"Marked k3f9 as good.\n"
    assert daemon.body() == {"id": "", "verdict": "good"}
    run(daemon.path, "bad", "k3")
    assert daemon.body() == {"id": "k3", "verdict": "bad"}
    run(daemon.path, "correct", "--text", "Better.")
    assert daemon.body() == {"id": "", "verdict": "corrected", "correction": "Better."}
    run(daemon.path, "correct", "k3", given="Ü".encode())
    assert daemon.body() == {"id": "k3", "verdict": "corrected", "correction": "Ü"}


def test_an_empty_correction_is_not_sent(daemon: FakeDaemon) -> None:
    done = run(daemon.path, "correct", given=b" \n")
    assert (done.returncode, daemon.requests) == (1, [])
    assert b"nothing was sent" in done.stderr


@pytest.mark.parametrize(("editor", "exit_code"), [("sed -i s/Old/New/", 0), ("true", 1), ("false", 1)])
def test_a_correction_from_the_editor(daemon: FakeDaemon, editor: str, exit_code: int) -> None:
    found = json.dumps({"exchange": {"id": "k3f9", "answer": "Old."}, "feedback": []}).encode()
    daemon.replies = [fixed(found), fixed(b'{"id": "k3f9", "verdict": "corrected"}')]
    code = f"import sys; sys.stdin.isatty = lambda: True; {MAIN}"
    done = run(daemon.path, "correct", code=code, EDITOR=editor)
    assert done.returncode == exit_code, done.stderr
    assert daemon.requests[0].startswith(b"GET /v1/history/last ")
    if exit_code == 0:
        assert daemon.body() == {"id": "k3f9", "verdict": "corrected", "correction": "New."}
    else:
        assert b"nothing was sent" in done.stderr
        assert len(daemon.requests) == 1


@pytest.mark.parametrize("editors", [["nano"], ["vi"], ["vi", "nano"], []])
def test_without_a_chosen_editor_a_usual_one_is_taken_or_the_terminal(
    daemon: FakeDaemon, tmp_path: Path, editors: list[str]
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in editors:
        (programs / name).write_text(f"#!/bin/sh\necho from {name} > $1\n")
        (programs / name).chmod(0o755)
    found = json.dumps({"exchange": {"id": "k3f9", "answer": "Old."}, "feedback": []}).encode()
    judged = fixed(b'{"id": "k3f9", "verdict": "corrected"}')
    daemon.replies = [fixed(found), judged] if editors else [judged]
    code = f"import sys; sys.stdin.isatty = lambda: True; {MAIN}"
    done = run(
        daemon.path, "correct", "k3", code=code, given="Tippe \u00fc.\n\xff".encode("latin-1"), PATH=str(programs)
    )
    assert done.returncode == 0, done.stderr
    if editors:
        assert daemon.body()["correction"] == f"from {sorted(editors)[0]}\n"
    else:
        assert daemon.body() == {"id": "k3", "verdict": "corrected", "correction": "Tippe \ufffd.\n\ufffd"}
        assert b"Ctrl-D" in done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["history", "--limit", "3", "--session", "a b&c"], "GET /v1/history?limit=3&session=a%20b%26c HTTP/1.1"),
        (["show"], "GET /v1/history/last HTTP/1.1"),
        (["show", "k/é"], "GET /v1/history/k%2F%C3%A9 HTTP/1.1"),
        (["status"], "GET /v1/status HTTP/1.1"),
    ],
)
def test_reading_asks_for_text_unless_json_is_wanted(daemon: FakeDaemon, words: list[str], line: str) -> None:
    daemon.replies = [fixed("läuft\n".encode())]
    assert run(daemon.path, *words).stdout.decode() == "läuft\n"
    assert daemon.head().startswith(line)
    assert "Accept: text/plain" in daemon.head()
    run(daemon.path, *words, "--json")
    assert "Accept: application/json" in daemon.head()


def test_forgetting(daemon: FakeDaemon) -> None:
    daemon.replies = [fixed(b'{"id": "k3f9"}')]
    assert run(daemon.path, "forget", "k3").stdout == b"Forgot k3f9 for good.\n"
    assert daemon.head().startswith("DELETE /v1/history/k3 ")


def test_a_backup_is_there_whole_or_not_at_all(daemon: FakeDaemon, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    daemon.replies = [chunked(b"half", whole=False), chunked(bytes(300_000)), refused("forbidden", 403)]
    done = run(daemon.path, "backup", str(target))
    assert done.returncode == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["socket"]
    assert run(daemon.path, "backup", str(target)).returncode == 0
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (bytes(300_000), 0o600)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "socket"]
    assert run(daemon.path, "backup", str(target)).returncode == 2
    assert len(daemon.requests) == 2
    assert run(daemon.path, "backup", str(tmp_path / "other")).returncode == 4
    assert not (tmp_path / "other").exists()


NO_LINKS = "import os\ndef refuse(*_): raise PermissionError(1, 'Operation not permitted')\nos.link = refuse"


@pytest.mark.parametrize("before", ["", NO_LINKS], ids=["links", "no links, as on FAT"])
def test_of_two_backups_to_one_name_the_first_to_end_stays(daemon: FakeDaemon, tmp_path: Path, before: str) -> None:
    target = tmp_path / "copy.db"

    def overtaken(connection: socket.socket) -> None:
        target.write_bytes(b"of the other")
        for block in fixed(b"ours"):
            connection.sendall(block)

    daemon.replies = [overtaken, fixed(b"ours")]
    done = run(daemon.path, "backup", str(target), code=f"{before}\n{MAIN}")
    assert (done.returncode, target.read_bytes()) == (2, b"of the other")
    assert b"is there already" in done.stderr
    target.unlink()
    assert run(daemon.path, "backup", str(target), code=f"{before}\n{MAIN}").returncode == 0
    assert target.read_bytes() == b"ours"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy.db", "socket"]


def test_a_backup_that_cannot_be_placed_says_why(daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.replies = [fixed(b"ours")]
    done = run(daemon.path, "backup", str(tmp_path / "no folder" / "copy.db"))
    assert done.returncode == 1
    assert b"cannot be written" in done.stderr


def test_output_that_cannot_be_written_is_an_error(daemon: FakeDaemon) -> None:
    daemon.replies = [fixed(b"ready\n")]
    command = f'"{sys.executable}" -c "{MAIN}" status >/dev/full'
    done = subprocess.run(["sh", "-c", command], env=environment(daemon.path), capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: The output cannot be written")


def test_status_imports_nothing_slow(daemon: FakeDaemon) -> None:
    daemon.replies = [fixed(b"ready\n")]
    code = (
        "import sys\nfrom nix_trinity.client.main import main\ntry:\n  main()\nexcept SystemExit as end:\n"
        "  assert end.code == 0\nslow = {'json', 're', 'argparse', 'socket', 'typing', 'pathlib', 'contextlib'}\n"
        "print(sorted(slow & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code, "status"], env=environment(daemon.path), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"ready\n", b"[]\n")


@pytest.mark.parametrize(
    "words", [["--help"], ["ask", "--help"], ["status", "--help"], ["--version"], ["ask", "--version"]]
)
def test_help_needs_no_daemon(tmp_path: Path, words: list[str]) -> None:
    done = run(tmp_path / "none", *words)
    assert done.returncode == 0
    assert (b"0.1.0" in done.stdout) if "--version" in words else (b"130" in done.stdout)


def test_arguments() -> None:
    assert read_arguments(["a", "-", "--x=1=2"], values=("--x",)) == ({"--x": "1=2"}, ["a", "-"])
    assert quoted("a/b ü~") == "a%2Fb%20%C3%BC~"
