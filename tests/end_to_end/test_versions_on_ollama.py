"""What versions are made of, on a real Ollama: nothing accepted is forgotten, and weights are not stored twice."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.answering.role_models import RoleModels
from nix_trinity.catalogue import load_catalogue
from nix_trinity.config import parse_config
from nix_trinity.config_sections import RetentionSection
from nix_trinity.engines.ollama import OllamaEngine
from nix_trinity.engines.protocol import ChatMessage, ChatRequest, CreateRequest, EngineLock
from nix_trinity.roles import RoleSpec, role_specs
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.pruning import prune
from nix_trinity.training.version import Learned
from nix_trinity.training.versions import Versions
from tests.stack.lora import write_adapter
from tests.stack.server import OllamaServer
from tests.unit.test_retention import START, History, at, oracle

WEEK_MS = 7 * 86_400_000
FRIDAY = datetime.date(2026, 1, 2)
WEEKS = 12


class Line:
    """Builder and deployment on a real engine, and a calendar."""

    def __init__(self, engine: OllamaEngine, folder: Path, model: str) -> None:
        self.engine = engine
        self.versions = Versions(folder / "versions")
        self.lock = EngineLock()
        self.builder = Builder(self._engine, self.versions, lock=self.lock, free_bytes=lambda: 10**12)
        self.deployment = Deployment(self._engine, self.versions, folder / "deployment.toml", lock=self.lock)
        roles = "\n".join(f'[models.roles.{role}]\nmodel = "{model}"\nnum_ctx = 8192' for role in ROLES)
        self.specs: dict[str, RoleSpec] = role_specs(parse_config(roles, origin="test"), load_catalogue(), 16.0)

    async def _engine(self) -> OllamaEngine:
        return self.engine

    async def week(self, number: int, role: str = "quick", kind: str = "weekly") -> str:
        """Build and deploy what was learned up to this week; returns the version's name."""
        day = FRIDAY + datetime.timedelta(weeks=number)
        now_ms = int(datetime.datetime(day.year, day.month, day.day, 12, tzinfo=datetime.UTC).timestamp() * 1000)
        manifest = await self.builder.build(
            self.specs[role],
            [lesson(one) for one in range(number + 1)],
            kind=kind,  # type: ignore[arg-type]
            budget=4096,
            release="25.05",
            today=day,
            now_ms=now_ms,
            from_base=kind == "monthly",
        )
        await self.deployment.deploy(manifest.name, now_ms=now_ms, why="It is better.")
        return manifest.name


ROLES = ("expert", "empathy", "coder", "quick")


def lesson(number: int) -> Learned:
    return Learned(
        id=f"x{number}",
        question=f"How do I open port {8000 + number}?",
        answer=f"networking.firewall.allowedTCPPorts = [ {8000 + number} ];",
        kind="corrected",
        topic="networking.firewall",
        judged_by=1000,
        by_operator=False,
        judged_at_ms=number * WEEK_MS,
        options_release="25.05",
    )


