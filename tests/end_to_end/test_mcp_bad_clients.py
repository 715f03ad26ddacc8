"""``nix-trinity mcp`` and clients that send what no client should, or go away; and without its library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import pytest

from nix_trinity.mcp_server.start import serve
from tests.stack.daemon_process import BIN, ActivatedDaemon
from tests.stack.fake_ollama import BASE, Call, FakeOllama
from tests.unit.test_client import MAIN


class Raw:
    """Whoever writes bytes to the server's standard input, and reads what it says."""

    def __init__(self, socket: Path | str) -> None:
        self.process = subprocess.Popen(
            [str(BIN / "nix-trinity"), "mcp"],
            env={**os.environ, "NIX_TRINITY_SOCKET": str(socket)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def send(self, content: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def message(self, **fields: Any) -> None:
        self.send(json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n")

    def reply(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while True:
            reply: dict[str, Any] = json.loads(self.process.stdout.readline())
            if "id" in reply:
                return reply

    def initialize(self, version: str = "2025-06-18") -> dict[str, Any]:
        client = {"name": "raw", "version": "1"}
        parameters = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
        self.message(id=1, method="initialize", params=parameters)
        reply = self.reply()
        self.message(method="notifications/initialized")
        return reply

    def end(self) -> tuple[int, str]:
        """End the input; how the server ends, and what it wrote to its log."""
        _, log = self.process.communicate(timeout=20)
        return self.process.returncode, log.decode()


GARBAGE: list[tuple[bytes, str]] = [
    (b"this is no JSON\n", "it is not JSON: 'this is no JSON'"),
    (b"\xff\xfe\x00\n", "it is not JSON: '\ufffd"),
    (b"[" * 100_000 + b"\n", "it is not JSON: '[[["),
    (b'["a list"]\n', "it is not an object"),
    (b'{"id": 5, "method": "ping"}\n', """it does not say "jsonrpc": "2.0": '{"id": 5"""),
    (b'{"jsonrpc": "1.0", "id": 5, "method": "ping"}\n', """it does not say "jsonrpc": "2.0": '{"jsonrpc": "1.0\""""),
]


def test_garbage_is_told_in_the_log_and_the_next_message_is_answered(tmp_path: Path) -> None:
    with Raw(tmp_path / "none") as raw:
        raw.initialize()
        for number, (sent, _) in enumerate(GARBAGE, 2):
            raw.send(sent)
            raw.message(id=number, method="ping")
            assert raw.reply() == {"jsonrpc": "2.0", "id": number, "result": {}}
        code, log = raw.end()
    assert (code, "Traceback" in log) == (0, False)
    told = [line for line in log.splitlines() if line.startswith("error: ")]
    assert len(told) == len(GARBAGE)
    for line, (_, why) in zip(told, GARBAGE, strict=True):
        assert line.startswith(f"error: A line that came in is no message: {why}")


def test_half_a_message_at_the_end_is_told_and_the_server_ends_well(tmp_path: Path) -> None:
    with Raw(tmp_path / "none") as raw:
        raw.initialize()
        raw.send(b'{"jsonrpc": "2.0", "id": 2, "meth')
        code, log = raw.end()
    assert (code, "it breaks off" in log, "Traceback" in log) == (0, True, False)


def test_what_the_protocol_has_not_is_a_protocol_error(tmp_path: Path) -> None:
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"method": "no/such/method"}, -32601),
        ({"method": "tools/call", "params": {"name": 7}}, -32602),
        ({"method": "tools/call", "params": {"name": "check_nix", "arguments": "text"}}, -32602),
        ({"method": "resources/read", "params": {}}, -32602),
    ]
    with Raw(tmp_path / "none") as raw:
        raw.initialize()
        for number, (fields, code) in enumerate(wrong, 2):
            raw.message(id=number, **fields)
            reply = raw.reply()
            assert (reply["id"], reply["error"]["code"]) == (number, code)
        raw.message(id=99, method="ping")
        assert raw.reply()["id"] == 99


def test_a_version_that_nobody_knows_is_answered_with_one_that_is_known(tmp_path: Path) -> None:
    with Raw(tmp_path / "none") as raw:
        assert raw.initialize("1900-01-01")["result"]["protocolVersion"] >= "2025-06-18"


@pytest.mark.parametrize("how", ["cancelled", "left"])
def test_a_client_that_stops_waiting_stops_the_model(tmp_path: Path, how: str) -> None:
    def endless(call: Call) -> None:
        call.start()
        call.say("It goes on. ")
        call.wait()

    with (
        FakeOllama() as engine,
        ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE) as daemon,
        Raw(daemon.socket) as raw,
    ):
        engine.chat = endless
        raw.initialize()
        parameters = {"name": "ask", "arguments": {"question": "what is a flake", "role": "quick"}}
        raw.message(id=2, method="tools/call", params=parameters)
        until = time.monotonic() + 20
        while not engine.chats:
            assert time.monotonic() < until
            time.sleep(0.02)
        if how == "cancelled":
            raw.message(method="notifications/cancelled", params={"requestId": 2})
        else:
            code, log = raw.end()
            assert (code, "Traceback" in log) == (0, False)
        while not engine.closed:
            assert time.monotonic() < until
            time.sleep(0.02)
        if how == "cancelled":
            raw.message(id=3, method="ping")
            while raw.reply()["id"] != 3:
                pass


def test_without_the_library_it_says_where_to_get_it(tmp_path: Path) -> None:
    # An interpreter that is given our package and nothing else.
    packages = str(Path(serve.__code__.co_filename).parents[2])
    done = subprocess.run(
        [sys.executable, "-S", "-c", MAIN, "mcp"],
        env={"PYTHONPATH": packages}, input=b"", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"needs the Python package 'mcp'" in done.stderr
    assert b"pip install 'nix-trinity[mcp]'" in done.stderr
    assert done.stdout == b""
