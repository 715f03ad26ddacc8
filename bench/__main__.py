"""``make bench``: the thin client's own time, activation to first byte, and the delay added to the first token."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.corpora import unpacked_options
from tests.stack import chat_model, ollama_binary
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama, answers
from tests.stack.server import OllamaServer

MODEL = "smollm2:135m"
RUNS = 20


def milliseconds(command: list[str], environment: dict[str, str]) -> float:
    """The median time of a command from start to exit."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def first_byte(path: Path) -> float:
    """Milliseconds from connecting to the first byte of ``GET /v1/status``."""
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.recv(1)
    return (time.perf_counter() - began) * 1e3


def first_token(connection: socket.socket, address: object, path: str, body: bytes, mark: bytes) -> float:
    """Milliseconds from connecting to the first bytes that contain ``mark``."""
    began = time.perf_counter()
    with connection:
        connection.connect(address)  # type: ignore[arg-type]  # a path or a host and port
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        seen = b""
        while mark not in seen:
            block = connection.recv(65536)
            if not block:
                raise RuntimeError(f"no answer: {seen!r}")
            seen += block
        return (time.perf_counter() - began) * 1e3


def added_delay(daemon: ActivatedDaemon, server: OllamaServer) -> tuple[float, float]:
    """Median milliseconds to the first token, through the daemon and straight, in turns."""
    host, port = server.url.removeprefix("http://").split(":")
    ours, straight = [], []
    for number in range(RUNS):
        # Each side has a question of its own: the second to ask the same one would find it in the prefix cache.
        body = json.dumps({"question": f"What is flake number {100 + 2 * number}?", "role": "quick"}).encode()
        ours.append(first_token(socket.socket(socket.AF_UNIX), str(daemon.socket), "/v1/ask", body, b'"event":"text"'))
        direct = {
            "model": "nix-quick",
            "messages": [{"role": "user", "content": f"What is flake number {101 + 2 * number}?"}],
            "options": {"num_ctx": 4096, "num_predict": 16},
            "keep_alive": "10m",
        }
        straight.append(
            first_token(socket.socket(), (host, int(port)), "/api/chat", json.dumps(direct).encode(), b'"content":"')
        )
    return statistics.median(ours), statistics.median(straight)


def own_share(folder: Path) -> float:
    """Median milliseconds to the first text, with a search over real options and an engine that answers at once."""
    with FakeOllama() as engine:
        engine.chat = answers("Yes.")
        options = unpacked_options(folder)
        with ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, options=options) as daemon:
            daemon.ask("What is a warm index?")
            times = []
            for number in range(RUNS):
                body = json.dumps({"question": f"What does flake number {number} mean?", "role": "quick"}).encode()
                unix = socket.socket(socket.AF_UNIX)
                times.append(first_token(unix, str(daemon.socket), "/v1/ask", body, b'"event":"text"'))
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    binary, gguf = ollama_binary.obtain(), chat_model.obtain().gguf
    client = str(Path(sys.executable).parent / "nix-trinity")
    with tempfile.TemporaryDirectory() as folder, OllamaServer(binary) as server:
        server.create_from_gguf(MODEL, gguf)
        activations = []
        for number in range(5):
            place = Path(folder) / f"a{number}"
            place.mkdir()
            with ActivatedDaemon(place, ollama_url=server.url, model=MODEL) as daemon:
                activations.append(first_byte(daemon.socket))
        place = Path(folder) / "warm"
        place.mkdir()
        short = "[answering]\nanswer_tokens = 16\npassages_tokens = 0"
        # Without options and passages: the same request goes to the engine, and each token is passed on as it comes.
        with ActivatedDaemon(place, ollama_url=server.url, model=MODEL, config=short, options=None) as daemon:
            daemon.client("ask-nix-guru", "--role", "quick", "warm up")
            bare = milliseconds([sys.executable, "-S", "-c", "pass"], daemon.environment)
            status = milliseconds([client, "status"], daemon.environment)
            ours, straight = added_delay(daemon, server)
        place = Path(folder) / "share"
        place.mkdir()
        share = own_share(place)
    print(f"thin client, status, warm daemon   {status:6.1f} ms  ({status / bare:.1f} times python3 -S -c pass)")
    print(f"activation to first byte of status {statistics.median(activations):6.1f} ms  (median of 5)")
    print(f"first token through the daemon     {ours:6.1f} ms  (straight: {straight:.1f} ms; median of {RUNS})")
    print(f"with the search over real options  {share:6.1f} ms  of the daemon's own, the engine answering at once")


if __name__ == "__main__":
    main()
