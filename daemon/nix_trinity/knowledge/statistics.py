"""How well questions are answered: the four measures, by role, by version and by week, counted by SQLite.

* **accuracy** (confirmations): of the answers that anybody judged, the share of which the newest word is ``good``.
* **speed** (response times): median and 95th percentile until the first token and until the end, of answers that a
  model gave; known answers and the search alone are no model's work.
* **helpfulness** (feedback): of what all people said, each one's newest word on each answer counting once, the share of
  ``good`` among ``good`` and ``bad``. Corrections are a measure of their own.
* **corrections** (how often corrected): the share of all answers of which the newest word is ``corrected``.

A word counts in the week in which the question was asked, since it is about that answer. Weeks are ISO weeks in UTC
(``2026-W48``). Imported exchanges were not answered here and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apsw
import msgspec

from nix_trinity.knowledge.statistics_topics import (
    BadAnswer,
    LessonCounts,
    NoteToWrite,
    Topic,
    bad_answers,
    lesson_counts,
    notes_to_write,
    topics_asked,
)

__all__ = ["BadAnswer", "LessonCounts", "Measures", "NoteToWrite", "Row", "Spread", "Statistics", "Topic", "statistics"]


class Spread(msgspec.Struct, frozen=True):
    """Exact median, and 95th percentile by nearest rank, in milliseconds, of ``count`` values."""

    median: float
    p95: float
    count: int


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of a set of exchanges. Shares go from 0 to 1; None: there is nothing to take a share of."""

    exchanges: int = 0
    """Questions that were asked and came to an end."""
    answered: int = 0
    failed: int = 0
    cancelled: int = 0
    known: int = 0
    """Of the answered: from a known answer, without a model."""
    verified: int = 0
    """What the check came to; in ``repaired`` ones it put something right itself."""
    repaired: int = 0
    flagged: int = 0
    ungrounded: int = 0
    good: int = 0
    """Newest word on the answer; likewise ``bad`` and ``corrected``."""
    bad: int = 0
    corrected: int = 0
    said_good: int = 0
    """Words of all people, each one's newest on each answer; likewise ``said_bad``."""
    said_bad: int = 0
    accuracy: float | None = None
    helpfulness: float | None = None
    corrections: float | None = None
    first_token_ms: Spread | None = None
    total_ms: Spread | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of one group. None: not told apart by this; '': not known (no role, no model)."""

    role: str | None = None
    model: str | None = None
    model_version: str | None = None
    week: str | None = None
    measures: Measures


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the questions asked from ``since_ms`` on and before ``until_ms`` (Unix milliseconds)."""

    since_ms: int
    until_ms: int
    whole: Measures
    roles: tuple[Row, ...]
    versions: tuple[Row, ...]
    """By role, model and version (the model's digest)."""
    weeks: tuple[Row, ...]
    """By role and week, oldest week first."""
    topics: tuple[Topic, ...]
    """Most asked first."""
    bad_answers: tuple[BadAnswer, ...]
    """Newest first; only those whose asker consents."""
    bad_answers_withheld: int
    """Answered badly too, but of people who did not consent, or beyond the most that are listed."""
    notes: tuple[NoteToWrite, ...]
    lessons: LessonCounts


_WEEK = "coalesce(strftime('%G-W%V', e.asked_at_ms / 1000, 'unixepoch'), '')"
_KEYS = ("coalesce(e.role, '')", "coalesce(e.model, '')", "coalesce(e.model_version, '')", _WEEK)
_ASKED_HERE = "e.asked_at_ms >= ? AND e.asked_at_ms < ? AND e.outcome <> 'running' AND e.interface <> 'import'"
# The cheap test first: hardly any answer is a known one, and reading JSON costs more.
_KNOWN = (
    "(e.sources LIKE '%\"known\"%' AND json_valid(e.sources)"
    " AND EXISTS (SELECT 1 FROM json_each(e.sources) s WHERE s.value ->> 'kind' = 'known'))"
)
_SUMS = ("answered", "failed", "cancelled", "known", "verified", "repaired", "flagged", "ungrounded")
_WORDS = ("good", "bad", "corrected")
_SAID = ("said_good", "said_bad")
_COUNTED = ("exchanges", *_SUMS, *_WORDS, *_SAID)

# All that can be summed is counted once, by all four keys; percentiles cannot, and are found for each grouping.
# Nothing in these texts comes from outside.
_COUNTS = f"""
WITH asked AS (
  SELECT {", ".join(f"{key} AS k{n}" for n, key in enumerate(_KEYS))}, e.outcome, e.verdict, {_KNOWN} AS known,
    (SELECT f.verdict FROM feedback f WHERE f.exchange_id = e.id ORDER BY f.id DESC LIMIT 1) AS word
  FROM exchanges e WHERE {_ASKED_HERE}
)
SELECT k0, k1, k2, k3, count(*),
  sum(outcome = 'answered'), sum(outcome = 'failed'), sum(outcome = 'cancelled'), sum(outcome = 'answered' AND known),
  {", ".join(f"total(outcome = 'answered' AND verdict = '{v}')" for v in ("verified", "corrected", "flagged", "ungrounded"))},
  {", ".join(f"total(outcome = 'answered' AND word = '{word}')" for word in _WORDS)}
FROM asked GROUP BY k0, k1, k2, k3
"""  # noqa: S608
_SAID_COUNTS = f"""
SELECT {", ".join(_KEYS)}, sum(f.verdict = 'good'), sum(f.verdict = 'bad')
FROM exchanges e JOIN feedback f ON f.exchange_id = e.id
WHERE {_ASKED_HERE} AND e.outcome = 'answered'
  AND NOT EXISTS (SELECT 1 FROM feedback g WHERE g.exchange_id = f.exchange_id AND g.uid = f.uid AND g.id > f.id)
GROUP BY 1, 2, 3, 4
"""  # noqa: S608