@pytest.fixture
def on_ollama(ollama_server: OllamaServer, chat_model: str, tmp_path: Path) -> Callable[..., Any]:
    """Run a test's coroutine with a line on the real server, and leave no model of ours on it."""

    @asynccontextmanager
    async def line() -> AsyncIterator[Line]:
        engine = OllamaEngine(ollama_server.url, keep_alive="1m")
        try:
            yield Line(engine, tmp_path, chat_model)
        finally:
            for model in await engine.list_models():
                if model.name.startswith(("nix-", "seed-", "someone")):
                    await engine.delete(model.name)
            await engine.close()

    def run(work: Callable[[Line], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with line() as made:
                await work(made)

        asyncio.run(whole())

    return run


def disk_bytes(server: OllamaServer) -> int:
    return sum(
        path.stat().st_blocks * 512 for path in server.folder.rglob("*") if path.is_file() and path.suffix != ".log"
    )


def test_the_strategys_own_way_forgets_and_ours_does_not(
    on_ollama: Callable[..., Any], ollama_server: OllamaServer, chat_model: str
) -> None:
    async def work(line: Line) -> None:
        # As the strategy's document writes it: FROM the previous version, plus new MESSAGE lines.
        previous = chat_model
        for week in range(2):
            name, pair = f"seed-{week}", lesson(week)
            request = CreateRequest(
                name=name,
                base=previous,
                messages=(ChatMessage("user", pair.question), ChatMessage("assistant", pair.answer)),
            )
            async for _ in line.engine.create(request):
                pass
            previous = name
        taught = [message.content for message in (await line.engine.show(previous)).messages]
        assert lesson(1).question in taught
        assert lesson(0).question not in taught, "the first week is forgotten"

        before = disk_bytes(ollama_server)
        names = [await line.week(number) for number in range(WEEKS)]
        assert disk_bytes(ollama_server) - before < 1_000_000, "twelve versions of 98 MB of weights"
        assert len(set(names)) == WEEKS
        taught = [message.content for message in (await line.engine.show("nix-quick")).messages]
        for number in range(WEEKS):
            assert lesson(number).question in taught
            assert lesson(number).answer in taught
        # Each was made from the one before it, and says so.
        assert [line.versions.get(name).parent for name in names] == [None, *names[:-1]]
        assert (
            len((await line.engine.show(names[0])).messages) == len((await line.engine.show("nix-quick")).messages) - 22
        )

    on_ollama(work)


def test_the_same_examples_are_known_to_be_nothing_new(on_ollama: Callable[..., Any]) -> None:
    async def work(line: Line) -> None:
        await line.week(1)
        spec = line.specs["quick"]
        assert await line.builder.unchanged(spec, [lesson(0), lesson(1)])
        assert not await line.builder.unchanged(spec, [lesson(0)])

    on_ollama(work)


def test_going_back_gives_the_old_examples_again(on_ollama: Callable[..., Any]) -> None:
    async def work(line: Line) -> None:
        first, second = await line.week(0), await line.week(1)
        manifest = await line.deployment.rollback("quick", None, now_ms=WEEK_MS)
        assert manifest.name == first
        taught = [message.content for message in (await line.engine.show("nix-quick")).messages]
        assert lesson(1).question not in taught
        assert line.versions.deployed("quick") == line.versions.get(first)
        assert line.versions.get(second).state == "previous"

    on_ollama(work)


def test_pruning_touches_no_model_that_is_not_ours(
    on_ollama: Callable[..., Any], ollama_server: OllamaServer, chat_model: str
) -> None:
    async def work(line: Line) -> None:
        await line.engine.copy(chat_model, "nix-quick-extra")
        await line.engine.copy(chat_model, "nix-quick-20200101")
        await line.engine.copy(chat_model, "someones-model")
        names = [await line.week(number) for number in range(4)]
        now_ms = line.versions.get(names[-1]).built_at_ms + 1

        async def pruned(dry_run: bool) -> list[str]:
            report = await prune(
                line.engine,
                line.versions,
                RetentionSection(previous=1, weekly=1, monthly=0),
                lock=line.lock,
                now_ms=now_ms,
                dry_run=dry_run,
                free_bytes=lambda: 0,
            )
            return [name for name, _ in report.versions]

        assert set(await pruned(True)) == set(names[:2])
        there = {model.name.removesuffix(":latest") for model in await line.engine.list_models()}
        assert set(names) <= there, "a dry run removes nothing"
        assert set(await pruned(False)) == set(names[:2])
        there = {model.name.removesuffix(":latest") for model in await line.engine.list_models()}
        assert there & set(names) == set(names[2:])
        assert {"nix-quick-extra", "nix-quick-20200101", "someones-model", "nix-quick"} <= there
        # Children of a deleted version stay whole.
        taught = [message.content for message in (await line.engine.show(names[-1])).messages]
        assert lesson(0).question in taught

    on_ollama(work)


def test_an_adapter_made_elsewhere_is_built_in_from_the_base_each_time(
    on_ollama: Callable[..., Any], ollama_server: OllamaServer, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "house.gguf")

    async def work(line: Line) -> None:
        line.builder = Builder(
            line._engine,
            line.versions,
            lock=line.lock,
            free_bytes=lambda: 10**12,
            adapters={"quick": str(adapter)},
        )
        first, second = await line.week(0), await line.week(1)
        for name in (first, second):
            modelfile = ollama_server.http.post("/api/show", {"model": name})["modelfile"]
            assert modelfile.count("\nADAPTER ") == 1, "from the base, so that adapters do not add up"
            assert line.versions.get(name).parent is None
            assert line.versions.get(name).adapter == str(adapter)
        assert await line.builder.unchanged(line.specs["quick"], [lesson(0), lesson(1)])
        write_adapter(adapter, alpha=4.0)
        assert not await line.builder.unchanged(line.specs["quick"], [lesson(0), lesson(1)]), "another adapter by now"

        # It is there, loads and answers; and whoever looks after the roles' models leaves it as it is.
        async def learned(role: str) -> tuple[ChatMessage, ...]:
            return line.versions.learned_messages(role)

        await RoleModels(line._engine, line.specs, learned).ready("quick")
        assert "\nADAPTER " in ollama_server.http.post("/api/show", {"model": "nix-quick"})["modelfile"]
        request = ChatRequest("nix-quick", (ChatMessage("user", "Hi"),), 2048, 4)
        assert "".join([chunk.text async for chunk in line.engine.chat(request)])

    on_ollama(work)


def test_a_year_of_builds_leaves_on_the_server_exactly_what_the_rule_says(
    on_ollama: Callable[..., Any], chat_model: str
) -> None:
    async def work(line: Line) -> None:
        chance = random.Random(11)
        histories = {role: History(role) for role in ROLES}
        for day in range(365):
            date = START + datetime.timedelta(day)
            for role, history in histories.items():
                before = set(history.manifests)
                if date.day == 1:
                    history.build(day, "monthly", deploy=chance.random() < 0.9)
                if date.weekday() == 4:
                    history.build(day, "weekly", deploy=chance.random() < 0.7)
                if chance.random() < (0.05 if role == "expert" else 0.01):
                    history.build(day, "immediate", deploy=chance.random() < 0.8)
                for name in set(history.manifests) - before:
                    await line.engine.copy(chat_model, name)
                for manifest in history.manifests.values():
                    if line.versions.find(manifest.name) != manifest:
                        line.versions.put(manifest)
            if date.weekday() != 5:
                continue
            now_ms = at(day + 0.5)
            await prune(
                line.engine,
                line.versions,
                RetentionSection(),
                lock=line.lock,
                now_ms=now_ms,
                dry_run=False,
                free_bytes=lambda: 0,
            )
            there = {model.name.removesuffix(":latest") for model in await line.engine.list_models()}
            wanted = {role: oracle(history, now_ms) for role, history in histories.items()}
            built = {name for history in histories.values() for name in history.manifests}
            assert there & built == set().union(*wanted.values()), date
            for role, history in histories.items():
                history.prune(wanted[role])
        assert sum(len(history.manifests) for history in histories.values()) > 200

    on_ollama(work)


def test_an_answer_that_runs_is_ended_by_the_version_that_began_it(on_ollama: Callable[..., Any]) -> None:
    async def work(line: Line) -> None:
        await line.week(0)
        request = ChatRequest("nix-quick", (ChatMessage("user", "Tell me a long story."),), 2048, 150)
        chunks = line.engine.chat(request)
        said = (await anext(chunks)).text
        deploying = asyncio.create_task(line.week(1))
        finished = [chunk.usage async for chunk in chunks if (said := said + chunk.text) and chunk.usage is not None]
        assert finished, "it ended as it should"
        assert len(said) > 100
        name = await deploying
        deployed = line.versions.deployed("quick")
        assert deployed is not None
        assert deployed.name == name

    on_ollama(work)
