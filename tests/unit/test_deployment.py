"""Whatever happens while a role is given another version: in the end exactly one is deployed, and it answers."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from nix_trinity.engines.protocol import ChatMessage, EngineLock
from nix_trinity.errors import (
    EngineBusyError,
    EngineError,
    EngineUnreachableError,
    NotFoundError,
    RequestError,
    StorageError,
    TrinityError,
)
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.version import Scores
from nix_trinity.training.versions import Versions
from tests.unit.fake_engine import DiedError, FakeDisk, FakeEngine, FakeModel, Machine
from tests.unit.test_versions import manifest

OLDEST, OLD, NOW, NEW = (f"nix-expert-2026010{day}" for day in (1, 2, 3, 4))
STATES = {OLDEST: "retired", OLD: "previous", NOW: "deployed", NEW: "candidate"}


class Role:
    """A role with four versions, on a machine that may die; ``fresh`` is the daemon after a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = Machine()
        self.engine = FakeEngine(self.machine)
        self.journal = folder / "deployment.toml"
        self.disk = FakeDisk(self.machine)
        self.deployment = self.fresh()
        for day, (name, state) in enumerate(STATES.items(), start=1):
            self.engine.models[name] = FakeModel(messages=(ChatMessage("user", name),))
            self.versions.put(
                manifest(
                    name,
                    state=state,
                    built_at_ms=day,
                    digest=self.engine.models[name].digest,
                    deployed_at_ms=None if state == "candidate" else day,
                    replaced_at_ms=day + 1 if state in ("retired", "previous") else None,
                    scores=Scores(questions=1, valid=1.0),
                )
            )
        self.engine.models["nix-expert"] = self.engine.models[NOW]
        self.machine.steps.clear()

    def fresh(self) -> Deployment:
        self.lock = EngineLock()
        self.versions = Versions(self.folder / "versions", files=self.disk)
        return Deployment(self.engine.source, self.versions, self.journal, lock=self.lock, files=self.disk)

    def deploy(self, name: str = NEW) -> None:
        asyncio.run(self.deployment.deploy(name, now_ms=100, why="It is better."))

    def rollback(self, version: str | None = None, role: str = "expert") -> str:
        return asyncio.run(self.deployment.rollback(role, version, now_ms=200)).name

    def states(self) -> dict[str, str]:
        return {one.name: one.state for one in Versions(self.folder / "versions").load_all()}

    def check_whole(self) -> str:
        """Exactly one version is deployed, the role's name is its copy, and nothing is pending; returns it."""
        deployed = [name for name, state in self.states().items() if state == "deployed"]
        assert len(deployed) == 1, self.states()
        assert list(self.states().values()).count("previous") == 1, self.states()
        assert self.engine.models["nix-expert"].digest == self.engine.models[deployed[0]].digest
        assert not self.journal.exists()
        return deployed[0]


@pytest.fixture
def role(tmp_path: Path) -> Role:
    return Role(tmp_path)


def test_a_deployed_version_answers_and_the_one_before_waits(role: Role) -> None:
    role.deploy()
    assert role.check_whole() == NEW
    assert role.states() == {OLDEST: "retired", OLD: "retired", NOW: "previous", NEW: "deployed"}
    new, now = role.versions.get(NEW), role.versions.get(NOW)
    assert (new.deployed_at_ms, new.why) == (100, "It is better.")
    assert now.replaced_at_ms == 100
    assert role.engine.preloaded == [("nix-expert", 4096)]
    assert asyncio.run(role.deployment.recover()) is None


def test_the_first_version_of_a_role_takes_the_place_of_its_modelfile(tmp_path: Path) -> None:
    role = Role(tmp_path)
    name = "nix-coder-20260104"
    role.engine.models |= {name: FakeModel(system="new"), "nix-coder": FakeModel(system="from the Modelfile")}
    role.versions.put(manifest(name, role="coder"))
    role.deploy(name)
    assert role.engine.models["nix-coder"].system == "new"
    assert role.states() == {**STATES, name: "deployed"}, "the other role is as it was"


def crash_points() -> list[tuple[int, str]]:
    """All steps of engine and disk in a deployment that goes well."""

    async def count(folder: Path) -> int:
        role = Role(folder)
        await role.deployment.deploy(NEW, now_ms=100, why="")
        return len(role.machine.steps)

    with tempfile.TemporaryDirectory() as folder:
        steps = asyncio.run(count(Path(folder)))
    assert steps >= 10
    return [(at, when) for at in range(steps) for when in ("before", "half", "after")]


CRASHES = crash_points()


@pytest.mark.parametrize(("at", "when"), CRASHES)
def test_after_a_crash_anywhere_one_version_is_deployed_whole(role: Role, at: int, when: str) -> None:
    role.machine.die_at, role.machine.die_when = at, when
    with pytest.raises(DiedError):
        role.deploy()
    role.machine.die_at = None
    begun = role.journal.exists()

    said = asyncio.run(role.fresh().recover())

    deployed = role.check_whole()
    assert (said is not None) == begun
    if begun:
        assert deployed == NEW, "what was begun is finished"
        assert said == f"The interrupted deployment of {NEW} was finished."
    elif deployed == NEW:
        assert role.states()[OLD] == "retired"
    else:
        assert role.states() == STATES


