"""Accepted exchanges as knowledge: kept in a full-text index, and found by what a new question says.

Which exchanges are accepted is said by the view ``accepted_exchanges`` alone; the index only finds them. A person
draws on what they asked themselves and on what an operator accepted, on nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from nix_trinity.knowledge.corpus.words import stems, unique
from nix_trinity.knowledge.packs import Pack

# A stem that more of a reader's past questions have tells little, so only the newest of them are looked at: the time
# of a search does not grow with what is kept.
_MOST_OF_A_STEM = 300
_MOST_STEMS = 8
_MOST_STEMS_KEPT = 200
# What stands before a word that is for everybody. With the reader in the word, a look-up reads what it may and no more.
_EVERYBODY = "a"
# Of how many the length is looked at, as a multiple of what is asked for: many short questions share all they say.
_LOOKED_AT = 32
# Of how many the exchanges are looked up at a time; most of them are accepted still.
_AT_ONCE = 12
# Long answers say too much else to be anybody's answer again; they would also take long to check.
_LONGEST_ANSWER = 8_000


_LOOKED_UP = (
    "SELECT p.id, a.id, a.question, a.answer, a.options_release, a.option_types, a.accepted_at_ms, a.by_operator"
    " FROM past_answers p JOIN accepted_exchanges a ON a.id = p.exchange_id"
    " WHERE p.id IN ({}) AND (a.uid = ? OR a.by_operator = 1) AND length(a.answer) <= ?"
)


@dataclass(frozen=True, slots=True)
class Past:
    """An accepted exchange; ``answer`` is the correction where there is one. Both texts are redacted."""

    id: str
    question: str
    answer: str
    options_release: str | None
    """The NixOS release whose options the answer was given by."""
    option_types: str = "{}"
    """JSON: the options that the answer names, with the types that they had."""
    accepted_at_ms: int = 0
    """When the word that counts was said, in Unix milliseconds."""
    by_operator: bool = False
    """Whether an operator accepted it, so that it is for everybody."""
    pack: Pack | None = None
    """The pack that it is of; None for what was asked here. Then ``id`` is its key there."""
    reviewed: str | None = None
    """Of a pack's: the month in which it was accepted, as YYYY-MM."""


def refresh(connection: apsw.Connection, exchange_id: str) -> None:
    """Bring the index up to date with one exchange and the verdicts, the review and the renewal of it."""
    connection.execute("DELETE FROM past_answers WHERE exchange_id = ?", (exchange_id,))
    row = connection.execute(
        "SELECT question, uid, by_operator FROM accepted_exchanges WHERE id = ?", (exchange_id,)
    ).fetchone()
    if row is not None:
        question, uid, by_operator = row
        reader = _EVERYBODY if by_operator else _asker(uid)
        words = " ".join(reader + stem for stem in unique(stems(question))[:_MOST_STEMS_KEPT])
        connection.execute("INSERT INTO past_answers (exchange_id, words) VALUES (?, ?)", (exchange_id, words))


def catch_up(connection: apsw.Connection, most: int) -> int:
    """Index up to ``most`` exchanges that were accepted before there was an index; return how many there were."""
    rows = connection.execute("SELECT exchange_id FROM past_answers WHERE words IS NULL ORDER BY id LIMIT ?", (most,))
    waiting = [str(exchange_id) for (exchange_id,) in rows]
    for exchange_id in waiting:
        refresh(connection, exchange_id)
    return len(waiting)


def make_anew(connection: apsw.Connection) -> None:
    """Write the index anew from what is kept, so that nothing of a removed text is left in it.

    FTS5 removes an entry by writing a second one that cancels it; the first stays until both happen to be merged.
    """
    connection.execute("INSERT INTO past_answers_text (past_answers_text) VALUES ('rebuild')")


def accepted_like(connection: apsw.Connection, uid: int, asked: Sequence[str], limit: int) -> list[Past]:
    """The accepted exchanges that a person may draw on whose questions share the most with ``asked``, best first.

    ``asked`` are stems, the most telling first. What is shared counts the more, the rarer it is.
    """
    scores: dict[int, float] = {}
    # Letters and digits only, as all stems are: nothing that a person wrote reaches FTS5's query language.
    for stem in [one for one in unique(asked) if one.isalnum()][:_MOST_STEMS]:
        rows = connection.execute(
            "SELECT rowid FROM past_answers_text WHERE past_answers_text MATCH ? ORDER BY rowid DESC LIMIT ?",
            (f'"{_EVERYBODY}{stem}" OR "{_asker(uid)}{stem}"', _MOST_OF_A_STEM),
        )
        having = [int(number) for (number,) in rows]
        weight = math.log((_MOST_OF_A_STEM + 1) / len(having)) if having else 0.0
        for number in having:
            scores[number] = scores.get(number, 0.0) + weight
    numbers = sorted(scores, key=lambda number: (-scores[number], -number))[: limit * _LOOKED_AT]
    marks = ", ".join("?" * len(numbers))
    lengths = dict(connection.execute(f"SELECT id, length(words) FROM past_answers WHERE id IN ({marks})", numbers))  # noqa: S608
    # As in BM25, of two that share as much the shorter is nearer.
    numbers.sort(key=lambda number: (-scores[number] / math.sqrt(lengths[number]), -number))
    found: list[Past] = []
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        # The index only proposes: acceptance, and whose it is, are looked up where they are kept.
        rows = connection.execute(_LOOKED_UP.format(", ".join("?" * len(some))), (*some, uid, _LONGEST_ANSWER))
        there = {int(row[0]): _past(row[1:]) for row in rows}
        found += [there[number] for number in some if number in there][: limit - len(found)]
        if len(found) == limit:
            break
    return found


def _past(row: tuple[Any, ...]) -> Past:
    identifier, question, answer, release, types, at, by_operator = row
    return Past(identifier, question, answer, release, types, at, bool(by_operator))


def _asker(uid: int) -> str:
    """What stands before the words that are for one person; no other's begins so, since a number ends at the x."""
    return f"u{uid}x"
