"""Models that are definitions only: made, inherited, copied, shown, removed; and what is sent of them."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import pytest

from nix_trinity.engines.definitions import Definition, Definitions
from nix_trinity.engines.openai_compatible import OpenAIEngine
from nix_trinity.engines.protocol import ChatMessage, ChatRequest, CreateRequest, Engine
from nix_trinity.errors import EngineError, ModelMissingError, StorageError
from tests.stack.fake_openai import BASE, FakeOpenAI
from tests.unit.fake_engine import DiedError, FakeDisk, Machine

T = TypeVar("T")
EXAMPLES = (ChatMessage("user", "Who are you?"), ChatMessage("assistant", 'NixTrinity, "quoted"\n\\ and ünïcode.'))
MADE = CreateRequest(
    "nix-quick", BASE, system="Be brief.", template="{{ .Prompt }}", messages=EXAMPLES,
    parameters={"temperature": 0.1, "top_p": 0.9, "num_predict": 20, "repeat_penalty": 1.05, "stop": ["###"], "seed": 3},
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
def fake(server: FakeOpenAI) -> Iterator[FakeOpenAI]:
    yield server
    server.reset()


def run(fake: FakeOpenAI, folder: Path, work: Callable[[OpenAIEngine], Awaitable[T]], *, url: str = "") -> T:
    async def inner() -> T:
        engine = OpenAIEngine(url or fake.url, Definitions(folder / "definitions"))
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(inner())


async def create(engine: Engine, request: CreateRequest) -> list[str]:
    async with aclosing(engine.create(request)) as progress:
        return [line async for line in progress]


async def ask(engine: Engine, model: str, most: int = 64) -> None:
    request = ChatRequest(model, (ChatMessage("user", "What is a flake?"),), 4096, most)
    async with aclosing(engine.chat(request)) as chunks:
        async for _ in chunks:
            pass


async def digests(engine: Engine) -> dict[str, str]:
    return {one.name: one.digest for one in await engine.list_models()}


def test_a_definition_is_made_shown_and_sent_with_each_request(fake: FakeOpenAI, tmp_path: Path) -> None:
    async def work(engine: OpenAIEngine) -> None:
        assert await create(engine, MADE) == ["success"]
        shown = await engine.show("nix-quick:latest")
        base = await engine.show(BASE)
        assert (shown.system, shown.template, shown.messages) == ("Be brief.", "{{ .Prompt }}", EXAMPLES)
        assert dict(shown.parameters) == dict(MADE.parameters)
        assert shown.weights == base.weights == f"{BASE} @ {fake.url}"
        await ask(engine, "nix-quick")
        await ask(engine, "nix-quick", most=8)

    run(fake, tmp_path, work)
    first, second = fake.chats
    assert [one["role"] for one in first["messages"]] == ["system", "user", "assistant", "user"]
    assert first["messages"][:3] == second["messages"][:3], "what is the same each time comes first"
    assert (first["model"], first["temperature"], first["top_p"], first["seed"]) == (BASE, 0.1, 0.9, 3)
    assert first["stop"] == ["###"]
    assert (first["max_tokens"], second["max_tokens"]) == (20, 8)
    assert "repeat_penalty" not in first, "it is Ollama's own"


def test_another_process_finds_it(fake: FakeOpenAI, tmp_path: Path) -> None:
    run(fake, tmp_path, lambda engine: create(engine, MADE))
    assert run(fake, tmp_path, lambda engine: engine.show("NIX-Quick")).messages == EXAMPLES
    [file] = (tmp_path / "definitions").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "what people asked stands in it"


def test_from_a_version_all_but_the_messages_is_inherited(fake: FakeOpenAI, tmp_path: Path) -> None:
    async def work(engine: OpenAIEngine) -> None:
        await create(engine, MADE)
        other = (ChatMessage("user", "a"), ChatMessage("assistant", "b"))
        await create(engine, CreateRequest("nix-quick-20260101", "nix-quick", messages=other, parameters={"seed": 4}))
        shown = await engine.show("nix-quick-20260101")
        assert (shown.system, shown.messages, shown.parameters["seed"]) == ("Be brief.", other, 4)
        assert shown.parameters["temperature"] == 0.1
        await create(engine, CreateRequest("nix-quick-20260102", "nix-quick-20260101"))
        assert (await engine.show("nix-quick-20260102")).messages == other, "none keeps the inherited ones"

    run(fake, tmp_path, work)


def test_a_copy_is_the_same_and_a_change_is_another(fake: FakeOpenAI, tmp_path: Path) -> None:
    async def work(engine: OpenAIEngine) -> None:
        await create(engine, MADE)
        await engine.copy("nix-quick", "nix-quick-20260101")
        found = await digests(engine)
        assert found["nix-quick"] == found["nix-quick-20260101"]
        await create(engine, CreateRequest("nix-quick", "nix-quick", system="Be long."))
        assert (await digests(engine))["nix-quick"] != found["nix-quick"]
        await engine.delete("nix-quick")
        assert set(await digests(engine)) >= {"nix-quick-20260101", BASE}
        for gone in (engine.delete("nix-quick"), engine.copy("nix-quick", "x"), engine.show("nix-quick")):
            with pytest.raises(ModelMissingError):
                await gone

    run(fake, tmp_path, work)


def test_nothing_is_asked_of_the_server_to_load_a_model(fake: FakeOpenAI, tmp_path: Path) -> None:
    async def work(engine: OpenAIEngine) -> None:
        await create(engine, MADE)
        await engine.preload("nix-quick", 4096)
        await engine.version()

    run(fake, tmp_path, work)
    assert {request.path for request in fake.requests} == {"/v1/models"}


def test_a_base_that_is_not_served_and_an_adapter_are_refused(fake: FakeOpenAI, tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=BASE):
        run(fake, tmp_path, lambda engine: create(engine, CreateRequest("nix-quick", "nowhere:7b")))
    with pytest.raises(EngineError, match="adapter") as caught:
        run(fake, tmp_path, lambda engine: create(engine, CreateRequest("nix-quick", BASE, adapters=("/a.gguf",))))
    assert 'engine = "ollama"' in caught.value.hint
    assert not (tmp_path / "definitions").exists()


def test_a_version_of_another_server_says_so(fake: FakeOpenAI, tmp_path: Path) -> None:
    run(fake, tmp_path, lambda engine: create(engine, MADE))
    with FakeOpenAI() as other, pytest.raises(ModelMissingError) as caught:
        run(other, tmp_path, lambda engine: ask(engine, "nix-quick"), url=other.url)
    assert fake.url in caught.value.message
    assert other.url in caught.value.message


@pytest.mark.parametrize("name", ["../quick", "a/b", "", ".hidden", "x" * 200, "nix quick", "nix-quick\0"])
def test_a_name_never_leaves_its_folder(fake: FakeOpenAI, tmp_path: Path, name: str) -> None:
    async def work(engine: OpenAIEngine) -> None:
        with pytest.raises(EngineError):
            await create(engine, CreateRequest(name, BASE))
        with pytest.raises(ModelMissingError):
            await engine.delete(name)

    run(fake, tmp_path, work)
    assert list(tmp_path.rglob("*.toml")) == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"base = 7", b"[[", b'base = "x"'])
def test_a_damaged_definition_is_one_that_is_not_there(fake: FakeOpenAI, tmp_path: Path, content: bytes) -> None:
    async def work(engine: OpenAIEngine) -> None:
        await create(engine, MADE)
        await create(engine, CreateRequest("nix-coder", BASE))
        (tmp_path / "definitions" / "nix-quick.toml").write_bytes(content)
        assert set(await digests(engine)) == {"nix-coder", BASE, "served-embed"}
        with pytest.raises(ModelMissingError):
            await engine.show("nix-quick")
        await create(engine, MADE)
        assert (await engine.show("nix-quick")).system == "Be brief."

    run(fake, tmp_path, work)


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_machine_that_dies_leaves_the_old_one_or_the_new_one(tmp_path: Path, when: str) -> None:
    old, new = Definition(base="a", server="s", system="old"), Definition(base="a", server="s", system="new")
    machine = Machine()
    store = Definitions(tmp_path, files=FakeDisk(machine))
    asyncio.run(store.put("nix-quick", old))
    machine.die_at, machine.die_when = len(machine.steps), when
    with pytest.raises(DiedError):
        asyncio.run(store.put("nix-quick", new))
    assert asyncio.run(Definitions(tmp_path).find("nix-quick")) in (old, new)
    assert len(asyncio.run(Definitions(tmp_path).installed())) == 1


def test_a_disk_that_is_full_is_said_to_be(fake: FakeOpenAI, tmp_path: Path) -> None:
    (tmp_path / "definitions").write_text("a file where the folder is to be")
    with pytest.raises(StorageError):
        run(fake, tmp_path, lambda engine: create(engine, MADE))
