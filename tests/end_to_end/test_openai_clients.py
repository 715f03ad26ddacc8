"""Real clients of OpenAI's API against the daemon: ``openai`` and ``llm`` from PyPI, ``openai`` from npm under Node.

Over TCP with the token, and ``openai`` over the Unix socket too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.stack import node_client
from tests.stack.errors import StackError
from tests.stack.fake_ollama import BASE, Call, FakeOllama, answers, refuses
from tests.stack.node_client import NodeClient
from tests.stack.parts import Part, State
from tests.stack.waiting import eventually
from tests.unit.test_http_door import TOKEN, Door, opened

SCRIPT = Path(__file__).resolve().parents[1] / "data" / "ask.mjs"
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "what is a flake"}]
SAID = "A flake is a folder with a lock file."


@pytest.fixture(scope="module")
def module_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    config = "[answering]\nmax_running = 1\nmax_waiting = 0"
    corpus = f'embedding_model = "{BASE}"'
    with FakeOllama() as engine, opened(tmp_path_factory.mktemp("d"), engine, config=config, corpus=corpus) as door:
        yield door


@pytest.fixture
def door(module_door: Door) -> Door:
    module_door.engine.reset()
    return module_door


@pytest.fixture(params=["tcp", "unix"])
def client(request: pytest.FixtureRequest, door: Door) -> Iterator[openai.OpenAI]:
    """As a person would set it up, at either door."""
    with openai_client(door, unix=request.param == "unix") as made:
        yield made


def openai_client(door: Door, *, unix: bool = False, key: str = TOKEN, **more: Any) -> openai.OpenAI:
    if unix:
        transport = httpx2.HTTPTransport(uds=str(door.daemon.socket))
        http = httpx2.Client(transport=transport)
        return openai.OpenAI(base_url="http://localhost/v1", api_key="none is needed", http_client=http, **more)
    return openai.OpenAI(base_url=f"http://127.0.0.1:{door.port}/v1", api_key=key, **more)


def rows(door: Door) -> list[dict[str, Any]]:
    return door.daemon.rows()


def test_openai_asks(client: openai.OpenAI, door: Door) -> None:
    before = len(rows(door))
    answer = client.chat.completions.create(model="nix-quick", messages=QUESTION, temperature=0, max_tokens=5)
    content = answer.choices[0].message.content or ""
    assert content.startswith(SAID)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 7
    assert answer.model_extra is not None
    assert answer.model_extra["nix_trinity"]["verdict"] in content
    (row,) = rows(door)[: len(rows(door)) - before]
    assert (row["interface"], row["id"]) == ("openai", answer.id.removeprefix("chatcmpl-"))


def test_openai_streams(client: openai.OpenAI, door: Door) -> None:
    door.engine.chat = answers("A flake is a folder. ", "It has a lock file.")
    stream = client.chat.completions.create(
        model="nix-trinity", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("A flake is a folder. It has a lock file.")
    assert len(chunks) >= 5
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 7


def test_openai_goes_on_with_a_conversation(client: openai.OpenAI, door: Door) -> None:
    first = client.chat.completions.create(model="nix-quick", messages=QUESTION)
    said = first.choices[0].message.content or ""
    going_on: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be short."},
        *QUESTION,
        {"role": "assistant", "content": said},
        {"role": "user", "content": "and why is it so"},
    ]
    client.chat.completions.create(model="nix-quick", messages=going_on)
    told = door.engine.chats[-1]["messages"]
    assert [message["content"] for message in told[:-1]] == ["what is a flake", SAID]
    assert len({row["session"] for row in rows(door)[:2]}) == 1


def test_openai_lists_models_and_embeds(client: openai.OpenAI, door: Door) -> None:
    assert [model.id for model in client.models.list()][:2] == ["nix-trinity", "nix-expert"]
    assert client.models.retrieve("nix-coder").owned_by == "nix-trinity"
    made = client.embeddings.create(model="nix-embedding", input=["a flake", "a channel"])
    plain = client.embeddings.create(model="nix-embedding", input=["a flake", "a channel"], encoding_format="float")
    assert len(made.data) == 2
    for ours, theirs in zip(made.data, plain.data, strict=True):
        assert ours.embedding == pytest.approx(theirs.embedding)


def test_openai_shows_what_is_wrong(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"There is no model 'gpt-4'\. There is: nix-trinity") as missing:
        client.chat.completions.create(model="gpt-4", messages=QUESTION)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    picture: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}
    ]
    with pytest.raises(openai.BadRequestError, match="NixTrinity reads text alone"):
        client.chat.completions.create(model="nix-quick", messages=picture)
    with pytest.raises(openai.BadRequestError, match="The question is empty"):
        client.chat.completions.create(model="nix-quick", messages=[{"role": "user", "content": " "}])
    with pytest.raises(openai.NotFoundError, match="choose chat completions"):
        client.responses.create(model="nix-quick", input="what is a flake")


def test_openai_shows_a_wrong_token_and_no_more(door: Door) -> None:
    before = len(rows(door))
    with (
        openai_client(door, key=f"{TOKEN}x") as stranger,
        pytest.raises(openai.AuthenticationError, match="This port wants its token") as refused,
    ):
        stranger.chat.completions.create(model="nix-quick", messages=QUESTION)
    assert refused.value.code == "unauthorized"
    assert "httpTokenFile" in str(refused.value)
    with (
        openai_client(door, default_headers={"Origin": "http://evil.example"}) as page,
        pytest.raises(openai.PermissionDeniedError, match=r"comes from a page of 'http://evil\.example'"),
    ):
        page.chat.completions.create(model="nix-quick", messages=QUESTION)
    assert len(rows(door)) == before
    assert door.engine.chats == []


def test_openai_asks_once_where_the_engine_fails(client: openai.OpenAI, door: Door) -> None:
    """Its own second and third try would be rows, and the person would wait for them."""
    before = len(rows(door))
    door.engine.chat = refuses(500, "blob is damaged")
    with pytest.raises(openai.InternalServerError, match="blob is damaged") as failed:
        client.chat.completions.create(model="nix-quick", messages=QUESTION)
    assert failed.value.code == "engine_failed"
    assert len(rows(door)) == before + 1


def test_openai_comes_again_where_all_places_are_taken(door: Door) -> None:
    def slowly(call: Call) -> None:
        call.start()
        call.say("A flake is a folder.", pause=0.5)
        call.end()

    door.engine.chat = slowly
    with openai_client(door) as first, openai_client(door) as second:
        running = first.chat.completions.create(model="nix-quick", messages=QUESTION, stream=True)
        next(iter(running))
        answer = second.chat.completions.create(model="nix-quick", messages=QUESTION)
        assert (answer.choices[0].message.content or "").startswith("A flake is a folder.")
        running.close()
    outcomes = [row["error_code"] for row in rows(door)[:3]]
    assert "busy" in outcomes


def test_openai_that_closes_its_stream_stops_the_model(client: openai.OpenAI, door: Door) -> None:
    def endlessly(call: Call) -> None:
        call.start()
        call.say("A flake is a folder. ")
        call.wait()

    door.engine.chat = endlessly
    with client.chat.completions.create(model="nix-quick", messages=QUESTION, stream=True) as stream:
        next(iter(stream))
    left = time.monotonic()
    eventually(lambda: door.engine.closed)
    assert door.engine.closed[0] - left < 1
    eventually(lambda: rows(door)[0]["outcome"] == "cancelled")


def test_openai_shows_what_broke_in_mid_stream(client: openai.OpenAI, door: Door) -> None:
    def breaks(call: Call) -> None:
        call.start()
        call.say("This is half an answer. And more ")
        call.raw(b'{"error": "out of memory"}\n')

    door.engine.chat = breaks
    chunks: list[str] = []
    stream = client.chat.completions.create(model="nix-quick", messages=QUESTION, stream=True)
    with pytest.raises(openai.APIError, match="out of memory"):
        chunks.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "This is half an answer." in "".join(chunks)


class Llm:
    """The program ``llm`` with a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self._environment = {**os.environ, "LLM_USER_PATH": str(folder), "HOME": str(folder)}
        (folder / "extra-openai-models.yaml").write_text(
            f"- model_id: nix\n  model_name: nix-trinity\n  api_base: http://127.0.0.1:{port}/v1\n"
            "  api_key_name: nix-trinity\n"
        )

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "llm", *words]
        return subprocess.run(
            command, input=stdin, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def llm(door: Door, tmp_path: Path) -> Llm:
    made = Llm(tmp_path, door.port)
    assert made("keys", "set", "nix-trinity", "--value", TOKEN).returncode == 0
    return made


def test_llm_asks_and_goes_on(llm: Llm, door: Door) -> None:
    assert "nix" in llm("models").stdout
    first = llm("-m", "nix", "what is a flake")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(SAID)
    assert "[NixTrinity: " in first.stdout
    again = llm("-c", "and why is it so", "--no-stream")
    assert again.returncode == 0, again.stderr
    told = door.engine.chats[-1]["messages"]
    assert [message["content"] for message in told[:-1]] == ["what is a flake", SAID]
    two, one = rows(door)[:2]
    assert (one["interface"], two["interface"], one["session"]) == ("openai", "openai", two["session"])


def test_llm_pipes_a_log_in_with_a_wish(llm: Llm, door: Door) -> None:
    log = "\n".join(f"{number}: unit nginx failed at /run/x{number}" for number in range(200))
    done = llm("-m", "nix", "-s", "Why does this fail?", stdin=log)
    assert done.returncode == 0, done.stderr
    row = rows(door)[0]
    assert "unit nginx failed" in row["attachment"]
    assert "Why does this fail?" in row["attachment"]
    assert llm("-m", "nix", "why does it fail?", stdin=f"{log}\n").returncode == 0
    row = rows(door)[0]
    assert (row["question"], row["attachment"]) == ("why does it fail?", log)


def test_llm_shows_what_is_wrong(llm: Llm, door: Door) -> None:
    door.engine.chat = refuses(500, "blob is damaged")
    done = llm("-m", "nix", "what is a flake")
    assert done.returncode == 1
    assert "blob is damaged" in done.stderr
    llm("keys", "set", "nix-trinity", "--value", "wrong")
    done = llm("-m", "nix", "what is a flake")
    assert done.returncode == 1
    assert "This port wants its token" in done.stderr


@pytest.fixture(scope="session")
def node(parts: list[Part]) -> NodeClient:
    try:
        made = node_client.obtain()
    except StackError as error:
        pytest.fail(f"no openai of npm's: {error}", pytrace=False)
    parts.append(Part("npm's openai", State.RAN, f"{node_client.VERSION}: {made.folder}"))
    return made


def under_node(node: NodeClient, door: Door, request: dict[str, Any], key: str = TOKEN) -> dict[str, Any]:
    url = f"http://127.0.0.1:{door.port}/v1"
    command = [node.node, str(SCRIPT), str(node.folder), url, key, json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


@pytest.mark.parametrize("stream", [True, False])
def test_npms_openai_asks(node: NodeClient, door: Door, stream: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    seen = under_node(node, door, {"model": "nix-coder", "messages": QUESTION, "stream": stream, **options})
    assert seen["error"] is None
    assert seen["models"][0] == "nix-trinity"
    assert seen["text"].startswith(SAID)
    assert "[NixTrinity: " in seen["text"]
    assert (seen["finish"], seen["usage"]["completion_tokens"], seen["own"]["role"]) == ("stop", 7, "coder")
    assert rows(door)[0]["id"] == seen["own"]["id"]


def test_npms_openai_shows_what_is_wrong(node: NodeClient, door: Door) -> None:
    before = len(rows(door))
    seen = under_node(node, door, {"model": "gpt-4", "messages": QUESTION})
    assert (seen["error"]["kind"], seen["error"]["code"]) == ("NotFoundError", "model_not_found")
    assert "There is: nix-trinity" in seen["error"]["message"]
    seen = under_node(node, door, {"model": "nix-quick", "messages": QUESTION}, key="wrong")
    assert (seen["error"]["kind"], seen["error"]["status"]) == ("AuthenticationError", 401)
    assert "httpTokenFile" in seen["error"]["message"]
    door.engine.chat = refuses(500, "blob is damaged")
    seen = under_node(node, door, {"model": "nix-quick", "messages": QUESTION, "stream": True})
    assert (seen["error"]["kind"], seen["error"]["code"]) == ("InternalServerError", "engine_failed")
    assert "blob is damaged" in seen["error"]["message"]
    assert len(rows(door)) == before + 1
