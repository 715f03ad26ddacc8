"""What the learn line asks of knowledge.db. Every method raises StorageError when the file cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import apsw
import msgspec

from nix_trinity.errors import RequestError
from nix_trinity.knowledge import builds, lessons, past_answers, reviews
from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import judged as judgements
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.judged import Since
from nix_trinity.knowledge.learning import Build, Decision, Judged, Lesson, LessonState
from nix_trinity.knowledge.redaction import redact
from nix_trinity.knowledge.reviews import Accepted

_MOST_OF_A_CLUSTER = 1_000


class LearningStore:
    """The learn line's door to knowledge.db. All text that comes in is redacted. Times are Unix milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, limit: int) -> list[Judged]:
        """Up to ``limit`` exchanges of which something changed since they were analysed; empty when there are none.

        They stay on the list until :meth:`analysed` takes them off, so a build that is killed loses nothing.
        """
        return await self._database.run(lambda connection: judgements.take_waiting(connection, limit))

    async def analysed(self, found: Sequence[Lesson], ids: Sequence[str]) -> None:
        """Keep what was made of exchanges, and take ``ids`` off the list, both or neither.

        What changed since :meth:`waiting` returned it stays on the list: a correction that comes in while its exchange
        is analysed is seen the next time. Lessons of exchanges that are gone by now are left out.
        """
        clean = await asyncio.to_thread(lambda: [_redacted(lesson) for lesson in found])

        def work(connection: apsw.Connection) -> None:
            for lesson in clean:
                lessons.put_lesson(connection, lesson)
            judgements.forget_taken(connection, ids)

        await self._database.run(work)

    async def alike(self, question: str, limit: int) -> list[Lesson]:
        """The lessons whose questions share the most telling words with ``question``, the most alike first."""
        return await self._database.run(lambda connection: lessons.alike(connection, question, limit))

    async def in_cluster(self, cluster: str, limit: int = _MOST_OF_A_CLUSTER) -> list[Lesson]:
        """The lessons of exchanges that ask the same, most valuable first."""
        return await self._database.run(lambda connection: lessons.in_cluster(connection, cluster, limit))

    async def lesson(self, exchange_id: str) -> Lesson | None:
        """What was made of one exchange; None when it was not analysed."""
        found = await self._database.run(lambda connection: lessons.by_ids(connection, [exchange_id]))
        return found[0] if found else None

    async def lessons(self, *, states: Sequence[LessonState], role: str | None = None, limit: int) -> list[Lesson]:
        """The lessons in any of these states, of one role or of all, most valuable first, then the newest."""
        return await self._database.run(lambda connection: lessons.in_states(connection, states, role, limit))

    async def lessons_page(self, after_id: str, limit: int) -> list[Lesson]:
        """The next lessons in the order of their ids; '' starts, an empty list ends."""
        return await self._database.run(lambda connection: lessons.page(connection, after_id, limit))

    async def existing(self, ids: Sequence[str]) -> set[str]:
        """Those of the exchanges that are still there."""
        return await self._database.run(lambda connection: rows.existing(connection, ids))

    async def candidates(self, limit: int) -> list[Lesson]:
        """What waits for an operator's review: undecided, or set aside after a change of the options."""
        return await self._database.run(lambda connection: lessons.candidates(connection, limit))

    async def decide(self, prefix: str, decision: Decision, uid: int, now_ms: int, *, seen: str | None = None) -> str:
        """Keep an operator's review of the exchange whose id starts with ``prefix``, and return that id.

        It counts for the answer as it is now. ``seen`` is the answer that the operator looked at, where it is known.

        :raises NotFoundError: there is no such exchange.
        :raises RequestError: ``ambiguous_id``; ``answer_changed``, it is not as it was seen; or there is no answer.
        """

        def work(connection: apsw.Connection) -> str:
            exchange = rows.the_one(rows.find_exchange(connection, Reader(uid, sees_all=True), prefix), prefix)
            judged = judgements.judged(connection, [exchange.id])
            if not judged:
                raise RequestError(
                    f"Exchange {exchange.id} has no answer to review.", "List what has: nix-trinity review"
                )
            if seen is not None and judged[0].answer != seen:
                raise RequestError(
                    f"The answer of exchange {exchange.id} changed since you saw it.",
                    f"Look at it again: nix-trinity show {exchange.id}",
                    code="answer_changed",
                )
            reviews.put_review(connection, exchange.id, decision, uid, now_ms)
            past_answers.refresh(connection, exchange.id)
            return exchange.id

        if not prefix:
            raise RequestError("A review needs the exchange's id.", "List the ids: nix-trinity review")
        return await self._database.run(work)

    async def accepted_page(self, after_id: str, limit: int) -> list[Accepted]:
        """The next accepted or set aside exchanges in the order of their ids; '' starts, an empty list ends."""
        return await self._database.run(lambda connection: reviews.accepted_page(connection, after_id, limit))

    async def renew(
        self,
        exchange_id: str,
        answer: str | None,
        option_types: Mapping[str, str],
        reason: str,
        release: str | None,
        now_ms: int,
    ) -> bool:
        """Let a mended answer count for an exchange, or set it aside (None); False when the exchange is gone."""
        clean = redact(answer).text if answer is not None else None

        def work(connection: apsw.Connection) -> bool:
            done = reviews.put_renewal(
                connection, exchange_id, clean, option_types, redact(reason).text, release, now_ms
            )
            past_answers.refresh(connection, exchange_id)
            return done

        return await self._database.run(work)

    async def clear_renewal(self, exchange_id: str) -> bool:
        """Let the text that people accepted count again; False when nothing was renewed."""

        def work(connection: apsw.Connection) -> bool:
            done = reviews.drop_renewal(connection, exchange_id)
            past_answers.refresh(connection, exchange_id)
            return done

        return await self._database.run(work)

    async def consent(self, uid: int) -> bool | None:
        """Whether a person lets models learn from their exchanges; None when they said nothing."""
        return await self._database.run(lambda connection: reviews.consent(connection, uid))

    async def say_consent(self, uid: int, allows: bool, now_ms: int) -> None:
        """Keep what a person says about it; when that changes, their exchanges are analysed again."""
        await self._database.run(lambda connection: reviews.put_consent(connection, uid, allows, now_ms))

    async def since(self, ms: int) -> Since:
        """What came in after ``ms``: corrections, bad verdicts, and the newest 500 questions without a good answer."""
        return await self._database.run(lambda connection: judgements.since(connection, ms))

    async def begin_build(self, build: Build) -> None:
        """Keep that a build began."""
        await self._put(build)

    async def end_build(self, build: Build) -> None:
        """Keep how a build ended."""
        await self._put(build)

    async def close_interrupted_builds(self, now_ms: int) -> int:
        """Mark builds that a killed daemon left running as failed (``interrupted``), and return how many."""
        return await self._database.run(lambda connection: builds.close_interrupted(connection, now_ms))

    async def builds(self, limit: int) -> list[Build]:
        """The builds that began last, newest first."""
        return await self._database.run(lambda connection: builds.newest(connection, limit))

    async def builds_between(self, since_ms: int, until_ms: int) -> list[Build]:
        """The builds that began from ``since_ms`` on and before ``until_ms``, newest first."""
        return await self._database.run(lambda connection: builds.between(connection, since_ms, until_ms))

    async def last_success(self, kinds: Sequence[str]) -> int | None:
        """When the newest build of these kinds that is done, or found nothing new, had ended."""
        return await self._database.run(lambda connection: builds.last_success(connection, kinds))

    async def last_build_started(self) -> int | None:
        """When the newest build of any kind that is done, or found nothing new, had begun."""
        return await self._database.run(builds.last_started)

    async def fact(self, name: str) -> str | None:
        """The value that was kept under a name."""
        return await self._database.run(lambda connection: builds.fact(connection, name))

    async def set_fact(self, name: str, value: str) -> None:
        """Keep a value under a name, in the place of an older one."""
        await self._database.run(lambda connection: builds.put_fact(connection, name, value))

    async def _put(self, build: Build) -> None:
        clean = msgspec.structs.replace(
            build,
            reason=redact(build.reason).text,
            error=redact(build.error).text if build.error is not None else None,
        )
        await self._database.run(lambda connection: builds.put_build(connection, clean))


def _redacted(lesson: Lesson) -> Lesson:
    return msgspec.structs.replace(
        lesson,
        question=redact(lesson.question).text,
        answer=redact(lesson.answer).text,
        reason=redact(lesson.reason).text,
    )
