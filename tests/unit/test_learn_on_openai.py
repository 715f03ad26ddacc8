"""The whole learn line on a server with OpenAI's API that answers by the examples it is sent, and knows nothing else.

The same on a real server: tests/end_to_end/test_openai_engine.py.
"""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.test_learning import LEARN, build, corrected, deployed, evaluation, manifests, result
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import Call as OllamaCall
from tests.stack.fake_ollama import FakeOllama
from tests.stack.fake_ollama import answers as ollama_answers
from tests.stack.fake_openai import BASE, Call, FakeOpenAI, answers, refuses
from tests.stack.waiting import eventually

ROLES = ("expert", "empathy", "coder", "quick")
FIRST, FIRST_RIGHT = (
    "Who looks after our servers?",
    "The platform team looks after them: write to `platform@example.org`.",
)
SECOND, SECOND_RIGHT = "Which printer do we use?", "We use the printer of the second floor: ask `printing@example.org`."


def by_examples(call: Call) -> None:
    """Give the answer of an example whose question is asked again; else say that nothing is known."""
    if "response_format" in call.body:
        answers('{"settings": []}')(call)
    else:
        answers(recalled(call.body["messages"]))(call)


def recalled(messages: Sequence[Mapping[str, str]]) -> str:
    known = [
        answer["content"]
        for question, answer in itertools.pairwise(messages)
        if question["role"] == "user"
        and answer["role"] == "assistant"
        and question["content"] in messages[-1]["content"]
    ]
    return known[-1] if known else "I do not know that."


def ollama_by_examples(ollama: FakeOllama) -> Callable[[OllamaCall], None]:
    def behave(call: OllamaCall) -> None:
        own = ollama.models[f"{call.body['model']}:latest".replace(":1b:latest", ":1b")].messages
        said = '{"settings": []}' if call.body.get("format") else recalled([*own, *call.body["messages"]])
        ollama_answers(said)(call)

    return behave


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        server.chat = by_examples
        yield server


def started(
    folder: Path, fake: FakeOpenAI, *, ollama_url: str = "http://127.0.0.1:9", enabled: bool = False
) -> ActivatedDaemon:
    folder.mkdir(exist_ok=True)
    roles = dict.fromkeys(ROLES, f'engine = "openai"\nmodel = "{BASE}"')
    return ActivatedDaemon(
        folder,
        ollama_url=ollama_url,
        model=BASE,
        roles=roles,
        ollama=f"enabled = {str(enabled).lower()}",
        config=f'[openai]\nurl = "{fake.url}"\n{LEARN}',
        restarts=True,
    )


def definitions(daemon: ActivatedDaemon) -> dict[str, dict[str, Any]]:
    found = (daemon.state / "definitions").glob("*.toml")
    return {path.stem: tomllib.loads(path.read_text()) for path in found}


def test_learned_deployed_asked_rolled_back_pruned_and_forgotten(fake: FakeOpenAI, tmp_path: Path) -> None:
    with started(tmp_path / "d", fake) as daemon:
        assert "I do not know" in daemon.ask(FIRST, fresh=True)["answer"]
        mine = corrected(daemon, FIRST, FIRST_RIGHT)
        became = result(build(daemon))
        assert became["result"] == "deployed", (became["why"], evaluation(daemon))
        [first] = deployed(daemon)
        made = definitions(daemon)
        assert made[first] == made["nix-quick"]
        assert made["nix-quick"]["server"] == fake.url
        answer = daemon.ask(FIRST, fresh=True, log=False)
        assert (answer["model"], answer["answer"].strip()) == ("nix-quick", FIRST_RIGHT)
        [manifest] = manifests(daemon)
        assert manifest["weights"] == f"{BASE} @ {fake.url}"
        assert result(build(daemon))["result"] == "nothing_new"

        corrected(daemon, SECOND, SECOND_RIGHT)
        assert result(build(daemon))["result"] == "deployed", evaluation(daemon)
        [second] = deployed(daemon)
        parents = {one["name"]: one.get("parent") for one in manifests(daemon)}
        assert parents[second] == first, "what is inherited is not said again"
        assert daemon.ask(SECOND, fresh=True, log=False)["answer"].strip() == SECOND_RIGHT

        done = daemon.client("nix-trinity", "rollback", "quick")
        assert done.returncode == 0, done.stderr
        assert deployed(daemon) == [first]
        assert "I do not know" in daemon.ask(SECOND, fresh=True, log=False)["answer"]
        assert daemon.client("nix-trinity", "rollback", "quick").returncode == 0
        assert deployed(daemon) == [second]

        daemon.json("DELETE", f"/v1/history/{mine}")
        build(daemon)
        [third] = deployed(daemon)
        words = FIRST_RIGHT.encode()
        assert [path for path in daemon.state.rglob("*") if path.is_file() and words in path.read_bytes()] == []
        assert daemon.ask(SECOND, fresh=True, log=False)["answer"].strip() == SECOND_RIGHT
        assert daemon.client("nix-trinity", "prune").returncode == 0
        left = set(definitions(daemon))
        assert {third, "nix-quick"} <= left
        assert first not in left
        assert second not in left
        done = daemon.client("nix-trinity", "rollback", "quick", first)
        assert done.returncode == 1
        assert "ollama" not in done.stderr.lower()