@pytest.mark.parametrize(("at", "when"), CRASHES)
def test_after_a_crash_anywhere_and_the_loss_of_the_new_model_the_old_one_is_back(
    role: Role, at: int, when: str
) -> None:
    role.machine.die_at, role.machine.die_when = at, when
    with pytest.raises(DiedError):
        role.deploy()
    role.machine.die_at = None
    if not role.journal.exists():
        return
    del role.engine.models[NEW]

    said = asyncio.run(role.fresh().recover())

    assert role.check_whole() == NOW
    assert said is not None
    assert f"{NOW} answers again" in said
    assert role.states() == {**STATES, NEW: "rejected"}
    assert role.versions.get(NEW).removed


def test_a_crash_while_recovering_is_recovered_from_too(tmp_path: Path) -> None:
    number = 0
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        role = Role(folder)
        role.machine.die_at, role.machine.die_when = 4, "half"
        with pytest.raises(DiedError):
            role.deploy()
        assert role.journal.exists()
        role.machine.die_at = len(role.machine.steps) + number
        try:
            asyncio.run(role.fresh().recover())
        except DiedError:
            role.machine.die_at = None
            asyncio.run(role.fresh().recover())
            assert role.check_whole() == NEW
            number += 1
            continue
        break
    assert number > 5


@pytest.mark.parametrize("point", ["copy", "preload", f"write {NEW}.toml", f"write {NOW}.toml"])
def test_a_deployment_that_was_cancelled_is_finished_by_recover(role: Role, point: str) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(role.deployment.deploy(NEW, now_ms=100, why=""))
        loop = asyncio.get_running_loop()

        def stop(step: str) -> None:
            if step.startswith(point):
                loop.call_soon_threadsafe(task.cancel)

        role.machine.on_step = stop
        with pytest.raises(asyncio.CancelledError):
            await task
        role.machine.on_step = None
        await role.deployment.recover()

    asyncio.run(cancelled())
    assert role.check_whole() == NEW


def test_a_candidate_that_is_discarded_after_a_cancelled_deployment_leaves_the_old_one(role: Role) -> None:
    builder = Builder(role.engine.source, role.versions, lock=role.lock, free_bytes=lambda: 10**12)

    async def story() -> None:
        role.machine.fail["preload"] = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            await role.deployment.deploy(NEW, now_ms=100, why="")
        role.machine.fail.clear()
        await builder.discard(NEW, "It was not evaluated to the end.")
        await role.deployment.recover()

    asyncio.run(story())
    assert role.check_whole() == NOW


def test_the_next_deployment_ends_the_one_that_was_interrupted(role: Role) -> None:
    role.machine.die_at, role.machine.die_when = 4, "after"
    with pytest.raises(DiedError):
        role.deploy()
    role.machine.die_at = None
    role.deployment = role.fresh()
    role.deploy(OLDEST)
    assert role.check_whole() == OLDEST
    assert role.states() == {OLDEST: "deployed", OLD: "retired", NOW: "retired", NEW: "previous"}


@pytest.mark.parametrize(
    ("step", "code"), [("chat nix-expert", "smoke_failed"), (f"copy {NEW} nix-expert", "engine_failed")]
)
def test_a_copy_that_does_not_answer_is_undone(role: Role, step: str, code: str) -> None:
    role.machine.fail[step] = EngineError("blob damaged.", "")
    with pytest.raises(EngineError, match="blob damaged") as raised:
        role.deploy()
    assert raised.value.stable_code == code
    assert role.check_whole() == NOW
    failed = role.versions.get(NEW)
    assert failed.state == "rejected"
    assert "blob damaged" in failed.why
    assert failed.scores is None, "its evaluation did not speak against it"


