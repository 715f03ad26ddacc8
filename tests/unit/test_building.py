"""A candidate is what it was asked to be and answers, or it is gone and its manifest says why."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from nix_trinity.engines.ollama import OllamaEngine
from nix_trinity.engines.protocol import ChatMessage, CreateRequest, EngineLock
from nix_trinity.errors import EngineError, EngineTimeoutError, EngineUnreachableError, ModelMissingError, StorageError
from nix_trinity.modelfile.grammar import Message, Modelfile
from nix_trinity.roles import RoleSpec
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.version import Learned, Manifest, Scores
from nix_trinity.training.versions import Versions
from tests.unit import test_versions
from tests.unit.fake_engine import BASE, DiedError, FakeEngine, FakeModel

DAY = datetime.date(2026, 1, 5)
NAME = "nix-expert-20260105"
OWN = Modelfile(
    system="You are NixTrinity.",
    parameters=(("temperature", "0.2"),),
    licenses=("MIT",),
    messages=(Message("user", "What is a flake?"), Message("assistant", "A folder with a lock file.")),
)
SPEC = RoleSpec("expert", BASE, 4096, OWN, {"temperature": 0.2})
ROOM = 10**12


def learned(exchange: str = "x1", question: str = "How do I enable SSH?", answer: str | None = None) -> Learned:
    return test_versions.learned(exchange, question, answer or f"services.openssh.enable # {exchange}")


class Bench:
    """A builder on a fake engine."""

    def __init__(self, folder: Path, *, free: int = ROOM, adapters: dict[str, str] | None = None) -> None:
        self.engine = FakeEngine()
        self.versions = Versions(folder / "versions")
        self.lock = EngineLock()
        self.builder = Builder(
            self.engine.source, self.versions, lock=self.lock, free_bytes=lambda: free, adapters=adapters
        )
        self.deployment = Deployment(self.engine.source, self.versions, folder / "deployment.toml", lock=self.lock)

    async def make(self, examples: Sequence[Learned] = (), spec: RoleSpec = SPEC, **options: Any) -> Manifest:
        return await self.builder.build(
            spec,
            examples,
            **{
                **{"kind": "weekly", "budget": 500, "release": "26.05", "today": DAY, "now_ms": 1},
                **{"from_base": False, **options},
            },
        )

    def build(self, examples: Sequence[Learned] = (), spec: RoleSpec = SPEC, **options: Any) -> Manifest:
        return asyncio.run(self.make(examples, spec, **options))

    def deploy(self, name: str) -> None:
        asyncio.run(self.deployment.deploy(name, now_ms=2, why="better"))

    @property
    def models(self) -> set[str]:
        return set(self.engine.models)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_candidate_has_the_roles_own_examples_first_and_then_what_was_learned(bench: Bench) -> None:
    made = bench.build([learned("a"), learned("b", "And TLS?", "security.acme")])

    assert made == bench.versions.get(NAME)
    assert (made.name, made.state, made.parent, made.nixos_release) == (NAME, "candidate", None, "26.05")
    assert made.example_ids == ("a", "b")
    model = bench.engine.models[NAME]
    assert [message.content for message in model.messages] == [
        *(message.content for message in OWN.messages),
        *("How do I enable SSH?", "services.openssh.enable # a", "And TLS?", "security.acme"),
    ]
    assert (model.system, model.licenses, dict(model.parameters)) == (OWN.system, ("MIT",), {"temperature": 0.2})
    assert made.digest == model.digest
    assert 0 < made.tokens <= 500
    assert [(chat.model, chat.temperature, chat.num_ctx) for chat in bench.engine.chats] == [(NAME, 0.0, 4096)]
    by_hand = bench.versions.modelfile(NAME)
    assert (by_hand.base, by_hand.system, len(by_hand.messages)) == (BASE, OWN.system, 6)


def test_the_next_version_is_made_from_the_deployed_one_with_all_its_examples(bench: Bench) -> None:
    bench.build([learned("a")])
    bench.deploy(NAME)
    second = bench.build([learned("a"), learned("b")])

    assert (second.name, second.parent) == (f"{NAME}-2", NAME)
    request = bench.engine.created[-1]
    assert (request.base, request.licenses, request.system) == (NAME, (), None)
    assert len(bench.engine.models[second.name].messages) == 6
    assert bench.engine.models[second.name].licenses == ("MIT",)
    assert bench.versions.modelfile(second.name).base == BASE, "a person rebuilds it without the older version"


@pytest.mark.parametrize(
    ("spec", "base"),
    [
        (RoleSpec("expert", BASE, 4096, replace(OWN, system="Other."), {"temperature": 0.2}), None),
        (RoleSpec("expert", BASE, 4096, replace(OWN, template="{{ .Other }}"), {"temperature": 0.2}), None),
        (RoleSpec("expert", BASE, 4096, OWN, {}), None),
        (SPEC, FakeModel(weights="sha256-new")),
    ],
    ids=["system", "template", "parameter gone", "weights"],
)
def test_what_would_be_inherited_wrongly_is_made_from_the_base(
    bench: Bench, spec: RoleSpec, base: FakeModel | None
) -> None:
    bench.build([learned("a")])
    bench.deploy(NAME)
    if base is not None:
        bench.engine.models[BASE] = base
    made = bench.build([learned("a")], spec)
    assert (made.parent, bench.engine.created[-1].base) == (None, BASE)
    assert dict(bench.engine.models[made.name].parameters) == dict(spec.parameters)


def test_a_monthly_build_starts_from_the_base_and_is_a_checkpoint(bench: Bench) -> None:
    bench.build([learned("a")])
    bench.deploy(NAME)
    made = bench.build([learned("a")], kind="monthly", from_base=True)
    assert (made.parent, made.checkpoint, bench.engine.created[-1].base) == (None, True, BASE)


def test_a_role_without_examples_keeps_none_of_the_deployed_versions(bench: Bench) -> None:
    spec = RoleSpec("expert", BASE, 4096, replace(OWN, messages=()), {"temperature": 0.2})
    bench.build([learned("a")], spec)
    bench.deploy(NAME)
    made = bench.build([], spec)
    assert bench.engine.models[made.name].messages == ()


def test_a_missing_base_is_not_fetched_and_the_error_says_how_to_get_it(bench: Bench) -> None:
    del bench.engine.models[BASE]
    with pytest.raises(ModelMissingError, match=f"{BASE}.*role expert is built, is not installed") as raised:
        bench.build([learned()])
    assert f"ollama pull {BASE}" in raised.value.hint
    assert "services.nixTrinity.roles.expert.model" in raised.value.hint
    assert bench.engine.created == []
    assert bench.versions.load_all() == ()


def test_too_little_room_is_said_in_numbers_before_anything_is_made(tmp_path: Path) -> None:
    bench = Bench(tmp_path, free=12_000_000)
    with pytest.raises(StorageError, match=r"12 MB of disk are free.*needs 100 MB") as raised:
        bench.build([learned()])
    assert "nix-trinity prune" in raised.value.hint
    assert bench.engine.created == []


@pytest.mark.parametrize(
    ("step", "code"),
    [(f"create {NAME}", "engine_failed"), (f"show {NAME}", "engine_failed"), (f"chat {NAME}", "smoke_failed")],
)
def test_a_build_that_fails_leaves_no_model_and_a_manifest_that_says_why(bench: Bench, step: str, code: str) -> None:
    bench.build([learned("a")], now_ms=0, today=DAY - datetime.timedelta(7))
    bench.deploy("nix-expert-20251229")
    bench.engine.machine.fail[step] = EngineError("blob sha256-12 is damaged.", "Look at the log.")
    with pytest.raises(EngineError, match="blob sha256-12 is damaged") as raised:
        bench.build([learned("a"), learned("b")])

    assert raised.value.stable_code == code
    assert NAME not in bench.models
    rejected = bench.versions.get(NAME)
    assert (rejected.state, rejected.removed) == ("rejected", True)
    assert "blob sha256-12 is damaged" in rejected.why
    deployed = bench.versions.deployed("expert")
    assert deployed is not None
    assert bench.engine.models["nix-expert"].digest == deployed.digest


def test_a_model_that_does_not_answer_is_laid_to_the_model_store(bench: Bench) -> None:
    bench.engine.machine.fail[f"chat {NAME}"] = EngineError("status 500", "")
    with pytest.raises(EngineError, match=rf"{NAME}.*model store is at fault, not a question"):
        bench.build([learned()])


@pytest.mark.parametrize("error", [EngineUnreachableError("gone", ""), EngineTimeoutError("slow", "")])
def test_an_engine_that_is_away_is_not_called_a_damaged_store(bench: Bench, error: EngineError) -> None:
    bench.engine.machine.fail[f"chat {NAME}"] = error
    bench.engine.machine.fail[f"delete {NAME}"] = error
    with pytest.raises(type(error)):
        bench.build([learned()])
    left = bench.versions.get(NAME)
    assert (left.state, left.removed) == ("rejected", False), "pruning deletes the model when the engine is there"


@pytest.mark.parametrize(
    ("spoilt", "what"),
    [
        ({"messages": ()}, "examples"),
        ({"system": "Mine."}, "system text"),
        ({"weights": "sha256-other"}, "weights"),
    ],
)
def test_a_model_other_than_asked_for_is_not_kept(bench: Bench, spoilt: dict[str, Any], what: str) -> None:
    bench.engine.spoils = lambda model: replace(model, **spoilt)
    with pytest.raises(EngineError, match=f"with other {what} than") as raised:
        bench.build([learned()])
    assert raised.value.stable_code == "model_differs"
    assert bench.models == {BASE}


def test_a_name_that_somebodys_model_has_is_left_to_it(bench: Bench) -> None:
    theirs = FakeModel(system="Mine.")
    bench.engine.models[NAME] = theirs
    (bench.versions.folder).mkdir(parents=True)
    (bench.versions.folder / f"{NAME}-2.toml").write_text("broken")
    assert bench.build([learned()]).name == f"{NAME}-3"
    assert bench.engine.models[NAME] is theirs


def test_the_same_examples_make_no_new_version(bench: Bench) -> None:
    examples = [learned("a"), learned("b")]

    def unchanged(examples: Sequence[Learned], spec: RoleSpec = SPEC) -> bool:
        return asyncio.run(bench.builder.unchanged(spec, examples))

    assert not unchanged(examples)
    bench.build(examples)
    assert not unchanged(examples), "a candidate is not deployed"
    bench.deploy(NAME)
    assert unchanged(examples)
    assert not unchanged(examples[:1])
    assert not unchanged(examples[::-1])
    assert not unchanged([examples[0], learned("b", answer="corrected")])
    assert not unchanged(examples, RoleSpec("expert", BASE, 8192, OWN, {"temperature": 0.2}))
    assert not unchanged(examples, RoleSpec("expert", BASE, 4096, OWN, {"temperature": 0.3}))
    bench.engine.models[BASE] = FakeModel(weights="sha256-new")
    assert not unchanged(examples)
    bench.engine.models[BASE] = FakeModel()
    del bench.engine.models[NAME]
    assert not unchanged(examples), "its model has gone"


def test_when_another_exchange_taught_the_very_same_the_deployed_manifest_names_that_one(bench: Bench) -> None:
    bench.build([learned("a", answer="same")])
    bench.deploy(NAME)
    assert asyncio.run(bench.builder.unchanged(SPEC, [learned("b", answer="same")]))
    assert bench.versions.get(NAME).example_ids == ("b",), "a may be forgotten now"


def test_what_lost_its_evaluation_is_remembered_and_what_merely_failed_is_tried_again(bench: Bench) -> None:
    def before(examples: Sequence[Learned]) -> Manifest | None:
        return asyncio.run(bench.builder.rejected_before(SPEC, examples))

    bench.engine.machine.fail[f"chat {NAME}"] = EngineError("status 500", "")
    with pytest.raises(EngineError):
        bench.build([learned("a")])
    assert before([learned("a")]) is None

    second = bench.build([learned("a")])
    bench.versions.replace(second.name, scores=Scores(questions=9, valid=0.5))
    asyncio.run(bench.builder.discard(second.name, "It was worse."))
    found = before([learned("a")])
    assert found is not None
    assert (found.name, found.why, found.removed) == (second.name, "It was worse.", True)
    assert second.name not in bench.models
    assert before([learned("b")]) is None


def test_discarding_spares_what_is_deployed(bench: Bench) -> None:
    bench.build([learned("a")])
    bench.deploy(NAME)
    asyncio.run(bench.builder.discard(NAME, "by mistake"))
    assert bench.versions.get(NAME).state == "deployed"
    assert NAME in bench.models


def test_an_adapters_file_is_built_from_the_base_each_time_and_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "lora.gguf"
    file.write_bytes(b"GGUF one")
    bench = Bench(tmp_path, adapters={"expert": str(file)})
    bench.build([learned("a")])
    bench.deploy(NAME)
    second = bench.build([learned("b")])

    assert (second.parent, second.adapter) == (None, str(file))
    assert bench.engine.models[second.name].adapters == (str(file),), "one, not two"
    assert bench.versions.modelfile(second.name).adapters == (str(file),)
    bench.deploy(second.name)
    assert asyncio.run(bench.builder.unchanged(SPEC, [learned("b")]))
    file.write_bytes(b"GGUF two")
    assert not asyncio.run(bench.builder.unchanged(SPEC, [learned("b")]))
    file.unlink()
    with pytest.raises(EngineError, match=r"lora.gguf of the role expert cannot be read"):
        bench.build([learned("b")])


def test_an_adapter_that_is_set_later_starts_from_the_base(tmp_path: Path) -> None:
    plain = Bench(tmp_path)
    plain.build([learned("a")])
    plain.deploy(NAME)
    (tmp_path / "lora.gguf").write_bytes(b"GGUF")
    builder = Builder(
        plain.engine.source,
        plain.versions,
        lock=plain.lock,
        free_bytes=lambda: ROOM,
        adapters={"expert": str(tmp_path / "lora.gguf")},
    )
    plain.builder = builder
    assert not asyncio.run(builder.unchanged(SPEC, [learned("a")]))
    made = plain.build([learned("a")])
    assert made.parent is None
    assert plain.engine.models[made.name].adapters == (str(tmp_path / "lora.gguf"),)


def test_an_adapter_may_come_with_a_model_of_the_same_weights(tmp_path: Path) -> None:
    bench = Bench(tmp_path, adapters={"expert": "tuned:1b"})
    with pytest.raises(ModelMissingError, match="ollama pull tuned:1b"):
        bench.build([learned("a")])
    bench.engine.models["tuned:1b"] = FakeModel(weights="sha256-other")
    with pytest.raises(EngineError, match="other weights"):
        bench.build([learned("a")])
    bench.engine.models["tuned:1b"] = FakeModel(
        adapters=("theirs",), system="Theirs.", messages=(ChatMessage("user", "x"),)
    )
    made = bench.build([learned("a")])
    model = bench.engine.models[made.name]
    assert (model.adapters, model.system, len(model.messages)) == (("theirs",), OWN.system, 4)


def test_the_context_is_no_longer_than_the_weights_were_made_for(bench: Bench) -> None:
    made = bench.build([learned("a")], RoleSpec("expert", BASE, 32768, OWN, {"temperature": 0.2}))
    assert made.num_ctx == 8192


def test_two_builds_at_once_do_not_take_one_name(bench: Bench) -> None:
    async def both() -> list[str]:
        return [made.name for made in await asyncio.gather(bench.make([learned("a")]), bench.make([learned("b")]))]

    assert asyncio.run(both()) == [NAME, f"{NAME}-2"]


def test_a_stopped_build_leaves_no_model(bench: Bench) -> None:
    async def stopped() -> None:
        build = asyncio.create_task(bench.make([learned("a")]))
        bench.engine.machine.on_step = lambda step: build.cancel() if step == f"create {NAME}" else None
        with pytest.raises(asyncio.CancelledError):
            await build

    asyncio.run(stopped())
    assert bench.models == {BASE}
    assert bench.versions.get(NAME).why == "Its build was stopped."


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_machine_that_dies_while_making_a_model_knows_it_afterwards(bench: Bench, when: str) -> None:
    steps = bench.engine.machine
    bench.build([learned("a")])
    steps.die_at, steps.die_when = len(steps.steps) + steps.steps.index(f"create {NAME}"), when
    with pytest.raises(DiedError):
        bench.build([learned("b")])
    left = bench.versions.get(f"{NAME}-2")
    assert (left.state, left.why) == ("candidate", "It is being built.")
    assert (left.name in bench.models) == (when == "after")


class Wire:
    """An Ollama of a version, as far as creating and loading go; records what it is sent."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.sent: dict[str, Any] = {}

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        path = request.url.path
        self.sent[path] = content if path.startswith("/api/blobs") else json.loads(content or b"{}")
        if path == "/api/version":
            return httpx.Response(200, json={"version": self.version})
        if path == "/api/create":
            return httpx.Response(200, content=b'{"status":"success"}\n')
        if path == "/api/chat":
            line = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}
            return httpx.Response(200, json=line)
        return httpx.Response(201)

    def run(self, work: Callable[[OllamaEngine], Awaitable[None]]) -> None:
        async def go() -> None:
            engine = OllamaEngine("http://127.0.0.1:1", keep_alive="5m", transport=httpx.MockTransport(self))
            try:
                await work(engine)
            finally:
                await engine.close()

        asyncio.run(go())