_Key = tuple[str | None, ...]
_ALL: tuple[int, ...] = ()
_BY_ROLE = (0,)
_BY_VERSION = (0, 1, 2)
_BY_WEEK = (0, 3)


def statistics(
    connection: apsw.Connection, *, since_ms: int, until_ms: int, consent_by_default: bool = False, most: int = 50
) -> Statistics:
    """Count what was asked from ``since_ms`` on and before ``until_ms``; reads only.

    Memory grows with roles, versions and weeks, not with exchanges. At most ``most`` topics, badly answered questions
    and notes are listed. ``consent_by_default`` is for people who said nothing about their consent.
    """
    period = (since_ms, until_ms)
    counted = _counted(connection, period)
    bad, withheld = bad_answers(connection, period, consent_by_default, most)
    return Statistics(
        since_ms=since_ms,
        until_ms=until_ms,
        whole=next((row.measures for row in _rows(connection, period, counted, _ALL)), Measures()),
        roles=_rows(connection, period, counted, _BY_ROLE),
        versions=_rows(connection, period, counted, _BY_VERSION),
        weeks=tuple(
            sorted(_rows(connection, period, counted, _BY_WEEK), key=lambda row: (row.week or "", row.role or ""))
        ),
        topics=topics_asked(connection, period, most),
        bad_answers=bad,
        bad_answers_withheld=withheld,
        notes=notes_to_write(connection, period, consent_by_default, most),
        lessons=lesson_counts(connection, period),
    )


def _counted(connection: apsw.Connection, period: tuple[int, int]) -> dict[_Key, dict[str, int]]:
    counted: dict[_Key, dict[str, int]] = {}
    for row in connection.execute(_COUNTS, period):
        counted[row[:4]] = dict.fromkeys(_COUNTED, 0) | _numbers(("exchanges", *_SUMS, *_WORDS), row[4:])
    for row in connection.execute(_SAID_COUNTS, period):
        counted[row[:4]] |= _numbers(_SAID, row[4:])
    return counted


def _numbers(names: Iterable[str], values: Iterable[Any]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(names, values, strict=True)}


def _rows(
    connection: apsw.Connection, period: tuple[int, int], counted: dict[_Key, dict[str, int]], by: tuple[int, ...]
) -> tuple[Row, ...]:
    """One row for each group of the keys whose positions ``by`` has, in the order of the keys."""
    sums: dict[_Key, dict[str, int]] = {}
    for key, numbers in counted.items():
        group = tuple(part if position in by else None for position, part in enumerate(key))
        so_far = sums.setdefault(group, dict.fromkeys(_COUNTED, 0))
        for name, number in numbers.items():
            so_far[name] += number
    first = _spreads(connection, period, "e.first_token_ms", by)
    total = _spreads(connection, period, "e.total_ms", by)
    return tuple(
        Row(
            role=group[0],
            model=group[1],
            model_version=group[2],
            week=group[3],
            measures=_measures(sums[group], first.get(group), total.get(group)),
        )
        for group in sorted(sums, key=lambda group: tuple(part or "" for part in group))
    )


def _measures(numbers: dict[str, int], first: Spread | None, total: Spread | None) -> Measures:
    return Measures(
        **numbers,
        accuracy=_share(numbers["good"], sum(numbers[word] for word in _WORDS)),
        helpfulness=_share(numbers["said_good"], numbers["said_good"] + numbers["said_bad"]),
        corrections=_share(numbers["corrected"], numbers["answered"]),
        first_token_ms=first,
        total_ms=total,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _spreads(
    connection: apsw.Connection, period: tuple[int, int], value: str, by: tuple[int, ...]
) -> dict[_Key, Spread]:
    keys = ", ".join(f"{key if position in by else 'NULL'} AS k{position}" for position, key in enumerate(_KEYS))
    rows = connection.execute(
        f"""
        WITH timed AS (
          SELECT {keys}, {value} AS value FROM exchanges e
          WHERE {_ASKED_HERE} AND e.outcome = 'answered' AND e.model IS NOT NULL AND {value} IS NOT NULL
            AND NOT {_KNOWN}
        ), placed AS (
          SELECT *, row_number() OVER (PARTITION BY k0, k1, k2, k3 ORDER BY value) AS place,
            count(*) OVER (PARTITION BY k0, k1, k2, k3) AS n FROM timed
        )
        SELECT k0, k1, k2, k3, avg(value) FILTER (WHERE place IN ((n + 1) / 2, (n + 2) / 2)),
          max(value) FILTER (WHERE place = (95 * n + 99) / 100), n
        FROM placed GROUP BY k0, k1, k2, k3
        """,  # noqa: S608
        period,
    )
    return {row[:4]: Spread(float(row[4]), float(row[5]), int(row[6])) for row in rows}
