"""Two versions on the same questions: order, errors, what counts and what is kept of it."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import tomli_w

from nix_trinity.errors import EngineUnreachableError
from nix_trinity.knowledge.inspection import Inspection, Trial
from nix_trinity.knowledge.learning import Lesson
from nix_trinity.training.evaluation import Evaluation, EvaluationReport
from nix_trinity.training.questions import Question, Questions
from nix_trinity.training.version import Learned

OLD, NEW = "nix-quick", "nix-quick-20260101"
RIGHT = Trial("Yes.", "verified", ("a.b",), (), True, 100.0, 20.0)
WRONG = replace(RIGHT, names=())
INVALID = replace(RIGHT, wrong=("x.y: not an option",))
NO_WORD = replace(RIGHT, names=(), error="The model ended its answer without a word.")
QUESTIONS = Questions(
    tuple(Question(id=f"q{number}", question=f"Question {number}?", options=("a.b",)) for number in range(10)), ()
)
SECRET = "what bob asked"
HELD_OUT = Lesson(
    exchange_id="h1",
    role="quick",
    topic="t",
    kind="confirmed",
    state="held_out",
    reason="",
    value=0.5,
    cluster="c",
    question=SECRET,
    answer="Set `a.b`.",
    option_types={"a.b": "boolean"},
)
CORRECTION = Learned(
    id="c1",
    question="Corrected?",
    answer="Set `a.b`.",
    kind="corrected",
    topic="t",
    judged_by=7,
    by_operator=True,
    judged_at_ms=1,
    options_release="25.05",
)


class Inspecting:
    async def inspect(self, question: str, answer: str) -> Inspection:
        assert question
        assert answer
        return Inspection("25.05", "verified", {"a.b": "boolean"})


class Trying:
    def __init__(self, answer: Callable[[str, str], Trial]) -> None:
        self.asked: list[tuple[str, str]] = []
        self._answer = answer

    async def try_out(self, role: str, model: str, question: str) -> Trial:
        assert role == "quick"
        self.asked.append((model, question))
        return self._answer(model, question)


def evaluated(
    answer: Callable[[str, str], Trial],
    *,
    held_out: Sequence[Lesson] = (),
    carried: Sequence[Learned] = (),
    most: int = 0,
) -> tuple[EvaluationReport, Trying, list[tuple[int, int]]]:
    pipeline, progress = Trying(answer), list[tuple[int, int]]()
    evaluation = Evaluation(pipeline, Inspecting(), QUESTIONS, most=most)
    report = asyncio.run(
        evaluation.compare(
            "quick",
            NEW,
            OLD,
            held_out=held_out,
            carried=carried,
            on_progress=lambda done, total: progress.append((done, total)),
        )
    )
    return report, pipeline, progress


def test_a_candidate_that_answers_more_is_better() -> None:
    report, _, progress = evaluated(lambda model, _: RIGHT if model == NEW else WRONG, held_out=[HELD_OUT])
    assert report.comparison.judgement == "better"
    assert report.comparison.n == 11
    assert (report.scores.right_option, report.deployed_scores.right_option) == (1.0, 0.0)
    assert report.validity == (1.0, 1.0)
    assert (report.scores.questions, report.scores.first_token_ms) == (11, 100.0)
    assert progress == [(done, 22) for done in range(23)]


def test_both_answer_each_question_in_turn() -> None:
    _, pipeline, _ = evaluated(lambda *_: RIGHT)
    # Eight of one, the same eight of the other; then the other begins.
    assert [model for model, _ in pipeline.asked] == [NEW] * 8 + [OLD] * 8 + [OLD] * 2 + [NEW] * 2
    asked = [question for _, question in pipeline.asked]
    assert asked[:8] == asked[8:16]
    assert asked[16:18] == asked[18:]


def test_corrections_are_counted_apart() -> None:
    report, _, _ = evaluated(
        lambda model, question: WRONG if model == OLD and question == "Corrected?" else RIGHT, carried=[CORRECTION]
    )
    assert report.carried == 1
    assert report.comparison.n == 10
    assert report.comparison.mean == 0, "what is among the candidate's examples is no evidence"
    assert (report.scores.corrections, report.deployed_scores.corrections) == (1.0, 0.0)


def test_a_correction_that_both_know_is_not_carried() -> None:
    assert evaluated(lambda *_: RIGHT, carried=[CORRECTION])[0].carried == 0


def test_an_invalid_answer_to_a_correction_counts_against_validity() -> None:
    report, _, _ = evaluated(
        lambda model, question: INVALID if model == NEW and question == "Corrected?" else RIGHT, carried=[CORRECTION]
    )
    assert report.validity[0] < report.validity[1]


def test_no_answer_of_the_candidate_is_an_invalid_one() -> None:
    report, _, _ = evaluated(lambda model, question: NO_WORD if (model, question) == (NEW, "Question 3?") else RIGHT)
    assert report.validity == (0.9, 1.0)
    assert report.comparison.mean < 0


def test_no_answer_of_the_deployed_version_speaks_for_nobody() -> None:
    report, _, _ = evaluated(
        lambda model, question: NO_WORD if model == OLD and question in {"Question 3?", "Corrected?"} else RIGHT,
        carried=[CORRECTION],
    )
    assert (report.comparison.n, report.comparison.mean, report.carried) == (9, 0, 0)
    assert report.as_mapping()["left_out"] == 2


def test_an_engine_that_is_away_ends_the_evaluation() -> None:
    def away(model: str, question: str) -> Trial:
        raise EngineUnreachableError("gone", "start it")

    with pytest.raises(EngineUnreachableError):
        evaluated(away)


def test_it_can_be_cancelled_at_any_point() -> None:
    async def scenario() -> None:
        class Waiting:
            async def try_out(self, role: str, model: str, question: str) -> Trial:
                await asyncio.Event().wait()
                return replace(RIGHT, text=f"{role} {model} {question}")

        evaluation = Evaluation(Waiting(), Inspecting(), QUESTIONS)
        task = asyncio.create_task(
            evaluation.compare("quick", NEW, OLD, held_out=(), carried=(), on_progress=lambda *_: None)
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_the_number_of_our_questions_can_be_limited() -> None:
    report, _, _ = evaluated(lambda *_: RIGHT, most=4, held_out=[HELD_OUT])
    assert [row.item.kind for row in report.rows] == ["question"] * 4 + ["held_out"]


def test_the_report_is_toml_and_holds_nothing_that_people_said() -> None:
    report, _, _ = evaluated(
        lambda model, _: INVALID if model == NEW else NO_WORD, held_out=[HELD_OUT], carried=[CORRECTION]
    )
    text = tomli_w.dumps(report.as_mapping())
    told = tomllib.loads(text)
    assert SECRET not in text
    assert CORRECTION.question not in text
    assert [item["id"] for item in told["items"]] == [f"q{number}" for number in range(10)] + ["h1", "c1"]
    assert told["items"][0]["wrong"] == ["x.y: not an option"]
    assert told["items"][0]["error"] == NO_WORD.error
    assert told["comparison"]["judgement"] == "not_enough_evidence"
    assert told["scores"]["candidate"]["questions"] == 0
