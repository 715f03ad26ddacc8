"""The SQL of lessons, and how one is found by what its question says."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Sequence

import apsw
import msgspec

from nix_trinity.knowledge.corpus.words import stems, unique
from nix_trinity.knowledge.judged import as_json, types_of
from nix_trinity.knowledge.learning import Lesson, LessonState

# A stem that more lessons have tells little, so only the newest of them are looked at: the time of a search does not
# grow with what is kept.
_MOST_OF_A_STEM = 1_000
_MOST_STEMS = 8
_MOST_STEMS_KEPT = 64
# Of how many the length is looked at, as a multiple of what is asked for: many short questions share all they say.
_LOOKED_AT = 8

_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Lesson))
_LIST = ", ".join(f"l.{name}" for name in _COLUMNS)
_TYPES_AT = _COLUMNS.index("option_types")
# A question may be forgotten while it is analysed; then there is nothing to keep.
_PUT = (
    f"INSERT INTO lessons ({', '.join(_COLUMNS)}) SELECT {', '.join('?' * len(_COLUMNS))}"  # noqa: S608
    " WHERE EXISTS (SELECT 1 FROM exchanges WHERE id = ?)"
    f" ON CONFLICT (exchange_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_IN_REVIEW = """
lessons l WHERE l.state = 'review'
AND NOT EXISTS (SELECT 1 FROM judged_exchanges j WHERE j.id = l.exchange_id AND j.review IS NOT NULL)
"""
_SET_ASIDE = """
renewals n CROSS JOIN lessons l ON n.exchange_id = l.exchange_id
WHERE n.answer IS NULL AND l.state = 'excluded'
AND NOT EXISTS (SELECT 1 FROM judged_exchanges j WHERE j.id = l.exchange_id AND j.review = 'rejected')
"""
_MOST_VALUABLE_FIRST = "ORDER BY l.value DESC, l.judged_at_ms DESC, l.exchange_id"


def put_lesson(connection: apsw.Connection, lesson: Lesson) -> bool:
    """Write the row, new or anew, and the words of its question; False when its exchange is gone."""
    row = list(msgspec.structs.astuple(lesson))
    row[_TYPES_AT] = msgspec.json.encode(lesson.option_types, order="deterministic").decode()
    connection.execute(_PUT, (*row, lesson.exchange_id))
    if not connection.changes():
        return False
    (words,) = as_json(unique(stems(lesson.question))[:_MOST_STEMS_KEPT])
    kept = connection.execute("SELECT stems FROM lesson_words WHERE exchange_id = ?", (lesson.exchange_id,)).get
    if kept != words:
        connection.execute("DELETE FROM lesson_words WHERE exchange_id = ?", (lesson.exchange_id,))
        connection.execute("INSERT INTO lesson_words (exchange_id, stems) VALUES (?, ?)", (lesson.exchange_id, words))
    return True


def alike(connection: apsw.Connection, question: str, limit: int) -> list[Lesson]:
    """The lessons whose questions share the rarest stems with ``question``, the most alike first."""
    rarity: dict[str, int] = {}
    for stem in unique(stems(question))[:_MOST_STEMS_KEPT]:
        counted = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM lesson_stems WHERE stem = ? LIMIT ?)", (stem, _MOST_OF_A_STEM)
        ).get
        if counted:
            rarity[stem] = int(counted)
    scores: dict[int, float] = {}
    for stem in sorted(rarity, key=lambda stem: rarity[stem])[:_MOST_STEMS]:
        weight = math.log((_MOST_OF_A_STEM + 1) / rarity[stem])
        for (number,) in connection.execute(
            "SELECT lesson FROM lesson_stems WHERE stem = ? ORDER BY lesson DESC LIMIT ?", (stem, _MOST_OF_A_STEM)
        ):
            scores[number] = scores.get(number, 0.0) + weight
    best = heapq.nsmallest(limit * _LOOKED_AT, scores, key=lambda number: (-scores[number], -number))
    sizes = {
        int(number): (str(exchange_id), int(size))
        for number, exchange_id, size in connection.execute(
            "SELECT id, exchange_id, json_array_length(stems) FROM lesson_words"
            " WHERE id IN (SELECT value FROM json_each(?))",
            as_json(best),
        )
    }
    # As in BM25, of two that share as much the shorter is nearer.
    best.sort(key=lambda number: (-scores[number] / math.sqrt(sizes[number][1]), -number))
    ids = [sizes[number][0] for number in best[:limit]]
    found = {one.exchange_id: one for one in by_ids(connection, ids)}
    return [found[identifier] for identifier in ids]


def by_ids(connection: apsw.Connection, ids: Iterable[str]) -> list[Lesson]:
    """The lessons of these exchanges, by id."""
    return _select(
        connection,
        "lessons l WHERE l.exchange_id IN (SELECT value FROM json_each(?)) ORDER BY l.exchange_id",
        as_json(ids),
    )


def in_cluster(connection: apsw.Connection, cluster: str, limit: int) -> list[Lesson]:
    """The lessons of exchanges that ask the same, most valuable first."""
    return _select(connection, f"lessons l WHERE l.cluster = ? {_MOST_VALUABLE_FIRST} LIMIT ?", (cluster, limit))


def in_states(connection: apsw.Connection, states: Sequence[LessonState], role: str | None, limit: int) -> list[Lesson]:
    """The lessons in any of these states, of one role or of all, most valuable first."""
    condition, values = ("", ()) if role is None else ("l.role = ? AND ", (role,))
    # One query a state, so that each comes in order from its index and nothing is read that is not returned.
    each = [
        _select(
            connection,
            f"lessons l WHERE {condition}l.state = ? {_MOST_VALUABLE_FIRST} LIMIT ?",
            (*values, state, limit),
        )
        for state in unique(states)
    ]
    return list(itertools.islice(heapq.merge(*each, key=_most_valuable_first), limit))


def candidates(connection: apsw.Connection, limit: int) -> list[Lesson]:
    """What an operator has to decide on, most valuable first: in review, or set aside after a change of options.

    What has been decided is not among them, though the analysis may not have looked at it again.
    """
    in_review = _select(connection, f"{_IN_REVIEW} {_MOST_VALUABLE_FIRST} LIMIT ?", (limit,))
    set_aside = _select(connection, f"{_SET_ASIDE} {_MOST_VALUABLE_FIRST} LIMIT ?", (limit,))
    return list(itertools.islice(heapq.merge(in_review, set_aside, key=_most_valuable_first), limit))


def page(connection: apsw.Connection, after_id: str, limit: int) -> list[Lesson]:
    """The next lessons in the order of their ids; '' starts."""
    return _select(connection, "lessons l WHERE l.exchange_id > ? ORDER BY l.exchange_id LIMIT ?", (after_id, limit))


def _most_valuable_first(lesson: Lesson) -> tuple[float, int, str]:
    return (-lesson.value, -lesson.judged_at_ms, lesson.exchange_id)


def _select(connection: apsw.Connection, rest: str, values: tuple[object, ...]) -> list[Lesson]:
    # Only the fixed clauses of this file are put in; what people say goes through the question marks.
    rows = connection.execute(f"SELECT {_LIST} FROM {rest}", values)  # noqa: S608
    return [_lesson(row) for row in rows]


def _lesson(row: tuple[object, ...]) -> Lesson:
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["option_types"] = types_of(str(fields["option_types"]))
    return msgspec.convert(fields, Lesson, strict=False)
