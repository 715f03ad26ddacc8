"""What people ask about and where the answers fail them: topics, badly answered questions, notes worth writing.

What a person asked is shown to others only with their consent; without it, it is a number.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

LONGEST_QUESTION = 300
"""Characters of a question that are shown."""
_LEAST_TROUBLED = 2


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic, as the quality analysis names it. Words are the newest on each answer."""

    topic: str
    asked: int
    good: int
    bad: int
    corrected: int
    ungrounded: int


class BadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was answered badly; its asker consents to its being shown. ``word``: bad or corrected."""

    id: str
    asked_at_ms: int
    role: str
    word: str
    question: str


class NoteToWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A question that came again and that mostly went wrong: a note of our own would answer it."""

    topic: str
    asked: int
    troubled: int
    """Ungrounded or flagged, or called bad or corrected."""
    question: str | None
    """The newest wording of it by a person who consents; None: nobody of those who asked does."""


class LessonCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the quality analysis made of the exchanges; ``waiting``: not analysed yet."""

    eligible: int = 0
    held_out: int = 0
    duplicate: int = 0
    excluded: int = 0
    review: int = 0
    waiting: int = 0


_IN_PERIOD = "e.asked_at_ms >= :since AND e.asked_at_ms < :until AND e.outcome = 'answered' AND e.interface <> 'import'"
_WORD = "(SELECT f.verdict FROM feedback f WHERE f.exchange_id = e.id ORDER BY f.id DESC LIMIT 1)"
_CONSENTS = "coalesce((SELECT c.allows FROM consents c WHERE c.uid = e.uid), :consents)"
_SHOWN = f"substr(e.question, 1, {LONGEST_QUESTION})"


def topics_asked(connection: apsw.Connection, period: tuple[int, int], most: int) -> tuple[Topic, ...]:
    """The topics of the period, most asked first."""
    rows = connection.execute(
        f"""
        WITH asked AS (
          SELECT l.topic, e.verdict, {_WORD} AS word FROM exchanges e JOIN lessons l ON l.exchange_id = e.id
          WHERE {_IN_PERIOD}
        )
        SELECT topic, count(*), total(word = 'good'), total(word = 'bad'), total(word = 'corrected'),
          total(verdict = 'ungrounded')
        FROM asked GROUP BY topic ORDER BY count(*) DESC, topic LIMIT :most
        """,  # noqa: S608
        {"since": period[0], "until": period[1], "most": most},
    )
    return tuple(
        Topic(
            topic=str(topic),
            asked=int(asked),
            good=int(good),
            bad=int(bad),
            corrected=int(corrected),
            ungrounded=int(ungrounded),
        )
        for topic, asked, good, bad, corrected, ungrounded in rows
    )


def bad_answers(
    connection: apsw.Connection, period: tuple[int, int], consents: bool, most: int
) -> tuple[tuple[BadAnswer, ...], int]:
    """The badly answered questions of those who consent, newest first, and how many others there are."""
    named = {"since": period[0], "until": period[1], "consents": int(consents)}
    bad = f"FROM exchanges e WHERE {_IN_PERIOD} AND {_WORD} IN ('bad', 'corrected')"
    whole = int(connection.execute(f"SELECT count(*) {bad}", {"since": period[0], "until": period[1]}).get)
    rows = connection.execute(
        f"SELECT e.id, e.asked_at_ms, coalesce(e.role, ''), {_WORD}, {_SHOWN} {bad} AND {_CONSENTS} = 1"
        " ORDER BY e.asked_at_ms DESC, e.id LIMIT :most",
        {**named, "most": most},
    )
    shown = tuple(
        BadAnswer(id=str(identifier), asked_at_ms=int(at), role=str(role), word=str(word), question=str(question))
        for identifier, at, role, word, question in rows
    )
    return shown, whole - len(shown)


def notes_to_write(
    connection: apsw.Connection, period: tuple[int, int], consents: bool, most: int
) -> tuple[NoteToWrite, ...]:
    """Questions that came more than once and mostly went wrong, the most troubled first."""
    named = {"since": period[0], "until": period[1]}
    troubled = f"(e.verdict IN ('ungrounded', 'flagged') OR coalesce({_WORD}, '') IN ('bad', 'corrected')) IS TRUE"
    clusters: list[tuple[Any, ...]] = connection.execute(
        f"""
        WITH clusters AS (
          SELECT l.cluster, min(l.topic) AS topic, count(*) AS asked, sum({troubled}) AS troubled
          FROM exchanges e JOIN lessons l ON l.exchange_id = e.id WHERE {_IN_PERIOD} GROUP BY l.cluster
        )
        SELECT cluster, topic, asked, troubled FROM clusters
        WHERE troubled >= {_LEAST_TROUBLED} AND 2 * troubled >= asked
        ORDER BY troubled DESC, asked DESC, topic, cluster LIMIT :most
        """,  # noqa: S608
        {**named, "most": most},
    ).fetchall()
    wording = (
        f"SELECT {_SHOWN} FROM lessons l JOIN exchanges e ON e.id = l.exchange_id"  # noqa: S608
        f" WHERE l.cluster = :cluster AND {_IN_PERIOD} AND {_CONSENTS} = 1"
        " ORDER BY e.asked_at_ms DESC, e.id LIMIT 1"
    )
    return tuple(
        NoteToWrite(
            topic=str(topic),
            asked=int(asked),
            troubled=int(number),
            question=connection.execute(wording, {**named, "consents": int(consents), "cluster": cluster}).get,
        )
        for cluster, topic, asked, number in clusters
    )


def lesson_counts(connection: apsw.Connection, period: tuple[int, int]) -> LessonCounts:
    """How many exchanges of the period are in which state."""
    rows = connection.execute(
        f"""
        SELECT coalesce(l.state, 'waiting'), count(*)
        FROM exchanges e LEFT JOIN lessons l ON l.exchange_id = e.id WHERE {_IN_PERIOD} GROUP BY 1
        """,  # noqa: S608
        {"since": period[0], "until": period[1]},
    )
    return LessonCounts(**{str(state): int(number) for state, number in rows})
