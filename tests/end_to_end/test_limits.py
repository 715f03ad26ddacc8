"""Too much at once, too little of a request, and nothing kept: the daemon's limits, seen from its socket.

The letter and number in a test's docstring is the row of the list of faults that users of such systems met.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stack.daemon_process import BIN, ActivatedDaemon
from tests.stack.fake_ollama import BASE, Call, FakeOllama, answers
from tests.stack.waiting import eventually

NOWHERE = "http://127.0.0.1:1"
# A daemon with less patience than the real one's 30 s for a request, so that a test can see it end.
REQUEST_SECONDS = 2.0
IMPATIENT = f"""
from nix_trinity.api import http, server
from nix_trinity.daemon import main
assert http._BODY_SECONDS == server._REQUEST_SECONDS == 30.0
http._BODY_SECONDS = server._REQUEST_SECONDS = {REQUEST_SECONDS}
main()
"""
SLACK_SECONDS = 4.0
HALF_A_HEAD = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\n"
HALF_A_BODY = b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{"
A_REQUEST = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"


class HalfOpen:
    """A client that sends part of a request, after a whole one if ``first`` is given, and then only listens."""

    def __init__(self, daemon: ActivatedDaemon, part: bytes, *, first: bytes = b"") -> None:
        self.daemon = daemon
        self.reply = b""
        self.seconds = float("inf")
        """How long it took until the daemon closed the connection."""
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(REQUEST_SECONDS + SLACK_SECONDS)
        self._connection.connect(str(daemon.socket))
        if first:
            self._connection.sendall(first)
            while not self.reply.endswith(b"}\n"):
                self.reply += self._connection.recv(65536)
        self._connection.sendall(part)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        began = time.monotonic()
        with self._connection:
            try:
                while block := self._connection.recv(65536):
                    self.reply += block
            except TimeoutError:
                return
        self.seconds = time.monotonic() - began

    def wait(self) -> None:
        self._thread.join()


@pytest.fixture(scope="module", autouse=True)
def half_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, HalfOpen]]:
    """Half requests that wait for the daemon's patience to end while the other tests of this file run."""
    clients: dict[str, HalfOpen] = {}
    daemons = [
        ActivatedDaemon(
            tmp_path_factory.mktemp("h"),
            ollama_url=NOWHERE,
            model=BASE,
            daemon=f"idle_timeout_seconds = {idle}",
            command=[str(BIN / "python"), "-c", IMPATIENT],
            options=None,
        )
        for idle in (1.0, 0.0)
    ]
    with daemons[0] as sleepy, daemons[1] as steady:
        clients["body"] = HalfOpen(sleepy, HALF_A_BODY)
        clients["head"] = HalfOpen(steady, HALF_A_HEAD)
        clients["second head"] = HalfOpen(steady, HALF_A_HEAD, first=A_REQUEST)
        yield clients
        for client in clients.values():
            client.wait()


def kept_bytes(daemon: ActivatedDaemon) -> bytes:
    return b"".join(file.read_bytes() for file in daemon.state.rglob("*") if file.is_file())


def test_fifty_at_once_are_answered_or_refused_at_once(tmp_path: Path) -> None:
    """c06: two run, eight wait, forty are told to come back, and none of these waits for the engine."""
    gate = threading.Event()

    def held(call: Call) -> None:
        call.start()
        call.wait_for(gate)
        call.say("So it is.")
        call.end()

    with FakeOllama() as engine, ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE, options=None) as daemon:
        daemon.ask("is all well")
        engine.reset()
        engine.chat = held
        outcomes: Counter[str] = Counter()
        hints: list[str | None] = []

        def one(number: int) -> None:
            message = {"question": f"what is a flake, {number}", "role": "quick", "stream": False}
            with daemon.request("POST", "/v1/ask", message) as reply:
                if reply.status == 429:
                    hints.append(reply.getheader("retry-after"))
                outcomes[{200: "answered", 429: "busy"}.get(reply.status, str(reply.status))] += 1
                assert reply.read()

        with ThreadPoolExecutor(50) as people:
            asked = [people.submit(one, number) for number in range(50)]
            try:
                # The gate is shut: whoever has a reply by now has not waited for an answer.
                eventually(lambda: sum(outcomes.values()) == 40)
                assert outcomes == {"busy": 40}
                queue = daemon.json("GET", "/v1/status")["queue"]
                assert (queue["running"], queue["waiting"]) == (2, 8)
            finally:
                gate.set()
            for question in asked:
                question.result()
        assert outcomes == {"busy": 40, "answered": 10}
        assert all(hint is not None and int(hint) >= 1 for hint in hints)
        assert engine.most_at_once == 2
        assert len(engine.chats) == 10
        assert Counter(row["outcome"] for row in daemon.rows()) == {"answered": 11, "failed": 40}


def test_a_thousand_questions_to_a_dead_engine_are_kept_and_fill_no_journal(tmp_path: Path) -> None:
    """c27: the database has every question, the journal only says what the matter is."""
    daemon = ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE, options=None)
    with daemon, ThreadPoolExecutor(4) as people:
        replies = list(people.map(lambda number: daemon.ask(f"what is flake number {number}"), range(1000)))
        assert len(replies) == 1000
        assert all("error" in reply or reply["outcome"] == "answered" for reply in replies)
        assert daemon.json("GET", "/v1/status")["logging"]["exchanges"] == 1000
        rows = daemon.rows()
        assert {row["outcome"] for row in rows} <= {"answered", "failed"}
        assert len({row["question"] for row in rows}) == 1000
        assert len(daemon.log.read_text().splitlines()) < 200


