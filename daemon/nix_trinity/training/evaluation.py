"""Let a candidate and the deployed version answer the same questions, and compare what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from nix_trinity.knowledge.learning import Lesson
from nix_trinity.training.comparison import Comparison, compare
from nix_trinity.training.ports import Inspector, Pipeline, Trial
from nix_trinity.training.questions import Questions, sample
from nix_trinity.training.scoring import Item, Score, of_correction, of_held_out, of_question, score
from nix_trinity.training.version import Learned, Scores

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One item, as both versions answered it."""

    item: Item
    candidate: Score
    deployed: Score
    wrong: tuple[str, ...] = ()
    """What was wrong in the candidate's answer."""
    error: str | None = None
    """Why one of the two did not answer."""

    @property
    def counts(self) -> bool:
        """Whether the two can be compared: what the deployed version could not be asked tells nothing of the other."""
        return self.deployed.answered


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What the evaluation of one candidate came to."""

    role: str
    candidate: str
    deployed: str
    rows: tuple[Row, ...]
    comparison: Comparison
    """Of the questions and held-out exchanges; corrections are in the candidate's examples, so they count apart."""

    @property
    def counted(self) -> list[Row]:
        """The rows that both versions can be compared by."""
        return [row for row in self.rows if row.counts]

    @property
    def scores(self) -> Scores:
        """The candidate's."""
        return _scores([row.candidate for row in self.counted])

    @property
    def deployed_scores(self) -> Scores:
        """The deployed version's, from the same items."""
        return _scores([row.deployed for row in self.counted])

    @property
    def validity(self) -> tuple[float, float]:
        """The share of valid answers, of the candidate and of the deployed version; (0, 0) when none was compared."""
        return self.scores.valid, self.deployed_scores.valid

    @property
    def carried(self) -> int:
        """How many corrections the deployed version gets wrong and the candidate right."""
        return sum(row.candidate.correction is True and row.deployed.correction is False for row in self.counted)

    def as_mapping(self) -> dict[str, Any]:
        """The report for a TOML file. What people asked and were answered is not in it, only their exchanges' ids."""
        return {
            "role": self.role,
            "candidate": self.candidate,
            "deployed": self.deployed,
            "comparison": _plain(asdict(self.comparison)),
            "corrections_carried": self.carried,
            "left_out": len(self.rows) - len(self.counted),
            "scores": {
                "candidate": _plain(_fields(self.scores)),
                "deployed": _plain(_fields(self.deployed_scores)),
            },
            "items": [_as_table(row) for row in self.rows],
        }


# So many questions in a row go to one model: each change of models costs the prompt's beginning, which the engine
# then no longer has in its cache. Both still answer within minutes of each other, on a machine in the same state.
_AT_ONCE = 8


class Evaluation:
    """Runs evaluations; everything that they need besides the two versions."""

    def __init__(self, pipeline: Pipeline, inspector: Inspector, questions: Questions, *, most: int = 0) -> None:
        """``most`` of our questions for each role at most; 0 means all."""
        self._pipeline = pipeline
        self._inspector = inspector
        self._questions = questions
        self._most = most

    async def compare(
        self,
        role: str,
        candidate_model: str,
        deployed_model: str,
        *,
        held_out: Sequence[Lesson],
        carried: Sequence[Learned],
        on_progress: Callable[[int, int], None],
    ) -> EvaluationReport:
        """Let both models answer everything, some items at a time. Cancelling it leaves nothing behind.

        ``on_progress`` is told how many of how many answers there are.

        :raises EngineError: the engine cannot be asked.
        :raises TrinityError: there are no options to check answers against.
        """
        items = [*self._fixed(role, held_out), *[await self._correction(one) for one in carried]]
        rows: list[Row] = []
        done = 0
        on_progress(done, 2 * len(items))
        for number, start in enumerate(range(0, len(items), _AT_ONCE)):
            some = items[start : start + _AT_ONCE]
            # In turn, so that neither is always the one for which the other's words leave the engine's cache.
            models = (candidate_model, deployed_model) if number % 2 == 0 else (deployed_model, candidate_model)
            answered: dict[str, list[Trial]] = {model: [] for model in models}
            for model in models:
                for item in some:
                    answered[model].append(await self._pipeline.try_out(role, model, item.question))
                    done += 1
                    on_progress(done, 2 * len(items))
            trials = zip(some, answered[candidate_model], answered[deployed_model], strict=True)
            rows += [_row(*one) for one in trials]
        pairs = [row for row in rows if row.counts and row.item.kind != "correction"]
        comparison = compare([row.candidate.total for row in pairs], [row.deployed.total for row in pairs])
        return EvaluationReport(role, candidate_model, deployed_model, tuple(rows), comparison)

    def _fixed(self, role: str, held_out: Sequence[Lesson]) -> Iterator[Item]:
        for question in sample(self._questions.asked, self._most, role):
            yield of_question(question)
        for lesson in held_out:
            yield of_held_out(lesson, self._questions.forbidden)

    async def _correction(self, learned: Learned) -> Item:
        inspection = await self._inspector.inspect(learned.question, learned.answer)
        return of_correction(learned, tuple(inspection.types), self._questions.forbidden)


def _row(item: Item, candidate: Trial, deployed: Trial) -> Row:
    return Row(item, score(item, candidate), score(item, deployed), candidate.wrong, candidate.error or deployed.error)


def _scores(scores: Sequence[Score]) -> Scores:
    return Scores(
        questions=len(scores),
        right_option=_mean([one.right_option for one in scores]),
        valid=_mean([one.valid for one in scores]) or 0.0,
        facts=_mean([one.facts for one in scores]),
        corrections=_mean([one.correction for one in scores]),
        first_token_ms=_median([one.first_token_ms for one in scores]),
        tokens_per_second=_median([one.tokens_per_second for one in scores]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _as_table(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"id": row.item.id, "kind": row.item.kind}
    if row.item.kind == "question":
        told["question"] = row.item.question
        if row.wrong:
            told["wrong"] = list(row.wrong)
    if row.error is not None:
        told["error"] = row.error
    return {**told, "candidate": _plain(asdict(row.candidate)), "deployed": _plain(asdict(row.deployed))}


def _fields(scores: Scores) -> dict[str, Any]:
    return {name: getattr(scores, name) for name in scores.__struct_fields__}


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known, which TOML cannot say, and with numbers that a person can read."""
    return {
        key: round(value, _DIGITS) if isinstance(value, float) else value
        for key, value in fields.items()
        if value is not None
    }