def adapted(path: Path) -> Callable[[OllamaEngine], Awaitable[None]]:
    async def work(engine: OllamaEngine) -> None:
        async for _ in engine.create(CreateRequest("n", "base", adapters=(str(path),))):
            pass

    return work


def test_an_adapters_file_is_uploaded_and_named_by_its_digest(tmp_path: Path) -> None:
    (tmp_path / "lora.gguf").write_bytes(b"GGUF")
    digest = "sha256:" + hashlib.sha256(b"GGUF").hexdigest()
    wire = Wire("0.17.4")
    wire.run(adapted(tmp_path / "lora.gguf"))
    assert wire.sent[f"/api/blobs/{digest}"] == b"GGUF"
    assert wire.sent["/api/create"] == {"model": "n", "from": "base", "adapters": {"lora.gguf": digest}}
    with pytest.raises(EngineError, match=r"none\.gguf for n cannot be read"):
        wire.run(adapted(tmp_path / "none.gguf"))


def test_an_old_server_is_told_of_the_adapter_in_a_modelfile(tmp_path: Path) -> None:
    wire = Wire("0.5.1")
    wire.run(adapted(tmp_path / "lora.gguf"))
    assert f"ADAPTER {tmp_path}/lora.gguf" in wire.sent["/api/create"]["modelfile"]


def test_preloading_asks_nothing_and_has_the_context_that_questions_have() -> None:
    wire = Wire("0.17.4")
    wire.run(lambda engine: engine.preload("nix-expert", 4096))
    sent = wire.sent["/api/chat"]
    assert (sent["model"], sent["messages"], sent["options"]["num_ctx"]) == ("nix-expert", [], 4096)
    assert sent["keep_alive"] == "5m"
