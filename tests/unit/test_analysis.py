"""The quality analysis at work: only what is new is looked at, nothing is lost, of several alike the best one counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.config_sections import LearningSection
from nix_trinity.errors import CorpusError, EngineUnreachableError, TrinityError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.learning import Lesson
from nix_trinity.knowledge.sameness import cluster_key
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.questions import Question
from tests.unit.test_learning_store import ALICE, ANSWER, BOB, OPERATOR, SSH, Stores, exchange, word

OPENSSH = "services.openssh.enable"
NAMES = (OPENSSH, "services.dropbear.enable", "networking.firewall.allowedTCPPorts")
KNOWN = Question(id="enable-ssh", question="How do I enable SSH?", options=("services.openssh",))
ALIKE = "Please, how do I enable the SSH server?"


class FakeInspector:
    """Finds fault with nothing; tells which answers it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self.fails_at: dict[str, TrinityError] = {}
        """By the question."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens, once, while an answer is looked at."""

    async def inspect(self, question: str, answer: str) -> Inspection:
        if question in self.fails_at:
            raise self.fails_at[question]
        self.seen.append((question, answer))
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return Inspection("25.05", "verified", {name: "boolean" for name in NAMES if name in answer}, relevant=True)

    def taken(self) -> list[str]:
        """The questions that were looked at since the last call."""
        seen, self.seen = self.seen, []
        return [question for question, _ in seen]


