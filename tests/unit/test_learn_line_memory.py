"""What a build remembers and forgets: deleted exchanges, held-out questions, changed options, the month's fresh start."""

from __future__ import annotations

from pathlib import Path

import pytest

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.exchanges import Feedback, Reader
from nix_trinity.training.progress import BuildStep
from tests.unit.fake_engine import BASE
from tests.unit.learn_bench import (
    ALICE,
    ASKED,
    GRAPHICS,
    INVENTED,
    NAME,
    NOW,
    OLD_GRAPHICS,
    OPERATOR,
    OWN,
    RIGHT,
    SSH,
    Line,
    scenario,
)

SECRET = f"Set {GRAPHICS} to true."


async def forget(line: Line, identifier: str) -> None:
    await line.kept.forget(Reader(ALICE), identifier)


def texts(line: Line, model: str) -> str:
    return "\n".join(message.content for message in line.engine.models[model].messages)


def test_what_was_deleted_goes_without_an_evaluation_and_out_of_older_versions(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach_more()
        await line.build()
        await line.teach()
        await line.build()
        assert line.deployed() == f"{NAME}-2"
        assert SECRET in line.versions.modelfile_path(NAME).read_text()
        await forget(line, "second")
        line.answers.asked.clear()
        line.answers.says = lambda _: INVENTED
        await line.build()
        newest = line.versions.get(line.deployed())
        assert (newest.name, newest.example_ids) == (f"{NAME}-3", ("first",))
        assert newest.why == "It is the one before without what was deleted or taken back."
        assert line.answers.asked == []
        assert line.switched[-1] == "quick"
        assert len(line.switched) == 3
        # The deleted text is nowhere any more: not in a model, a Modelfile, a manifest, or an evaluation by its id.
        assert all(SECRET not in texts(line, model) for model in line.engine.models)
        files = [path.read_text() for path in line.versions.folder.iterdir()]
        assert len(files) >= 7
        assert all(SECRET not in text and '"second"' not in text for text in files)
        assert all(line.versions.get(name).removed for name in (NAME, f"{NAME}-2"))
        assert line.state(f"{NAME}-2") == "previous"

    scenario(tmp_path, act)


def test_a_version_without_what_was_deleted_is_made_even_if_nothing_is_left(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        await forget(line, "first")
        await line.build()
        assert line.versions.get(line.deployed()).learned == ()
        assert texts(line, "nix-quick") == "\n".join(message.content for message in OWN.messages)

    scenario(tmp_path, act)


def test_what_is_new_comes_on_top_of_the_version_without_what_was_deleted(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        await forget(line, "first")
        await line.teach_more()
        line.answers.says = lambda _: INVENTED
        result = await line.build()
        assert result.result == "deployed"
        assert result.previous == f"{NAME}-2"
        assert line.versions.get(line.deployed()).example_ids == ("second",)

    scenario(tmp_path, act)


def test_held_out_exchanges_are_asked_and_never_taught(tmp_path: Path) -> None:
    things = ("printing", "bluetooth", "firewall", "docker", "postgresql", "nginx", "emacs", "steam")

    async def act(line: Line) -> None:
        for number, thing in enumerate(things):
            answer = f"Set {SSH} to true, for {thing}."
            await line.say(f"good{number}", f"How do I set up {thing}?", answer, corrected=False, by=OPERATOR)
        await line.teach()
        assert (await line.build()).result == "deployed"
        held = await line.store.lessons(states=["held_out"], limit=100)
        shown = await line.store.lessons(states=["eligible"], limit=100)
        assert held, "a share of them is kept"
        assert [one.exchange_id for one in shown if one.kind == "corrected"] == ["first"]
        assert len(held) + len(shown) == len(things) + 1
        made = line.versions.get(NAME)
        assert set(made.example_ids) == {one.exchange_id for one in shown}
        assert all(one.question not in texts(line, NAME) for one in held)
        for model in (NAME, "nix-quick"):
            asked = {question for name, question in line.answers.asked if name == model}
            assert asked >= {one.question for one in held} | {one.question for one in ASKED}
        evaluation = line.versions.read_evaluation(NAME) or {}
        kinds = {item["id"]: item["kind"] for item in evaluation["items"]}
        assert {name for name, kind in kinds.items() if kind == "held_out"} == {one.exchange_id for one in held}

    scenario(tmp_path, act, held_out_share=0.5)


def checks(line: Line) -> list[str]:
    return [event.text for event in line.told if isinstance(event, BuildStep) and event.step == "check"]


def test_after_a_change_of_the_options_what_was_learned_is_checked_once(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        line.options.types[OLD_GRAPHICS] = "boolean"
        await line.say("first", "How do I enable graphics?", f"Set {OLD_GRAPHICS} to true.")
        await line.build()
        assert len(checks(line)) == 2, "the first build knows of no check before"
        await line.build()
        assert checks(line) == []

        del line.options.types[OLD_GRAPHICS]
        line.options.renamed[OLD_GRAPHICS] = GRAPHICS
        await line.build()
        assert checks(line) == [], "as long as their stamp is the same, the options are"
        line.options.the_stamp = "options-2"
        result = await line.build()
        assert checks(line)[-1] == "1 answers checked, 1 renewed, 0 set aside"
        assert result.result == "deployed"
        assert [one.answer for one in line.versions.get(line.deployed()).learned] == [SECRET]
        await line.build()
        assert checks(line) == []
        assert line.deployed() == f"{NAME}-2"

    scenario(tmp_path, act)


def test_a_check_that_could_not_be_done_is_done_by_the_next_build(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        line.options.the_stamp, line.options.missing = "options-2", True
        with pytest.raises(CorpusError):
            await line.build()
        line.options.missing = False
        await line.build()
        assert checks(line)[-1] == "1 answers checked, 0 renewed, 0 set aside"

    scenario(tmp_path, act)


def test_the_monthly_build_starts_afresh(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.teach()
        await line.build()
        assert line.options.refreshed == 0
        await line.teach_more()
        assert (await line.build("monthly")).result == "deployed"
        assert line.options.refreshed == 1
        made = line.versions.get(line.deployed())
        assert (made.kind, made.parent, made.checkpoint, made.base) == ("monthly", None, True, BASE)
        assert [request.base for request in line.engine.created] == [BASE, BASE]
        assert made.example_ids == ("first", "second")

    scenario(tmp_path, act)


def test_a_monthly_candidate_that_was_rejected_is_no_checkpoint(tmp_path: Path) -> None:
    async def act(line: Line) -> None:
        await line.say("first", "How do I enable SSH?", f"Set {SSH} to true.", by=OPERATOR)
        line.answers.says = lambda model: INVENTED if model == NAME else RIGHT
        assert (await line.build("monthly")).result == "rejected"
        assert line.versions.get(NAME).checkpoint is False

    scenario(tmp_path, act)


@pytest.mark.parametrize("what", ["rejected", "called bad", "consent withdrawn", "corrected anew"])
def test_what_is_taken_back_goes_though_no_evaluation_is_better_without_it(tmp_path: Path, what: str) -> None:
    async def act(line: Line) -> None:
        await line.teach_more()
        await line.teach()
        await line.build()
        assert line.versions.get(line.deployed()).example_ids == ("first", "second")
        if what == "rejected":
            await line.store.decide("second", "rejected", OPERATOR, NOW + 2)
        elif what == "called bad":
            word = Feedback(given_at_ms=NOW + 2, uid=OPERATOR, by_operator=True, verdict="bad")
            await line.kept.judge(Reader(OPERATOR, sees_all=True), "second", word)
        elif what == "consent withdrawn":
            await line.store.say_consent(ALICE, False, NOW + 2)
        else:
            await line.say("second", "How do I enable graphics?", f"Set {GRAPHICS} to true, then reboot.", at=NOW + 2)
        line.answers.says = lambda _: INVENTED
        await line.build()
        assert SECRET not in texts(line, "nix-quick")
        assert ("first" in line.versions.get(line.deployed()).example_ids) == (what != "consent withdrawn")

    scenario(tmp_path, act)
