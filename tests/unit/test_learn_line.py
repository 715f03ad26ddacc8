"""One build from words to versions: what is made of them, what of it is deployed, and what is left of what failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nix_trinity.errors import EngineError, EngineUnreachableError
from nix_trinity.knowledge.inspection import Trial
from nix_trinity.roles import RoleSpec
from nix_trinity.training.progress import BuildStep
from tests.unit.fake_engine import BASE
from tests.unit.learn_bench import ALICE, INVENTED, LOST, NAME, NOW, OPERATOR, OWN, RIGHT, SSH, Line, scenario


def test_where_nobody_said_anything_no_model_is_made(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        result = await line.build()
        assert (result.result, result.version) == ("nothing_new", None)
        assert line.versions.names() == ()
        assert set(line.engine.models) == {BASE}
        assert line.switched == []

    scenario(tmp_path, act)


def test_without_consent_nothing_is_learned(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        assert (await line.build()).result == "nothing_new"
        await line.store.say_consent(ALICE, True, NOW)
        assert (await line.build()).result == "deployed"

    scenario(tmp_path, act, consent=False)


def test_a_correction_becomes_a_version_that_is_evaluated_and_deployed(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.say("first", "How do I enable the SSH server?", f"Set {SSH} to true.", by=OPERATOR)
        result = await line.build()
        assert (result.result, result.version, result.previous, result.added) == ("deployed", NAME, None, 1)
        assert "no worse than the role's model without learned examples" in result.why
        assert line.deployed() == NAME
        made = line.versions.get(NAME)
        [taught] = made.learned
        assert (taught.id, taught.kind, taught.judged_by, taught.by_operator) == ("first", "corrected", OPERATOR, True)
        assert (made.kind, made.nixos_release, made.checkpoint, made.why) == ("weekly", "26.11", False, result.why)
        assert made.scores is not None
        assert (made.scores.questions, made.scores.valid, made.scores.corrections) == (9, 1.0, 1.0)
        assert (line.versions.read_evaluation(NAME) or {})["corrections_carried"] == 1
        answers = [message.content for message in line.engine.models["nix-quick"].messages]
        assert answers == [*(m.content for m in OWN.messages), taught.question, f"Set {SSH} to true."]
        assert {model for model, _ in line.answers.asked} == {NAME, "nix-quick"}
        assert line.switched == ["quick"]
        assert line.awake == [f"{NAME} is being deployed"]
        steps = [event.step for event in line.told if isinstance(event, BuildStep)]
        order = ["check", "analyse", "select", "create", "evaluate", "decide", "deploy"]
        assert list(dict.fromkeys(steps)) == order

    scenario(tmp_path, act)


def test_the_next_version_is_made_from_the_deployed_one_which_becomes_the_previous(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        assert (await line.build()).result == "nothing_new", "the very same examples"
        assert line.versions.names() == (NAME,)
        await line.teach_more()
        result = await line.build()
        assert (result.result, result.previous, result.added, result.dropped) == ("deployed", NAME, 1, 0)
        assert line.deployed() == f"{NAME}-2"
        assert line.state(NAME) == "previous"
        newest = line.versions.get(f"{NAME}-2")
        assert (newest.parent, newest.example_ids) == (NAME, ("first", "second"))
        assert line.switched == ["quick", "quick"]
        # Only what the deployed version does not teach yet is evaluated as a correction.
        items = (line.versions.read_evaluation(newest.name) or {})["items"]
        assert [item["id"] for item in items if item["kind"] == "correction"] == ["second"]
        assert "no worse than the deployed version" in result.why

    scenario(tmp_path, act)


@pytest.mark.parametrize(("answer", "why"), [(LOST, "worse"), (INVENTED, "Fewer of its answers are valid")])
def test_a_candidate_that_lost_something_goes_and_the_deployed_one_stays(
    tmp_path: Path, answer: Trial, why: str
) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        before = line.engine.models["nix-quick"], line.versions.get(NAME)
        await line.teach_more()
        line.answers.says = lambda model: answer if model.startswith(f"{NAME}-") else RIGHT
        result = await line.build()
        assert (result.result, result.version, result.previous) == ("rejected", f"{NAME}-2", NAME)
        assert why in result.why
        assert (line.engine.models["nix-quick"], line.versions.get(NAME)) == before
        rejected = line.versions.get(f"{NAME}-2")
        assert (rejected.state, rejected.removed, rejected.why) == ("rejected", True, result.why)
        assert rejected.name not in line.engine.models
        assert line.versions.read_evaluation(rejected.name) is not None
        assert line.switched == ["quick"]

        again = await line.build()
        assert (again.result, again.version) == ("nothing_new", NAME)
        assert rejected.name in again.why
        assert len(line.versions.names()) == 2
        line.answers.says = lambda _: RIGHT
        assert (await line.build("manual")).result == "deployed", "whoever asks for it themselves gets another try"
        assert line.deployed() == f"{NAME}-3"

    scenario(tmp_path, act)


def test_an_engine_that_goes_away_ends_the_build_and_leaves_no_candidate(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        await line.teach_more()

        def away(model: str) -> Trial:
            raise EngineUnreachableError(f"{model} does not answer.", "systemctl start ollama")

        line.answers.says = away
        with pytest.raises(EngineUnreachableError):
            await line.results("quick", "expert")
        left = line.versions.get(f"{NAME}-2")
        assert (left.state, left.removed, left.why) == ("rejected", True, "It was not evaluated to the end.")
        assert left.name not in line.engine.models
        assert line.deployed() == NAME
        assert line.versions.deployed("expert") is None
        line.answers.says = lambda _: RIGHT
        assert (await line.build()).result == "deployed", "it was not judged, so it is tried again"

    scenario(tmp_path, act)


def test_a_build_that_is_stopped_while_it_evaluates_leaves_no_candidate(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()

        def stop(model: str) -> Trial:
            raise asyncio.CancelledError

        line.answers.says = stop
        with pytest.raises(asyncio.CancelledError):
            await line.build()
        assert line.state(NAME) == "rejected"
        assert NAME not in line.engine.models

    scenario(tmp_path, act)


@pytest.mark.parametrize("step", ["base", "create", "deploy"])
def test_what_fails_for_one_role_leaves_the_others(tmp_path: Path, step: str) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        if step == "base":
            line.specs["expert"] = RoleSpec("expert", "gone:1b", 4096, OWN, {})
        else:
            name = "nix-expert-20261125"
            steps = {"create": f"create {name}", "deploy": f"copy {name} nix-expert"}
            line.engine.machine.fail[steps[step]] = EngineError("The disk is full.", "Free some.")
        results = await line.results("expert", "quick")
        assert results["quick"].result == "deployed"
        assert (results["expert"].result, results["expert"].version) == ("failed", None)
        assert ("gone:1b" if step == "base" else "The disk is full. Free some.") in results["expert"].why
        assert "candidate" not in {one.state for one in line.versions.load_all()}
        assert line.versions.deployed("expert") is None
        assert line.switched == ["quick"]

    scenario(tmp_path, act)
