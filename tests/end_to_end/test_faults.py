"""What goes wrong around the daemon: clients that leave, engines that die, disks that fill, restarts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.ollama_binary import OllamaBinary
from tests.stack.server import OllamaServer

LONG = json.dumps({"question": "Tell me everything about NixOS, at length", "role": "expert"}).encode()
NOWHERE = "http://127.0.0.1:1"


def rows(daemon: ActivatedDaemon) -> list[dict[str, Any]]:
    found = json.loads(daemon.client("nix-trinity", "history", "--json", "--limit", "1000").stdout)
    exchanges: list[dict[str, Any]] = found["exchanges"]
    return exchanges


def pid(daemon: ActivatedDaemon) -> int:
    return int(json.loads(daemon.client("nix-trinity", "status", "--json").stdout)["pid"])


@contextmanager
def streaming(daemon: ActivatedDaemon) -> Iterator[socket.socket]:
    """A long answer whose first words have come."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(daemon.socket))
        head = f"POST /v1/ask HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(LONG)}\r\n\r\n"
        connection.sendall(head.encode() + LONG)
        seen = b""
        while b'"event":"text"' not in seen:
            block = connection.recv(4096)
            assert block, seen
            seen += block
        yield connection


def the_rest(connection: socket.socket) -> bytes:
    rest = b""
    while block := connection.recv(65536):
        rest += block
    return rest


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_client_that_leaves_stops_the_model(ollama_server: OllamaServer, chat_model: str, tmp_path: Path) -> None:
    with ActivatedDaemon(tmp_path, ollama_url=ollama_server.url, model=chat_model) as daemon:
        with streaming(daemon):
            pass
        until = time.monotonic() + 5
        while (row := rows(daemon)[0])["outcome"] == "running":
            assert time.monotonic() < until
            time.sleep(0.05)
        assert row["outcome"] == "cancelled"
        assert row["answer"], "what had come is kept"


def test_an_engine_that_dies_in_mid_answer(ollama: OllamaBinary, chat_gguf: Path, tmp_path: Path) -> None:
    with OllamaServer(ollama) as server:
        server.create_from_gguf("mortal", chat_gguf)
        with ActivatedDaemon(tmp_path, ollama_url=server.url, model="mortal") as daemon:
            with streaming(daemon) as connection:
                server.kill()
                rest = the_rest(connection)
            assert b'"event":"error","error":{"code":"engine_unreachable"' in rest, rest
            row = rows(daemon)[0]
            assert (row["outcome"], row["error_code"]) == ("failed", "engine_unreachable")
            assert row["answer"], "what had come is kept"
            server.restart()
            assert daemon.client("ask-nix-guru", "--role", "quick", "and now?").returncode == 0


def test_stopping_waits_for_the_answer_and_then_says_so(
    ollama_server: OllamaServer, chat_model: str, tmp_path: Path
) -> None:
    grace = "shutdown_grace_seconds = 0.3"
    daemon = ActivatedDaemon(tmp_path, ollama_url=ollama_server.url, model=chat_model, daemon=grace, restarts=True)
    with daemon:
        with streaming(daemon) as connection:
            os.kill(pid(daemon), signal.SIGTERM)
            rest = the_rest(connection)
        assert b'"shutting_down"' in rest
        row = rows(daemon)[0]
        assert (row["outcome"], row["error_code"]) == ("cancelled", "shutting_down")


def test_a_killed_daemon_leaves_a_row(ollama_server: OllamaServer, chat_model: str, tmp_path: Path) -> None:
    with ActivatedDaemon(tmp_path, ollama_url=ollama_server.url, model=chat_model, restarts=True) as daemon:
        with streaming(daemon):
            os.kill(pid(daemon), signal.SIGKILL)
        row = rows(daemon)[0]
        assert (row["outcome"], row["error_code"]) == ("failed", "interrupted")


def test_twenty_restarts_lose_no_connection(tmp_path: Path) -> None:
    with ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model="none", restarts=True) as daemon:
        made = daemon.socket.stat().st_ino
        current = pid(daemon)
        for _ in range(20):
            os.kill(current, signal.SIGTERM)
            # From now on one client after the other, answered by the daemon that is leaving or by the next one.
            until = time.monotonic() + 20
            while (answered_by := pid(daemon)) == current:
                assert time.monotonic() < until
            current = answered_by
        assert daemon.socket.stat().st_ino == made


def test_it_leaves_when_idle_and_comes_back(tmp_path: Path) -> None:
    idle = "idle_timeout_seconds = 0.5"
    with ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model="none", daemon=idle, restarts=True) as daemon:
        first = pid(daemon)
        until = time.monotonic() + 15
        while Path(f"/proc/{first}").exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert pid(daemon) != first


@pytest.mark.parametrize(("fault", "reason"), [("ro", "read-only|cannot be opened"), ("full", "the disk is full")])
def test_a_disk_that_takes_nothing_keeps_nobody_from_an_answer(
    ollama_server: OllamaServer,
    chat_model: str,
    mounted: Path,
    tmp_path_factory: pytest.TempPathFactory,
    fault: str,
    reason: str,
) -> None:
    folder = tmp_path_factory.mktemp("f")
    short = "[answering]\nanswer_tokens = 16"
    daemon = ActivatedDaemon(folder, ollama_url=ollama_server.url, model=chat_model, config=short)
    daemon.config.write_text(daemon.config.read_text().replace(str(daemon.state), str(mounted)))
    if fault == "full":
        (mounted / "filler").write_bytes(b"x" * 390_000)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with daemon:
        done = daemon.client("ask-nix-guru", "--role", "quick", "what", "is", "a", "flake")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        assert "not being kept" in done.stderr
        logging = json.loads(daemon.client("nix-trinity", "status", "--json").stdout)["logging"]
        assert logging["state"] == "unavailable"
        assert any(words in logging["reason"] for words in reason.split("|")), logging
        if fault == "full":
            (mounted / "filler").unlink()
        else:
            subprocess.run(["mount", "-o", "remount,rw", str(mounted)], check=True)
        assert daemon.client("ask-nix-guru", "--role", "quick", "and", "now").returncode == 0
        assert [row["question"] for row in rows(daemon)] == ["and now"], "it heals without a restart"
    assert "Traceback" not in daemon.log.read_text()


def test_a_stranger_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    with tempfile.TemporaryDirectory(prefix="nt-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        access = '[access]\nusers_group = "root"'
        with ActivatedDaemon(folder, ollama_url=NOWHERE, model="none", config=access) as daemon:
            daemon.socket.chmod(0o666)
            assert b"403" in as_nobody(daemon.socket)
            assert b'"forbidden"' in as_nobody(daemon.socket)
            daemon.socket.chmod(0o660)
            assert as_nobody(daemon.socket) == b"PermissionError"


def as_nobody(path: Path) -> bytes:
    """The reply to a status request from user and group 65534, or the name of the error."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                os.write(write, the_rest(connection))
        except OSError as error:
            os.write(write, type(error).__name__.encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read()