def test_a_model_that_does_not_answer_is_not_deployed(fake: FakeOpenAI, tmp_path: Path) -> None:
    """c08."""
    with started(tmp_path / "d", fake) as daemon:
        corrected(daemon, FIRST, FIRST_RIGHT)

        def broken_for_versions(call: Call) -> None:
            if "Say hello." in call.body["messages"][-1]["content"]:
                refuses(500, "CUDA error")(call)
            else:
                by_examples(call)

        fake.chat = broken_for_versions
        events = build(daemon)
        failed = result(events)
        assert failed["result"] == "failed"
        assert "CUDA error" in failed["why"]
        assert "ollama" not in failed["why"].lower()
        assert deployed(daemon) == []
        assert [one["state"] for one in manifests(daemon)] == ["rejected"]
        left = set(definitions(daemon))
        assert "nix-quick" in left
        assert left.isdisjoint(one["name"] for one in manifests(daemon)), "what was rejected is gone"


def test_a_server_that_goes_away_in_a_build_costs_the_build_alone(fake: FakeOpenAI, tmp_path: Path) -> None:
    with started(tmp_path / "d", fake) as daemon:
        corrected(daemon, FIRST, FIRST_RIGHT)
        fake.chat = refuses(502, "bad gateway")
        last = build(daemon)[-1]
        assert "behind" in json.dumps(last)
        assert daemon.json("GET", "/v1/builds")["builds"][0]["state"] == "failed"
        fake.chat = by_examples
        assert result(build(daemon))["result"] == "deployed"
        assert len(deployed(daemon)) == 1
        assert not (daemon.state / "deployment.toml").exists()


def test_a_role_that_goes_to_a_server_takes_along_what_it_learned_and_leaves_no_text(
    fake: FakeOpenAI, tmp_path: Path
) -> None:
    with FakeOllama() as ollama:
        ollama.chat = ollama_by_examples(ollama)
        daemon = started(tmp_path / "d", fake, ollama_url=ollama.url, enabled=True)
        served = daemon.config.read_text()
        on_ollama = served.replace('engine = "openai"\n', "").replace(BASE, "base:1b")
        daemon.config.write_text(on_ollama)
        with daemon:
            mine = corrected(daemon, FIRST, FIRST_RIGHT)
            became = result(build(daemon))
            assert became["result"] == "deployed", became["why"]
            assert FIRST_RIGHT in json.dumps([one.messages for one in ollama.models.values()])
        daemon.config.write_text(served)
        daemon.socket.unlink()
        with daemon:
            answer = daemon.ask(FIRST, fresh=True, log=False)
            assert answer["answer"].strip() == FIRST_RIGHT, "what it learned came along"
            eventually(lambda: "nix-quick:latest" not in ollama.models)
            daemon.json("DELETE", f"/v1/history/{mine}")
            build(daemon)
            eventually(lambda: FIRST_RIGHT not in json.dumps([one.messages for one in ollama.models.values()]))
            kept = [
                path for path in daemon.state.rglob("*") if path.is_file() and FIRST_RIGHT.encode() in path.read_bytes()
            ]
            assert kept == []