def test_answers_from_the_search_alone_fill_no_journal_either(tmp_path: Path) -> None:
    """c27: the same, where the search stands in for the engine; fewer, since each takes a search."""
    with ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE) as daemon, ThreadPoolExecutor(4) as people:
        replies = list(people.map(lambda number: daemon.ask(f"what is flake number {number}"), range(60)))
        assert {reply["outcome"] for reply in replies} == {"answered"}
        assert daemon.json("GET", "/v1/status")["logging"]["exchanges"] == 60
        assert len(daemon.log.read_text().splitlines()) < 30


def test_an_answered_question_is_a_few_lines_in_the_journal(tmp_path: Path) -> None:
    """c27: at most five lines a question, none of which repeats the question."""
    with FakeOllama() as engine, ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE) as daemon:
        daemon.ask("is all well")
        eventually(lambda: "engine ready" in daemon.log.read_text())
        before = len(daemon.log_lines())
        for _ in range(10):
            assert daemon.ask("what is zanzibarflake")["outcome"] == "answered"
        assert len(daemon.log_lines()) - before <= 50
        assert "zanzibarflake" not in daemon.log.read_text()


def test_with_logging_off_nothing_is_kept(tmp_path: Path) -> None:
    """c17: no row, and not a word of it in any file under the state folder."""
    off = "[logging]\nexchanges = false"
    with FakeOllama() as engine, ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE, config=off) as daemon:
        engine.chat = answers("It is a frobnicatedflake.")
        answer = daemon.ask("what is a quixoticflake", session="mine", attachment="and plumbusflake")
        assert answer["outcome"] == "answered"
        assert answer["kept"] is False
        assert "error" in daemon.ask(" ")
        logging = daemon.json("GET", "/v1/status")["logging"]
        assert (logging["state"], logging["exchanges"]) == ("off", 0)
        assert daemon.rows() == []
        assert daemon.client("nix-trinity", "good").returncode == 1, "there is nothing to judge"
        for word in (b"quixoticflake", b"plumbusflake", b"frobnicatedflake"):
            assert word not in kept_bytes(daemon)
    for word in (b"quixoticflake", b"plumbusflake"):
        assert word not in kept_bytes(daemon) + daemon.log.read_bytes()


def test_a_backup_while_others_write_is_whole(tmp_path: Path) -> None:
    """c17: five copies, each taken while four people ask."""
    enough = threading.Event()

    def keep_asking(daemon: ActivatedDaemon) -> int:
        asked = 0
        while not enough.is_set():
            asked += daemon.ask("what is a flake", attachment="a line of the log\n" * 100).get("outcome") == "answered"
        return asked

    with FakeOllama() as engine, ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE, options=None) as daemon:
        daemon.ask("is all well")
        counts = [0]
        with ThreadPoolExecutor(4) as people:
            asked = [people.submit(keep_asking, daemon) for _ in range(4)]
            try:
                for number in range(5):
                    eventually(lambda: daemon.json("GET", "/v1/status")["logging"]["exchanges"] > counts[-1])
                    copy = tmp_path / f"copy{number}.db"
                    done = daemon.client("nix-trinity", "backup", str(copy))
                    assert done.returncode == 0, done.stderr
                    assert copy.stat().st_mode & 0o777 == 0o600
                    counts.append(checked_rows(copy))
            finally:
                enough.set()
        assert counts == sorted(counts)
        assert counts[-1] > counts[1], "there was writing between the copies"
        total = sum(question.result() for question in asked)
        assert daemon.json("GET", "/v1/status")["logging"]["exchanges"] == total + 1
        assert [file.name for file in daemon.state.iterdir() if "backup" in file.name] == []


def checked_rows(copy: Path) -> int:
    """How many exchanges a copy has, once it has been found whole and without a half-written one."""
    connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return int(connection.execute("SELECT count(*) FROM exchanges").fetchone()[0])
    finally:
        connection.close()


def test_half_a_request_does_not_keep_an_idle_daemon(tmp_path: Path) -> None:
    idle = "idle_timeout_seconds = 0.5"
    with ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE, daemon=idle) as daemon:
        client = HalfOpen(daemon, HALF_A_HEAD)
        eventually(lambda: not daemon.running)
        client.wait()
        assert client.seconds < 10


def test_half_a_body_is_refused_in_time_and_then_the_daemon_may_leave(half_open: dict[str, HalfOpen]) -> None:
    client = half_open["body"]
    client.wait()
    assert client.reply.startswith(b"HTTP/1.1 408 ")
    assert b'"request_timeout"' in client.reply
    assert REQUEST_SECONDS - 1 < client.seconds < REQUEST_SECONDS + SLACK_SECONDS
    eventually(lambda: not client.daemon.running)


def test_half_a_head_is_refused_in_time(half_open: dict[str, HalfOpen]) -> None:
    client = half_open["head"]
    client.wait()
    assert client.seconds < REQUEST_SECONDS + SLACK_SECONDS
    assert b'"error"' in client.reply
    assert client.daemon.json("GET", "/v1/status")["queue"]["running"] == 0


def test_half_a_second_head_on_a_kept_connection_is_refused_in_time(half_open: dict[str, HalfOpen]) -> None:
    client = half_open["second head"]
    client.wait()
    assert client.reply.startswith(b"HTTP/1.1 200 ")
    assert client.seconds < REQUEST_SECONDS + SLACK_SECONDS
