"""Roles on engines of both kinds through the whole daemon: the key, the status, and who answers when an engine is away."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stack.daemon_process import SAMPLE_OPTIONS, ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama
from tests.stack.fake_ollama import answers as ollama_answers
from tests.stack.fake_openai import BASE as SERVED
from tests.stack.fake_openai import EMBEDDING, Call, FakeOpenAI, answers, in_turn, refuses
from tests.stack.waiting import eventually

ROLES = ("expert", "empathy", "coder", "quick")
KEY = "sk-0123456789abcdefSECRET"
QUESTION = "what is a derivation"
DEAD = "http://127.0.0.1:9/v1"


@contextmanager
def running(
    folder: Path,
    *,
    served: Mapping[str, str],
    ollama_url: str = "",
    section: str = "",
    models: str = "",
    ollama: str = "",
    corpus: str = "",
    config: str = "",
    options: bool = False,
) -> Iterator[ActivatedDaemon]:
    """``served``: roles on servers with OpenAI's API, and their addresses ('' for the one of [openai])."""
    roles = {
        role: f'engine = "openai"\nmodel = "{SERVED}"\n' + (f'url = "{url}"' if url else "")
        for role, url in served.items()
    }
    folder.mkdir(exist_ok=True)
    daemon = ActivatedDaemon(
        folder,
        ollama_url=ollama_url or "http://127.0.0.1:9",
        model=BASE,
        roles=roles,
        models=models,
        ollama=ollama,
        corpus=corpus,
        config=f"[openai]\n{section}\n{config}",
        options=SAMPLE_OPTIONS if options else None,
    )
    with daemon as started:
        yield started


def row(daemon: ActivatedDaemon, answer: Mapping[str, Any]) -> dict[str, Any]:
    exchange: dict[str, Any] = daemon.json("GET", f"/v1/history/{answer['id']}")["exchange"]
    return exchange


