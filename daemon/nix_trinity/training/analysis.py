"""Turn what changed since the last build into lessons: the quality analysis, exchange by exchange."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nix_trinity.config_sections import LearningSection
from nix_trinity.knowledge.learning import Judged, Lesson
from nix_trinity.knowledge.sameness import cluster_key, same_question
from nix_trinity.training.duplicates import merge
from nix_trinity.training.ports import Inspection, Inspector
from nix_trinity.training.quality import lesson_of
from nix_trinity.training.questions import Question, contradicted_by

_AT_ONCE = 100
_MOST_ALIKE = 8


class LessonStore(Protocol):
    """The part of knowledge.db that is needed here: knowledge.learning_store.LearningStore."""

    async def waiting(self, limit: int) -> Sequence[Judged]:
        """Exchanges of which something changed."""
        ...

    async def alike(self, question: str, limit: int) -> Sequence[Lesson]:
        """Lessons that ask something like it."""
        ...

    async def in_cluster(self, cluster: str) -> Sequence[Lesson]:
        """Lessons that ask the same."""
        ...

    async def analysed(self, lessons: Sequence[Lesson], ids: Sequence[str]) -> None:
        """Keep lessons, and take these exchanges off the list of what waits."""
        ...


class Analysis:
    """Looks at what is new and at nothing else, so that its work does not grow with what is kept."""

    def __init__(
        self, store: LessonStore, inspector: Inspector, questions: Sequence[Question], settings: LearningSection
    ) -> None:
        self._store = store
        self._inspector = inspector
        self._questions = questions
        self._settings = settings

    async def run(self, on_progress: Callable[[int], None]) -> int:
        """Analyse all that waits; ``on_progress`` is told how many exchanges are done. Returns how many there were.

        :raises TrinityError: there are no options to check answers against, or knowledge.db cannot be used.
        """
        done = 0
        while waiting := await self._store.waiting(_AT_ONCE):
            for judged in waiting:
                await self._store.analysed(await self._lessons(judged), [judged.id])
                done += 1
            on_progress(done)
        return done

    async def _lessons(self, judged: Judged) -> list[Lesson]:
        """The exchange's lesson, and those that ask the same: one of them is the best, the others duplicates."""
        inspection = await self._inspected(judged)
        cluster = await self._cluster(judged)
        lesson = lesson_of(
            judged,
            inspection,
            consent_by_default=self._settings.consent_by_default,
            held_out_share=self._settings.held_out_share,
            contradicts=contradicted_by(judged.question, tuple(inspection.types), self._questions),
            cluster=cluster,
        )
        others = [one for one in await self._store.in_cluster(cluster) if one.exchange_id != judged.id]
        return merge([*others, lesson], held_out_share=self._settings.held_out_share)

    async def _inspected(self, judged: Judged) -> Inspection:
        if judged.word is None and judged.review is None:
            # Nobody's word is on it, so nothing is learned from it; what was found at the time will do.
            return Inspection(judged.options_release, judged.check or "ungrounded", dict(judged.option_types))
        return await self._inspector.inspect(judged.question, judged.answer)

    async def _cluster(self, judged: Judged) -> str:
        for lesson in await self._store.alike(judged.question, _MOST_ALIKE):
            if lesson.exchange_id != judged.id and same_question(lesson.question, judged.question):
                return lesson.cluster
        return cluster_key(judged.question)
