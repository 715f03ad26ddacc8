"""``[ollama] enabled = false``: the search alone answers, as was wanted, and nobody asks for an engine."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nix_trinity.engines.off import OffEngine
from nix_trinity.engines.protocol import ChatRequest, CreateRequest, Engine
from nix_trinity.errors import EngineOffError
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama

OFF = "enabled = false"
EMBEDDING = 'embedding_model = "nomic-embed-text"'
QUESTION = "how do I enable the OpenSSH server"


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeOllama]:
    """One that would answer, if it were asked."""
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def daemon(engine: FakeOllama, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActivatedDaemon]:
    folder = tmp_path_factory.mktemp("d")
    with ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, ollama=OFF, corpus=EMBEDDING) as running:
        yield running


def test_the_search_answers_and_it_is_no_fault(daemon: ActivatedDaemon) -> None:
    done = daemon.client("ask-nix-guru", *QUESTION.split())
    assert done.returncode == 0, done.stderr
    assert "services.openssh.enable" in done.stdout
    notices = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(notices) == 1
    assert notices[0].startswith("note: No model is configured")
    for words in ("services.nixTrinity.ollama.enable", "ollama.enabled"):
        assert words in notices[0]
    answer = daemon.ask(QUESTION)
    assert (answer["degraded"], answer["model"], answer["known"]) == (None, "", None)
    assert answer["outcome"] == "answered"
    assert answer["verdict"] == "verified"
    row = daemon.json("GET", f"/v1/history/{answer['id']}")["exchange"]
    assert (row["outcome"], row["error_code"], row["model"]) == ("answered", None, None)


def test_what_was_confirmed_is_known_without_an_engine(daemon: ActivatedDaemon) -> None:
    asked = "how do I turn on the printing service CUPS"
    first = daemon.ask(asked)
    daemon.json("POST", "/v1/feedback", {"id": first["id"], "verdict": "good"})
    assert daemon.ask(asked)["known"] == first["id"]


def test_status_says_that_it_is_off(daemon: ActivatedDaemon) -> None:
    status = daemon.json("GET", "/v1/status")
    assert status["engine"] == {
        "kind": "off", "url": "", "reachable": None, "version": None, "error": None, "reloads": 0,
        "roles": [],
    }  # fmt: skip
    assert status["engines"] == [status["engine"]]
    assert status["roles"] == []
    assert status["corpus"]["vectors"] is None
    shown = daemon.client("nix-trinity", "status").stdout
    assert "engine     off" in shown
    assert "!" not in shown


@pytest.mark.parametrize("words", [["build"], ["build", "--force"], ["build", "--kind", "manual"]])
def test_builds_are_refused_with_a_way_out(daemon: ActivatedDaemon, words: list[str]) -> None:
    done = daemon.client("nix-trinity", *words)
    assert done.returncode == 6
    problem, remedy = done.stderr.splitlines()
    assert problem.startswith("error: No model is configured (ollama.enabled is false), so ")
    assert "services.nixTrinity.ollama.enable = true" in remedy
    assert daemon.json("GET", "/v1/builds")["builds"] == [], "none was begun"


def test_old_exchanges_are_pruned_and_versions_left(daemon: ActivatedDaemon) -> None:
    done = daemon.client("nix-trinity", "prune")
    assert done.returncode == 0, done.stderr
    pruned = daemon.json("POST", "/v1/prune", {"dry_run": True})
    assert (pruned["dry_run"], pruned["versions"], pruned["kept"]) == (True, [], [])


def test_nothing_was_asked_of_any_engine_and_nothing_is_complained_of(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    daemon.ask(QUESTION)
    time.sleep(1.5)  # longer than until the first probe, and until vectors would be begun
    assert engine.requests == []
    levels = {line["level"] for line in daemon.log_lines()}
    assert levels <= {"info", "debug"}, daemon.log.read_text()


def test_without_options_too_nobody_can_answer(tmp_path: Path) -> None:
    with ActivatedDaemon(tmp_path, ollama_url="http://127.0.0.1:1", model=BASE, ollama=OFF, options=None) as daemon:
        done = daemon.client("ask-nix-guru", "--json", "what", "is", "a", "flake")
    assert done.returncode == 6
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "engine_off"
    assert "services.nixTrinity.ollama.enable" in error["hint"]


def test_whatever_is_asked_of_it_says_that_it_is_off() -> None:
    engine: Engine = OffEngine()

    async def ask() -> None:
        given = {
            "model": "m", "texts": ["t"], "num_ctx": 1, "source": "a", "destination": "b",
        }  # fmt: skip
        requests = {"chat": ChatRequest("m", (), 1, 1), "create": CreateRequest("n", "m")}
        for name, method in inspect.getmembers(engine, inspect.ismethod):
            names = inspect.signature(method).parameters
            arguments = [requests[name] if one == "request" else given[one] for one in names]
            if name == "close":
                await method()
                continue
            if name == "of":
                assert method("m") is engine
                continue
            if name == "remedy":
                assert "ollama.enabled" in method("m")
                continue
            with pytest.raises(EngineOffError) as caught:
                await method(*arguments)
            assert caught.value.stable_code == "engine_off"
            assert "ollama.enabled" in caught.value.message

    asyncio.run(ask())