class Scene:
    """An analysis on a real knowledge.db."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.stores = Stores(folder)
        self.inspector = FakeInspector()
        self.told: list[int] = []
        section = LearningSection(**{"consent_by_default": True, "held_out_share": 0.0, **settings})
        self._analysis = Analysis(self.stores.learning, self.inspector, (KNOWN,), section)

    async def run(self) -> int:
        return await self._analysis.run(self.told.append)

    async def lesson(self, identifier: str) -> Lesson:
        found = await self.stores.learning.lesson(identifier)
        assert found is not None, f"nothing was made of {identifier}"
        return found

    async def states(self, *ids: str) -> list[str]:
        return [(await self.lesson(one)).state for one in ids]


def scenario(folder: Path, act: Callable[[Scene], Awaitable[None]], **settings: Any) -> None:
    async def run() -> None:
        scene = Scene(folder, **settings)
        try:
            await act(scene)
        finally:
            await scene.stores.kept.close()

    asyncio.run(run())


def port(number: int) -> str:
    return f"How do I open port {number} in the firewall?"


def test_only_what_changed_is_looked_at(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        for number in range(3):
            await s.stores.keep(exchange(f"x{number}", question=port(number)), word("good"))
        assert await s.run() == 3
        assert sorted(s.inspector.taken()) == [port(0), port(1), port(2)]
        assert await s.run() == 0
        assert s.inspector.taken() == []
        await s.stores.say("x1", word("good", by=OPERATOR))
        await s.stores.keep(exchange("new", question=port(3)), word("good"))
        assert await s.run() == 2
        assert sorted(s.inspector.taken()) == [port(1), port(3)]
        assert (await s.lesson("x1")).by_operator
        assert await s.states("x0", "x1", "x2", "new") == ["eligible"] * 4

    scenario(tmp_path, act)


def test_what_nobody_judged_is_not_looked_at_and_taught_to_nobody(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("checked", option_types=f'{{"{OPENSSH}": "boolean"}}'))
        await s.stores.keep(exchange("unchecked", question=port(1), verdict="ungrounded"))
        assert await s.run() == 2
        assert s.inspector.seen == []
        assert await s.states("checked", "unchecked") == ["review", "excluded"]
        checked = await s.lesson("checked")
        assert checked.topic == "services.openssh", "what was found at the time"
        assert "nobody said that it is right" in checked.reason
        assert await s.run() == 0
        await s.stores.learning.decide("checked", "accepted", OPERATOR, 20)
        assert await s.run() == 1
        assert s.inspector.taken() == [SSH]
        assert await s.states("checked") == ["eligible"]

    scenario(tmp_path, act)


def test_what_asks_the_same_is_merged_whenever_it_comes_and_the_correction_wins(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("first"), word("good", at=10))
        await s.run()
        assert await s.states("first") == ["eligible"]
        await s.stores.keep(exchange("later", question=ALIKE, uid=BOB), word("good", by=BOB, at=20))
        await s.run()
        assert await s.states("first", "later") == ["duplicate", "eligible"]
        await s.stores.keep(
            exchange("corrected", asked_at_ms=2), word("corrected", at=15, correction=f"Set `{OPENSSH} = true;`.")
        )
        await s.run()
        assert await s.states("first", "later", "corrected") == ["duplicate", "duplicate", "eligible"]
        assert (await s.lesson("first")).reason == "Exchange corrected asks the same and was corrected."
        await s.stores.keep(exchange("last", asked_at_ms=3), word("good", at=90))
        await s.run()
        assert await s.states("last", "corrected") == ["duplicate", "eligible"]
        assert len({(await s.lesson(one)).cluster for one in ("first", "later", "corrected", "last")}) == 1

    scenario(tmp_path, act)


def test_one_that_steps_back_lets_the_next_best_in(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("first"), word("good", at=10))
        await s.stores.keep(exchange("second"), word("good", at=20))
        await s.run()
        assert await s.states("first", "second") == ["duplicate", "eligible"]
        await s.stores.say("second", word("bad", at=30))
        await s.run()
        assert await s.states("first", "second") == ["eligible", "excluded"]

    scenario(tmp_path, act)


def test_other_words_for_the_same_join_what_is_there_already(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        short = "How do I enable SSH?"
        assert cluster_key(short) != cluster_key(SSH)
        await s.stores.keep(exchange("long"), word("good", at=10))
        await s.run()
        await s.stores.keep(exchange("short", question=short), word("good", at=20))
        await s.run()
        assert await s.states("long", "short") == ["duplicate", "eligible"]
        assert (await s.lesson("short")).cluster == (await s.lesson("long")).cluster

    scenario(tmp_path, act)


def test_what_does_not_ask_the_same_is_left_alone(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("on"), word("good"))
        await s.stores.keep(exchange("off", question="How do I disable the SSH server?"), word("good"))
        await s.run()
        assert await s.states("on", "off") == ["eligible", "eligible"]
        assert (await s.lesson("on")).cluster != (await s.lesson("off")).cluster

    scenario(tmp_path, act)


def test_a_word_that_comes_while_its_exchange_is_looked_at_is_not_lost(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("x"), word("good", at=10))
        s.inspector.meanwhile = lambda: s.stores.say("x", word("corrected", at=20, correction="Say it to sshd."))
        assert await s.run() == 2
        assert s.inspector.seen == [(SSH, ANSWER), (SSH, "Say it to sshd.")]
        lesson = await s.lesson("x")
        assert (lesson.kind, lesson.answer) == ("corrected", "Say it to sshd.")
        assert await s.run() == 0

    scenario(tmp_path, act)


def test_an_exchange_that_is_deleted_while_it_is_looked_at_leaves_nothing(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("x"), word("good"))

        async def forget() -> None:
            await s.stores.kept.forget(Reader(ALICE), "x")

        s.inspector.meanwhile = forget
        await s.run()
        assert await s.stores.learning.lesson("x") is None
        assert await s.run() == 0

    scenario(tmp_path, act)


@pytest.mark.parametrize(
    "error", [CorpusError("There are no options.", "Index them."), EngineUnreachableError("Ollama is away.", "")]
)
def test_nothing_is_lost_when_the_inspector_fails(tmp_path: Path, error: TrinityError) -> None:
    async def act(s: Scene) -> None:
        for number in range(4):
            await s.stores.keep(exchange(f"x{number}", question=port(number)), word("good"))
        s.inspector.fails_at[port(2)] = error
        with pytest.raises(type(error)):
            await s.run()
        done = set(s.inspector.taken())
        assert set(await s.stores.waiting()) == {f"x{n}" for n in range(4) if port(n) not in done}
        s.inspector.fails_at.clear()
        assert await s.run() == 4 - len(done)
        assert not done & set(s.inspector.taken()), "what was done is done"
        assert await s.states("x0", "x1", "x2", "x3") == ["eligible"] * 4

    scenario(tmp_path, act)


def test_a_restart_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    async def killed(s: Scene) -> None:
        for number in range(3):
            await s.stores.keep(exchange(f"x{number}", question=port(number)), word("good"))
        s.inspector.fails_at[port(1)] = CorpusError("There are no options.", "Index them.")
        with pytest.raises(CorpusError):
            await s.run()

    async def after(s: Scene) -> None:
        await s.run()
        assert await s.states("x0", "x1", "x2") == ["eligible"] * 3

    scenario(tmp_path, killed)
    scenario(tmp_path, after)


def test_progress_is_told_up_to_the_number_of_all(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        for number in range(120):
            await s.stores.keep(exchange(f"x{number}", question=port(number)))
        assert await s.run() == 120
        assert s.told == sorted(set(s.told))
        assert s.told[-1] == 120
        assert len(s.told) > 1, "it is told before the end, too"

    scenario(tmp_path, act)


def held_out(folder: Path, share: float, numbers: range) -> set[str]:
    """Which of confirmed exchanges are kept for evaluation."""
    found: set[str] = set()

    async def act(s: Scene) -> None:
        for number in numbers:
            await s.stores.keep(exchange(f"x{number}", question=port(number)), word("good"))
        await s.run()
        kept = await s.stores.learning.lessons(states=("held_out",), limit=1000)
        others = await s.stores.learning.lessons(states=("eligible",), limit=1000)
        assert len(kept) + len(others) == len(numbers)
        found.update(one.exchange_id for one in kept)

    folder.mkdir()
    scenario(folder, act, held_out_share=share)
    return found


def test_the_share_that_is_held_out_is_as_configured_and_stable(tmp_path: Path) -> None:
    some = held_out(tmp_path / "some", 0.3, range(100))
    assert 20 <= len(some) <= 40
    assert held_out(tmp_path / "backwards", 0.3, range(99, 49, -1)) == {one for one in some if int(one[1:]) >= 50}
    assert some < held_out(tmp_path / "more", 0.6, range(100))
    assert held_out(tmp_path / "none", 0.0, range(20)) == set()


def test_what_is_held_out_stays_so_when_it_is_asked_again_until_it_is_corrected(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("first"), word("good", at=10))
        await s.run()
        await s.stores.keep(exchange("again", question=ALIKE), word("good", at=20))
        await s.run()
        assert await s.states("first", "again") == ["duplicate", "held_out"]
        await s.stores.say("again", word("bad", at=25))
        await s.run()
        assert await s.states("first", "again") == ["held_out", "excluded"], "what steps in is held out as well"
        await s.stores.say("again", word("good", at=26))
        await s.stores.say("first", word("corrected", at=30, correction=f"Set `{OPENSSH} = true;`."))
        await s.run()
        assert await s.states("first", "again") == ["eligible", "duplicate"], "a correction is never held out"

    # As many as can be configured: this cluster is among them.
    scenario(tmp_path, act, held_out_share=0.9)


@pytest.mark.parametrize("said", ["good", "corrected"])
def test_an_answer_that_contradicts_an_evaluation_question_waits_for_an_operator(tmp_path: Path, said: str) -> None:
    async def act(s: Scene) -> None:
        wrong = "Set services.dropbear.enable = true;"
        correction = wrong if said == "corrected" else None
        await s.stores.keep(exchange("x", question=KNOWN.question, answer=wrong), word(said, correction=correction))
        await s.run()
        lesson = await s.lesson("x")
        assert lesson.state == "review"
        assert KNOWN.id in lesson.reason
        await s.stores.learning.decide("x", "accepted", OPERATOR, 20)
        await s.run()
        assert await s.states("x") == ["eligible"]

    scenario(tmp_path, act)


def test_an_answer_with_a_right_option_contradicts_nothing(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("right", question=KNOWN.question), word("good"))
        await s.stores.keep(
            exchange("other", question=port(22), answer="Set networking.firewall.allowedTCPPorts."), word("good")
        )
        await s.run()
        assert await s.states("right", "other") == ["eligible", "eligible"]

    scenario(tmp_path, act)


def test_nothing_is_learned_of_who_did_not_allow_it_and_consent_brings_it_back(tmp_path: Path) -> None:
    async def act(s: Scene) -> None:
        await s.stores.keep(exchange("x"), word("good"))
        await s.run()
        assert await s.states("x") == ["excluded"]
        await s.stores.learning.say_consent(ALICE, True, 20)
        assert await s.run() == 1
        assert await s.states("x") == ["eligible"]

    scenario(tmp_path, act, consent_by_default=False)