def test_all_roles_on_a_server_is_a_whole_product_without_ollama(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    with FakeOpenAI(key=KEY) as fake:
        section = f'url = "{fake.url}"\napi_key_file = "{key}"'
        served = dict.fromkeys(ROLES, "")
        corpus = f'embedding_model = "{EMBEDDING}"'
        with running(
            tmp_path / "d", served=served, section=section, ollama="enabled = false", corpus=corpus, options=True
        ) as daemon:
            answer = daemon.ask("who are you", fresh=True)
            assert (answer["model"], answer["degraded"]) == ("nix-quick", None)
            assert row(daemon, answer)["model"] == "nix-quick"
            assert row(daemon, answer)["prompt_tokens"] > 100
            eventually(lambda: {one["state"] for one in daemon.json("GET", "/v1/status")["roles"]} == {"ready"})
            status = daemon.json("GET", "/v1/status")
            assert (status["engine"]["kind"], status["engine"]["roles"]) == ("openai", list(ROLES))
            assert status["engine"]["reachable"]
            assert len(status["roles"]) == 4
            eventually(lambda: (daemon.json("GET", "/v1/status")["corpus"]["vectors"] or {}).get("done", 0) > 0)
            shown = daemon.client("nix-trinity", "status").stdout
            assert f"openai at {fake.url}: answers" in shown
            assert daemon.client("nix-trinity", "prune").returncode == 0
            # The key is nowhere but in the requests.
            told = json.dumps(status) + shown + daemon.log.read_text() + daemon.client("nix-trinity", "history").stdout
            assert KEY not in told
            kept = b"".join(path.read_bytes() for path in daemon.state.rglob("*") if path.is_file())
            assert KEY.encode() not in kept
            # Another key is taken up without a restart; a wrong one is said to be that, and the search answers.
            fake.key = "sk-another-one-0987654321"
            answer = daemon.ask("who are you again", fresh=True)
            assert answer["degraded"] == "engine_unauthorized"
            assert any("apiKeyFile" in notice for notice in answer["notices"])
            key.write_text(fake.key)
            assert daemon.ask("who are you now", fresh=True)["model"] == "nix-quick"
        authorized = {request.headers.get("Authorization") for request in fake.requests}
        assert f"Bearer {KEY}" in authorized


def test_a_key_goes_to_its_own_address_alone(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    with FakeOpenAI() as ours, FakeOpenAI() as theirs:
        section = f'url = "{ours.url}"\napi_key_file = "{key}"'
        with running(
            tmp_path / "d", served={**dict.fromkeys(ROLES, ""), "quick": theirs.url}, section=section
        ) as daemon:
            assert daemon.ask(QUESTION)["model"] == "nix-quick"
            assert daemon.ask(QUESTION, role="expert", fresh=True)["model"] == "nix-expert"
        assert all("Authorization" not in request.headers for request in theirs.requests)
        assert all(request.headers["Authorization"] == f"Bearer {KEY}" for request in ours.requests)


def test_nobody_stands_in_unless_it_is_wanted(tmp_path: Path) -> None:
    """What was meant for one machine is not sent to another one unasked."""
    with FakeOllama() as ollama, running(tmp_path, served={"quick": DEAD}, ollama_url=ollama.url) as daemon:
        answer = daemon.ask(QUESTION)
        assert answer["error"]["code"] == "engine_unreachable"
        assert DEAD in answer["error"]["message"]
        assert ollama.chats == []
        assert daemon.ask(QUESTION, role="expert")["model"] == "nix-expert", "its own engine is there"


@pytest.mark.parametrize("order", ["true", '["coder", "expert"]'])
def test_another_roles_model_stands_in_and_the_answer_says_so(tmp_path: Path, order: str) -> None:
    with (
        FakeOllama() as ollama,
        running(tmp_path, served={"quick": DEAD}, ollama_url=ollama.url, models=f"fall_back = {order}") as daemon,
    ):
        first = "nix-expert" if order == "true" else "nix-coder"
        for _ in range(2):
            answer = daemon.ask(QUESTION, fresh=True)
            assert (answer["model"], answer["role"], answer["degraded"]) == (first, "quick", None)
            [notice] = [one for one in answer["notices"] if "engine of quick" in one]
            assert DEAD in notice
            assert first.removeprefix("nix-") in notice
            assert ollama.url in notice
            kept = row(daemon, answer)
            assert (kept["model"], kept["role"], kept["outcome"]) == (first, "quick", "answered")
        status = daemon.client("nix-trinity", "status").stdout
        assert "for quick" in status


def test_the_way_there_and_back_and_a_slow_death(tmp_path: Path) -> None:
    """A server that goes away while a question waits: what was announced is set right at the end, and healed after."""

    def dies(call: Call) -> None:
        call.start()
        call.wait(0.6)
        call.hang_up()

    with (
        FakeOllama() as ollama,
        FakeOpenAI() as fake,
        running(tmp_path, served={"quick": fake.url}, ollama_url=ollama.url, models="fall_back = true") as daemon,
    ):
        ollama.chat = ollama_answers("From Ollama.")
        assert daemon.ask(QUESTION, fresh=True)["model"] == "nix-quick"
        fake.chat = dies
        with daemon.request("POST", "/v1/ask", {"question": QUESTION, "role": "quick", "fresh": True}) as reply:
            events = [json.loads(line) for line in reply.read().splitlines()]
        [begun] = [event for event in events if event["event"] == "started"]
        ended = events[-1]
        assert begun["model"] == "nix-quick"
        assert (ended["event"], ended["degraded"]) == ("ended", None)
        assert any("nix-expert" in one or "model of expert answers" in one for one in ended["notices"])
        assert "".join(event.get("text", "") for event in events).strip() == "From Ollama."
        assert row(daemon, ended)["model"] == "nix-expert"
        fake.chat = answers("Back again.")
        assert daemon.ask(QUESTION, fresh=True)["answer"].strip() == "Back again."


def test_after_the_first_word_nobody_stands_in(tmp_path: Path) -> None:
    def dies(call: Call) -> None:
        call.start()
        call.say("A derivation is ")
        call.wait(0.3)
        call.hang_up()

    with (
        FakeOllama() as ollama,
        FakeOpenAI() as fake,
        running(tmp_path, served={"quick": fake.url}, ollama_url=ollama.url, models="fall_back = true") as daemon,
    ):
        fake.chat = dies
        with daemon.request("POST", "/v1/ask", {"question": QUESTION, "role": "quick"}) as reply:
            reply.read()
        assert ollama.chats == []
        assert daemon.rows()[0]["model"] == "nix-quick"
        assert daemon.rows()[0]["outcome"] != "answered"


def test_nobody_left_is_the_error_of_the_roles_own_engine(tmp_path: Path) -> None:
    with running(tmp_path, served={"quick": DEAD}, models="fall_back = true") as daemon:
        answer = daemon.ask(QUESTION)
        assert answer["error"]["code"] == "engine_unreachable"
        assert DEAD in answer["error"]["message"]


def test_busy_is_honoured_twice_at_most_and_not_for_minutes(tmp_path: Path) -> None:
    """c06, with the server's own word for when."""
    wait = refuses(429, "slow down", headers={"Retry-After": "1"})
    with FakeOpenAI() as fake, running(tmp_path, served={"quick": fake.url}) as daemon:
        daemon.ask(QUESTION, fresh=True)
        fake.reset()
        fake.chat = in_turn(wait, answers("At last."))
        began = time.monotonic()
        assert daemon.ask(QUESTION, fresh=True)["answer"].strip() == "At last."
        assert 1.0 <= time.monotonic() - began < 4
        fake.reset()
        fake.chat = refuses(429, "slow down", headers={"Retry-After": "0"})
        assert daemon.ask(QUESTION, fresh=True)["error"]["code"] == "engine_busy"
        assert len(fake.chats) == 3
        fake.reset()
        fake.chat = refuses(429, "slow down", headers={"Retry-After": "120"})
        began = time.monotonic()
        error = daemon.ask(QUESTION, fresh=True)["error"]
        assert time.monotonic() - began < 3
        assert (error["code"], len(fake.chats)) == ("engine_busy", 1)
        assert "120 s" in error["hint"]


def test_a_context_that_is_too_small_is_tried_once_with_half(tmp_path: Path) -> None:
    """c02."""
    with FakeOpenAI() as fake, running(tmp_path, served={"quick": fake.url}) as daemon:
        fake.chat = in_turn(
            refuses(400, "maximum context length is 512", code="context_length_exceeded"), answers("Ok.")
        )
        assert daemon.ask(QUESTION, fresh=True)["answer"].strip() == "Ok."
        fake.reset()
        fake.chat = refuses(400, "maximum context length is 512", code="context_length_exceeded")
        assert daemon.ask(QUESTION, fresh=True)["error"]["code"] == "context_too_long"
        assert len(fake.chats) == 2


def test_a_model_that_is_not_served_is_named_with_those_that_are(tmp_path: Path) -> None:
    """c11."""
    with FakeOpenAI() as fake:
        fake.models = [{"id": "something-else"}]
        with running(tmp_path, served={"quick": fake.url}) as daemon:
            error = daemon.ask(QUESTION)["error"]
            assert error["code"] == "model_missing"
            for words in (SERVED, "something-else", "services.nixTrinity.roles.quick.model"):
                assert words in error["message"] + error["hint"]
            assert "ollama pull" not in error["hint"]
            done = daemon.client("ask-nix-guru", "--role", "quick", *QUESTION.split())
            assert done.returncode == 7


def test_a_prompt_that_the_server_cut_is_flagged(tmp_path: Path) -> None:
    """c01: Ollama's own /v1 drops the beginning of what is too long without a word."""

    def cuts(call: Call) -> None:
        call.start()
        call.say("Whatever.")
        call.end(prompt_tokens=10)

    with FakeOpenAI() as fake, running(tmp_path, served={"quick": fake.url}) as daemon:
        fake.chat = cuts
        answer = daemon.ask(QUESTION, fresh=True)
        assert answer["truncated"] is True
        assert row(daemon, answer)["learnable"] in (0, False, None)
