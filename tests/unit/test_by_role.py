"""Several engines behind one door: whose model is where, and what happens when one of them is away."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from nix_trinity.answering.health import EngineHealth
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.engines.by_role import ByRole, Part
from nix_trinity.engines.definitions import Definition, Definitions
from nix_trinity.engines.openai_compatible import OpenAIEngine
from nix_trinity.engines.protocol import ChatMessage, ChatRequest, CreateRequest, Engine
from nix_trinity.errors import EngineUnreachableError, ModelMissingError
from nix_trinity.modelfile.grammar import Modelfile
from nix_trinity.roles import RoleSpec
from tests.stack.fake_openai import BASE as SERVED
from tests.stack.fake_openai import FakeOpenAI
from tests.unit.fake_engine import BASE, FakeEngine

AWAY = EngineUnreachableError("Ollama does not answer.", "Start it.")


class Both:
    """An Ollama with the role quick, and a server with the role expert."""

    def __init__(self, folder: Path, url: str) -> None:
        self.ollama = FakeEngine()
        self.definitions = Definitions(folder / "definitions")
        self.served = OpenAIEngine(url, self.definitions)
        parts = [Part(self.ollama, ("quick",)), Part(self.served, ("expert",))]
        self.engine = ByRole(parts, self.definitions, embedding_model="embedder", embedding=self.served)

    async def source(self) -> Engine:
        return self.engine

    def models(self) -> RoleModels:
        specs = {
            "quick": RoleSpec("quick", BASE, 4096, Modelfile(system="quick"), {}),
            "expert": RoleSpec("expert", SERVED, 4096, Modelfile(system="expert"), {}, "openai", self.served.url),
        }
        return RoleModels(self.source, specs)


async def create(engine: Engine, request: CreateRequest) -> None:
    async with aclosing(engine.create(request)) as progress:
        async for _ in progress:
            pass


async def names(engine: Engine) -> set[str]:
    return {one.name.removesuffix(":latest") for one in await engine.list_models()}


def test_a_name_tells_its_engine(tmp_path: Path) -> None:
    both = Both(tmp_path, "http://127.0.0.1:9/v1")
    for name in ("nix-quick", "nix-quick-20260101", "nix-quick-20260101-2", "NIX-QUICK:latest", "nix-other", "base:1b"):
        assert both.engine.of(name) is both.ollama, name
    for name in ("nix-expert", "nix-expert-20260101", "embedder"):
        assert both.engine.of(name) is both.served, name
    assert both.engine.of("nix-expert-of-mine") is both.ollama


def test_each_role_is_made_and_asked_where_it_is(tmp_path: Path) -> None:
    with FakeOpenAI() as fake:
        both = Both(tmp_path, fake.url)

        async def work() -> None:
            models = both.models()
            await models.check_all()
            assert [models.problem(role) for role in ("quick", "expert")] == [None, None]
            for name in ("nix-quick", "nix-expert"):
                request = ChatRequest(name, (ChatMessage("user", "x"),), 4096, 5)
                async with aclosing(both.engine.chat(request)) as chunks:
                    async for _ in chunks:
                        pass
            assert await names(both.engine) == {BASE, SERVED, "served-embed", "nix-quick", "nix-expert"}
            await both.engine.close()

        asyncio.run(work())
        assert [chat.model for chat in both.ollama.chats] == ["nix-quick"]
        assert [chat["messages"][0]["content"] for chat in fake.chats] == ["expert"]


def test_an_engine_that_is_away_takes_its_own_roles_only(tmp_path: Path) -> None:
    with FakeOpenAI() as fake:
        both = Both(tmp_path, fake.url)
        both.ollama.machine.fail = {"list": AWAY}

        async def work() -> None:
            models = both.models()
            health = EngineHealth(both.source, models)
            await health.probe()
            assert models.problem("quick") is AWAY
            assert models.known("expert") is not None
            assert health.missing_roles == ["quick"]
            assert {url: state.reachable for url, state in health.engines.items()} == {
                both.ollama.url: True,
                fake.url: True,
            }
            with pytest.raises(EngineUnreachableError):
                await both.engine.list_models()
            both.ollama.machine.fail = {}
            await health.probe()
            assert health.missing_roles == []
            await both.engine.close()

        asyncio.run(work())


def test_one_engine_of_two_is_said_to_be_away(tmp_path: Path) -> None:
    both = Both(tmp_path, "http://127.0.0.1:9/v1")

    async def work() -> None:
        health = EngineHealth(both.source, both.models())
        await health.probe()
        assert health.reachable is False
        assert health.error is not None
        assert "127.0.0.1:9" in health.error.message
        assert health.engines[both.ollama.url].reachable
        await both.engine.close()

    asyncio.run(work())


def test_a_role_that_moves_leaves_nothing_behind(tmp_path: Path) -> None:
    """What people deleted has to go from both engines, and the old model of a role from the one that it left."""
    with FakeOpenAI() as fake:
        both = Both(tmp_path, fake.url)

        async def work() -> None:
            for name in ("nix-expert", "nix-expert-20260101"):
                await create(both.ollama, CreateRequest(name, BASE))
            for name in ("nix-quick", "nix-quick-20260101"):
                await both.definitions.put(name, Definition(base=SERVED, server=fake.url))
            await create(both.engine, CreateRequest("nix-expert", SERVED))
            await create(both.engine, CreateRequest("nix-quick", BASE))
            assert set(both.ollama.models) == {BASE, "nix-expert-20260101", "nix-quick"}
            assert {one.name for one in await both.definitions.installed()} == {"nix-expert", "nix-quick-20260101"}
            assert "nix-quick-20260101" in await names(both.engine), "pruning has to see it"
            for name in ("nix-expert-20260101", "nix-quick-20260101"):
                await both.engine.delete(name)
                with pytest.raises(ModelMissingError):
                    await both.engine.delete(name)
            assert set(both.ollama.models) == {BASE, "nix-quick"}
            # A base that others use as well is never ours to remove.
            with pytest.raises(ModelMissingError):
                await both.engine.delete(SERVED)
            await both.engine.close()

        asyncio.run(work())


def test_what_was_forgotten_is_not_said_to_be_gone_while_an_engine_is_away(tmp_path: Path) -> None:
    both = Both(tmp_path, "http://127.0.0.1:9/v1")
    both.ollama.machine.fail = {"delete": AWAY}

    async def work() -> None:
        await create(both.ollama, CreateRequest("nix-expert-20260101", BASE))
        await both.definitions.put("nix-expert-20260101", Definition(base=SERVED, server="s"))
        with pytest.raises(EngineUnreachableError):
            await both.engine.delete("nix-expert-20260101")
        await both.engine.close()

    asyncio.run(work())
