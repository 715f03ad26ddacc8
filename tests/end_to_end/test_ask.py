"""From the thin client through a really activated daemon to a real Ollama, and the row that remains."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.secret_shapes import SHAPES
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.server import OllamaServer

# A weak model can go on and on; what is tested here is not its eloquence.
SHORT = "[answering]\nanswer_tokens = 48"


@pytest.fixture(scope="module")
def daemon(
    ollama_server: OllamaServer, chat_model: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ActivatedDaemon]:
    folder = tmp_path_factory.mktemp("d")
    with ActivatedDaemon(folder, ollama_url=ollama_server.url, model=chat_model, config=SHORT) as running:
        yield running


def rows(daemon: ActivatedDaemon) -> list[dict[str, Any]]:
    connection = sqlite3.connect(f"file:{daemon.state / 'knowledge.db'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM exchanges ORDER BY asked_at_ms")]
    finally:
        connection.close()


def raw(daemon: ActivatedDaemon, request: bytes, *, half: bool = False) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(daemon.socket))
        connection.sendall(request)
        if half:
            return b""
        reply = b""
        while block := connection.recv(65536):
            reply += block
        return reply


def post(body: bytes, path: str = "/v1/ask") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def error_of(reply: bytes) -> tuple[int, dict[str, str]]:
    head, _, body = reply.partition(b"\r\n\r\n")
    error: dict[str, str] = json.loads(body)["error"]
    assert set(error) == {"code", "message", "hint"}
    assert all(error.values())
    return int(head.split()[1]), error


def test_a_question_is_answered_and_kept(daemon: ActivatedDaemon) -> None:
    done = daemon.client("ask-nix-guru", "How", "do", "I", "enable", "SSH?")
    assert done.returncode == 0, done.stderr + daemon.log.read_text()
    row = rows(daemon)[-1]
    assert row["question"] == "How do I enable SSH?"
    assert row["answer"].rstrip() == done.stdout.rstrip()
    assert row["outcome"] == "answered"
    assert row["model"] == f"nix-{row['role']}"
    assert row["uid"] == os.getuid()
    assert row["interface"] == "cli"
    assert row["prompt_tokens"] > 100, "the role's system text and examples were seen"
    assert row["truncated"] == 0
    assert 0 < row["first_token_ms"] <= row["total_ms"]


def test_curl_is_a_client_and_each_door_writes_one_row(daemon: ActivatedDaemon) -> None:
    before = len(rows(daemon)) if (daemon.state / "knowledge.db").exists() else 0
    reply = raw(daemon, post(b'{"question": "What is a derivation?", "role": "quick"}'))
    assert b" 200 " in reply.split(b"\r\n")[0]
    assert b'"event":"started"' in reply
    assert b'"event":"ended"' in reply
    found = rows(daemon)
    assert len(found) == before + 1
    assert (found[-1]["interface"], found[-1]["role"]) == ("http", "quick")


def test_json_verdicts_history_and_forget(daemon: ActivatedDaemon) -> None:
    answer = json.loads(daemon.client("ask-nix-guru", "--json", "what is zanzibarflake").stdout)
    assert answer["outcome"] == "answered"
    assert daemon.client("nix-trinity", "good").stdout == f"Marked {answer['id']} as good.\n"
    assert daemon.client("nix-trinity", "correct", answer["id"], "--text", "better").returncode == 0
    shown = daemon.client("nix-trinity", "show", answer["id"]).stdout
    assert "zanzibarflake" in shown
    assert "better" in shown
    assert answer["id"] in daemon.client("nix-trinity", "history").stdout
    assert daemon.client("nix-trinity", "forget", answer["id"]).returncode == 0
    assert daemon.client("nix-trinity", "show", answer["id"]).returncode == 1
    kept = b"".join(file.read_bytes() for file in daemon.state.iterdir())
    assert b"zanzibarflake" not in kept


def test_no_log_keeps_nothing(daemon: ActivatedDaemon) -> None:
    daemon.client("nix-trinity", "status")
    before = len(rows(daemon))
    done = daemon.client("ask-nix-guru", "--no-log", "quixotic", "secretplan")
    assert done.returncode == 0, done.stderr
    assert len(rows(daemon)) == before
    assert b"secretplan" not in b"".join(file.read_bytes() for file in daemon.state.iterdir())


def test_a_session_goes_on(daemon: ActivatedDaemon) -> None:
    first = json.loads(daemon.client("ask-nix-guru", "--json", "--session", "s1", "open port 8080").stdout)
    second = json.loads(daemon.client("ask-nix-guru", "--json", "--continue", "and for UDP?").stdout)
    assert second["session"] == first["session"] == "s1"
    assert second["prompt_tokens"] > 0


def test_secrets_reach_neither_disk_nor_log(daemon: ActivatedDaemon) -> None:
    text = "\n\n".join(shape.text for shape in SHAPES)
    done = daemon.client("ask-nix-guru", "what is this", stdin=text.encode())
    assert done.returncode == 0, done.stderr
    kept = b"".join(file.read_bytes() for file in daemon.state.iterdir()) + daemon.log.read_bytes()
    leaked = [shape.name for shape in SHAPES if any(secret.encode() in kept for secret in shape.secrets)]
    assert leaked == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "bad_json"),
        (b'{"question": "x"', 400, "bad_json"),
        (b'{"question": "\xff\xfe"}', 400, "bad_json"),
        (b'{"question": "   "}', 400, "question_empty"),
        (b'{"question": "a\\u0000b"}', 400, "nul_byte"),
        (b'{"question": 7}', 400, "bad_request"),
        (b'{"question": "x", "colour": "red"}', 400, "bad_request"),
        (b'{"question": "x", "level": "guru"}', 400, "bad_request"),
        (b'{"question": "x", "role": "wizard"}', 400, "unknown_role"),
        (b'{"question": "' + b"x" * 20_000 + b'"}', 413, "too_large"),
        (b'{"question": "' + b"x" * (20 << 20) + b'"}', 413, "too_large"),
    ],
)
def test_bad_questions_are_refused_in_the_one_shape(
    daemon: ActivatedDaemon, body: bytes, status: int, code: str
) -> None:
    got, error = error_of(raw(daemon, post(body)))
    assert (got, error["code"]) == (status, code)
    assert daemon.client("nix-trinity", "status").returncode == 0


def test_what_is_not_http_and_unknown_paths(daemon: ActivatedDaemon) -> None:
    assert error_of(raw(daemon, b"\x00\x01garbage\r\n\r\n"))[0] == 400
    assert error_of(raw(daemon, post(b"{}", "/v1/nothing")))[1]["code"] == "not_found"
    assert error_of(raw(daemon, post(b"{}", "/v1/status")))[1]["code"] == "method_not_allowed"


def test_half_a_request_harms_nobody(daemon: ActivatedDaemon) -> None:
    raw(daemon, b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{", half=True)
    assert daemon.client("nix-trinity", "status").returncode == 0


def test_usage_and_exit_codes(daemon: ActivatedDaemon, tmp_path: Path) -> None:
    assert daemon.client("ask-nix-guru").returncode == 2
    assert daemon.client("ask-nix-guru", "--rle", "quick", "x").returncode == 2
    assert daemon.client("ask-nix-guru", "x", USER_LEVEL="guru").returncode == 2
    nobody = daemon.client("ask-nix-guru", "x", NIX_TRINITY_SOCKET=str(tmp_path / "none"))
    assert nobody.returncode == 3
    assert "systemctl status nix-trinity.socket" in nobody.stderr
    too_long = daemon.client("nix-trinity", "status", NIX_TRINITY_SOCKET="/" + "x" * 200)
    assert too_long.returncode == 2


def test_a_backup_is_whole(daemon: ActivatedDaemon, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert daemon.client("nix-trinity", "backup", str(target)).returncode == 0
    connection = sqlite3.connect(target)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM exchanges").fetchone()[0] == len(rows(daemon))
    connection.close()
    assert daemon.client("nix-trinity", "backup", str(target)).returncode == 2


def test_without_ollama_it_says_so_and_heals(ollama_server: OllamaServer, chat_model: str, tmp_path: Path) -> None:
    # A port that nobody listens on until a relay to the real server is put there.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ActivatedDaemon(tmp_path, ollama_url=f"http://127.0.0.1:{port}", model=chat_model, config=SHORT) as daemon:
        done = daemon.client("ask-nix-guru", "how do I enable SSH")
        assert done.returncode == 6
        assert "systemctl start ollama" in done.stderr
        assert rows(daemon)[-1]["error_code"] == "engine_unreachable"
        pid = json.loads(daemon.client("nix-trinity", "status", "--json").stdout)["pid"]
        real = int(ollama_server.url.rsplit(":", 1)[1])
        relay = subprocess.Popen([sys.executable, "-m", "tests.stack.relay", str(port), str(real)])
        try:
            until = time.monotonic() + 60
            while (done := daemon.client("ask-nix-guru", "how do I enable SSH")).returncode == 6:
                assert time.monotonic() < until, done.stderr
            assert done.returncode == 0, done.stderr
        finally:
            relay.send_signal(signal.SIGTERM)
            relay.wait()
        assert json.loads(daemon.client("nix-trinity", "status", "--json").stdout)["pid"] == pid


def test_a_missing_model_is_named_with_its_remedy(ollama_server: OllamaServer, tmp_path: Path) -> None:
    other = ActivatedDaemon(tmp_path, ollama_url=ollama_server.url, model="nowhere:7b")
    # The roles' models that other tests made would do; here there must be none.
    for role in ("expert", "empathy", "coder", "quick"):
        subprocess.run(
            [str(ollama_server.binary.path), "rm", f"nix-{role}"],
            env=ollama_server.environment,
            capture_output=True,
            check=False,
        )
    with other as daemon:
        done = daemon.client("ask-nix-guru", "how do I enable SSH")
    assert done.returncode == 7
    assert "nowhere:7b" in done.stderr
    assert "ollama pull nowhere:7b" in done.stderr
    assert "services.ollama.loadModels" in done.stderr