def test_a_copy_that_is_another_model_is_undone(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(FakeEngine):
        async def copy(self, source: str, destination: str) -> None:
            await super().copy(source, destination)
            if source == NEW:
                self.models[destination] = FakeModel(system="another program's")

    careless = Careless(role.machine)
    careless.models = role.engine.models
    role.engine = careless
    role.deployment = role.fresh()
    with pytest.raises(EngineError) as raised:
        role.deploy()
    assert raised.value.stable_code == "copy_differs"
    assert role.check_whole() == NOW


@pytest.mark.parametrize(
    ("step", "error"),
    [("preload", EngineError("no memory", "")), ("chat nix-expert", EngineBusyError("busy", ""))],
)
def test_a_model_that_could_only_not_be_loaded_yet_is_deployed(role: Role, step: str, error: EngineError) -> None:
    role.machine.fail[step] = error
    role.deploy()
    assert role.check_whole() == NEW


def test_an_engine_that_goes_away_is_waited_for(role: Role) -> None:
    role.machine.fail["chat"] = EngineUnreachableError("Ollama went away.", "")
    with pytest.raises(EngineUnreachableError):
        role.deploy()
    role.deployment = role.fresh()
    with pytest.raises(EngineUnreachableError):
        asyncio.run(role.deployment.recover())
    assert role.journal.exists()
    role.machine.fail.clear()
    asyncio.run(role.deployment.recover())
    assert role.check_whole() == NEW


def test_when_neither_version_is_left_the_role_falls_back_to_its_modelfile(role: Role) -> None:
    role.machine.die_at, role.machine.die_when = 4, "after"
    with pytest.raises(DiedError):
        role.deploy()
    role.machine.die_at = None
    del role.engine.models[NEW], role.engine.models[NOW]
    said = asyncio.run(role.fresh().recover())
    assert said is not None
    assert "nix-expert will be made from the role's Modelfile" in said
    assert "nix-expert" not in role.engine.models, "the ask line makes it anew when it is missing"
    assert not role.journal.exists()


def test_a_journal_that_cannot_be_read_stops_deployments_and_says_what_to_do(role: Role) -> None:
    role.journal.write_text("role = ")
    with pytest.raises(StorageError, match="sudo rm"):
        asyncio.run(role.deployment.recover())
    with pytest.raises(StorageError):
        role.deploy()
    assert role.states() == STATES


def test_rollback_deploys_the_previous_one_and_back_again(role: Role) -> None:
    assert role.rollback() == OLD
    assert role.check_whole() == OLD
    assert role.states() == {OLDEST: "retired", OLD: "deployed", NOW: "previous", NEW: "candidate"}
    assert role.versions.get(OLD).replaced_at_ms is None
    assert role.rollback() == NOW
    assert role.check_whole() == NOW
    assert role.rollback(OLDEST) == OLDEST
    assert role.check_whole() == OLDEST


def test_a_rollback_that_fails_leaves_all_as_it_was(role: Role) -> None:
    role.machine.fail["chat nix-expert"] = EngineError("damaged", "")
    with pytest.raises(EngineError):
        role.rollback(OLDEST)
    assert role.check_whole() == NOW
    assert role.states() == STATES
    assert role.versions.get(OLDEST).scores is not None


@pytest.mark.parametrize(
    ("arguments", "error", "text", "hint"),
    [
        (
            ("nix-exprt-20260101", "expert"),
            NotFoundError,
            "no version 'nix-exprt-20260101'",
            "Did you mean nix-expert-",
        ),
        ((None, "experts"), NotFoundError, "no role 'experts'", "expert, empathy, coder, quick"),
        ((None, "quick"), NotFoundError, "no earlier version of quick", "nix-trinity versions quick"),
        ((OLD, "quick"), RequestError, f"{OLD} is a version of the role expert", f"nix-trinity rollback expert {OLD}"),
        ((NOW, "expert"), RequestError, "is the deployed version of expert already", "nix-trinity versions expert"),
        ((NEW, "expert"), RequestError, "was never deployed", "nix-trinity versions expert"),
    ],
)
def test_a_rollback_that_makes_no_sense_is_refused(
    role: Role, arguments: tuple[str | None, str], error: type[TrinityError], text: str, hint: str
) -> None:
    with pytest.raises(error, match=text) as raised:
        role.rollback(*arguments)
    assert hint in raised.value.hint
    assert role.check_whole() == NOW
    assert role.states() == STATES


def test_a_pruned_version_tells_how_to_build_it_again_and_can_then_be_deployed(role: Role) -> None:
    model = role.engine.models.pop(OLDEST)
    role.versions.replace(OLDEST, removed=True)
    with pytest.raises(RequestError, match="pruned or removed") as raised:
        role.rollback(OLDEST)
    assert raised.value.stable_code == "version_removed"
    assert f"ollama create {OLDEST} -f {role.folder}/versions/{OLDEST}.Modelfile" in raised.value.hint
    assert role.states() == STATES

    role.engine.models[OLDEST] = model
    assert role.rollback(OLDEST) == OLDEST
    assert not role.versions.get(OLDEST).removed


def test_rollback_without_a_name_passes_over_a_previous_version_that_was_pruned(role: Role) -> None:
    del role.engine.models[OLD]
    role.versions.replace(OLD, removed=True)
    assert role.rollback() == OLDEST


def test_deploying_again_what_is_deployed_mends_the_roles_name(role: Role) -> None:
    role.deploy(NOW)
    assert not any(step.startswith("copy") for step in role.machine.steps)
    role.engine.models["nix-expert"] = FakeModel(system="made by another program")
    role.deploy(NOW)
    assert role.check_whole() == NOW
    assert role.states() == STATES


def test_deployments_of_two_roles_take_turns(role: Role) -> None:
    other = "nix-coder-20260104"
    role.engine.models[other] = FakeModel(system="coder")
    role.versions.put(manifest(other, role="coder"))
    seen: list[str] = []
    role.machine.on_step = lambda step: seen.append(step) if step.startswith(("copy", "remove")) else None

    async def both() -> None:
        await asyncio.gather(*(role.deployment.deploy(name, now_ms=9, why="") for name in (NEW, other)))

    asyncio.run(both())
    assert [step.split()[0] for step in seen] == ["copy", "remove"] * 2
