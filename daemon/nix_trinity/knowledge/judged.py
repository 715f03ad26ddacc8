"""Exchanges as the quality analysis looks at them: what was said of each, and what its asker did next."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import apsw
import msgspec

from nix_trinity.knowledge.corpus.words import stem, words
from nix_trinity.knowledge.learning import Judged

_DAY_MS = 86_400_000
# Enough to see that somebody asks again; whoever asks more than this in a day asks about everything.
_MOST_LATER = 50
_MOST_CHARACTERS = 2_000
_UNANSWERED = 500

# What carries nothing of what a question asks.
_FILLERS = frozenset(
    words(
        "a an and are can could do does for how i in is it me my of on please should the there to what which with you"
    )
)
# What people say of an answer that did not help, anywhere in what they ask next, and as its first words.
_DOUBT = (
    *("it does not work", "that does not work", "this does not work", "it doesn't work", "that doesn't work"),
    *("this doesn't work", "did not work", "didn't work", "did not help", "didn't help", "does not help"),
    *("doesn't help", "still not", "still does", "still doesn't", "still get", "still fails", "error again"),
    *("same error", "same problem", "that is wrong", "that's wrong", "this is wrong", "is not right", "isn't right"),
    *("does not exist", "doesn't exist", "no such option", "you are wrong", "you're wrong"),
    *("das funktioniert nicht", "es funktioniert nicht", "geht nicht", "klappt nicht", "hilft nicht"),
    *("nicht geholfen", "immer noch", "gleiche fehler", "stimmt nicht", "ist falsch", "gibt es nicht"),
    *("ne marche pas", "ne fonctionne pas", "marche toujours pas", "toujours pas", "la même erreur", "c'est faux"),
    *(
        "pas aidé",
        "n'existe pas",
        "no funciona",
        "no me funciona",
        "no sirve",
        "no ayuda",
        "sigue sin",
        "sigue fallando",
    ),
    *("el mismo error", "está mal", "es incorrecto", "no existe"),
)
_DOUBT_AT_START = (
    "still",
    "does not work",
    "doesn't work",
    "wrong",
    "funktioniert nicht",
    "falsch",
    "toujours",
    "sigue",
)

# The rows are looked up by the primary key; what the asker did next, by the indexes on person and session.
_JUDGED = f"""
SELECT
  j.id, j.uid, j.asked_at_ms, j.session, coalesce(j.role, 'quick') AS role, j.question, j.has_attachment, j.answer,
  j.given_answer, j.check_verdict AS "check", j.option_types, j.options_release, j.learnable, j.word, j.judged_by,
  j.judged_at_ms, j.by_operator, j.review, j.set_aside,
  (SELECT count(*) FROM (SELECT verdict, max(id) FROM feedback WHERE exchange_id = j.id GROUP BY uid)
   WHERE verdict IN ('good', 'corrected')) AS good_from,
  (SELECT allows FROM consents WHERE uid = j.uid) AS allows,
  (SELECT json_group_array(question) FROM (
     SELECT substr(x.question, 1, {_MOST_CHARACTERS}) AS question FROM exchanges x
     WHERE x.uid = j.uid AND x.asked_at_ms > j.asked_at_ms AND x.asked_at_ms <= j.asked_at_ms + {_DAY_MS}
     ORDER BY x.asked_at_ms LIMIT {_MOST_LATER})) AS later,
  (SELECT substr(x.question, 1, {_MOST_CHARACTERS}) FROM exchanges x
   WHERE x.uid = j.uid AND x.session = j.session AND x.asked_at_ms > j.asked_at_ms
   ORDER BY x.asked_at_ms LIMIT 1) AS next
FROM judged_exchanges j WHERE j.id IN (SELECT value FROM json_each(?)) ORDER BY j.id
"""  # noqa: S608 - numbers of this file


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """What came in since a time."""

    corrections: int
    bad: int
    unanswered: tuple[tuple[str, str], ...]
    """Id and question of what was answered from nothing, or badly as its newest word says; newest first."""


def take_waiting(connection: apsw.Connection, limit: int) -> list[Judged]:
    """Up to ``limit`` exchanges that are to be analysed, marked as taken; empty when there are none.

    Ids of exchanges that are gone, or never came to an answer, are removed on the way.
    """
    while True:
        ids = [str(one) for (one,) in connection.execute("SELECT exchange_id FROM to_analyse LIMIT ?", (limit,))]
        found = judged(connection, ids)
        gone = set(ids) - {one.id for one in found}
        connection.execute(
            "DELETE FROM to_analyse WHERE exchange_id IN (SELECT value FROM json_each(?))", as_json(gone)
        )
        if found or not ids:
            break
    connection.execute(
        "UPDATE to_analyse SET taken = 1 WHERE exchange_id IN (SELECT value FROM json_each(?))",
        as_json(one.id for one in found),
    )
    return found


def forget_taken(connection: apsw.Connection, ids: Sequence[str]) -> None:
    """Take what was analysed off the list, save for what changed since :func:`take_waiting` returned it."""
    connection.execute(
        "DELETE FROM to_analyse WHERE taken = 1 AND exchange_id IN (SELECT value FROM json_each(?))", as_json(ids)
    )


def judged(connection: apsw.Connection, ids: Sequence[str]) -> list[Judged]:
    """Those of the exchanges that were answered, with every word on them, by id."""
    cursor = connection.execute(_JUDGED, as_json(ids))
    return [_judged(dict(zip(_COLUMNS, row, strict=True))) for row in cursor]


def since(connection: apsw.Connection, ms: int) -> Since:
    """How many corrections and bad verdicts were given after ``ms``, and the newest questions without a good answer."""
    count = "SELECT count(*) FROM feedback WHERE given_at_ms > ? AND verdict = ?"
    ungrounded = connection.execute(
        "SELECT asked_at_ms, id, question FROM exchanges"
        " WHERE asked_at_ms > ? AND outcome = 'answered' AND verdict = 'ungrounded'"
        " ORDER BY asked_at_ms DESC LIMIT ?",
        (ms, _UNANSWERED),
    ).fetchall()
    bad = connection.execute(
        "SELECT e.asked_at_ms, e.id, e.question FROM feedback f CROSS JOIN exchanges e ON e.id = f.exchange_id"
        " WHERE f.given_at_ms > ? AND f.verdict = 'bad' AND e.outcome = 'answered'"
        " AND f.id = (SELECT max(id) FROM feedback WHERE exchange_id = e.id)"
        " ORDER BY f.given_at_ms DESC LIMIT ?",
        (ms, _UNANSWERED),
    ).fetchall()
    newest = sorted({*ungrounded, *bad}, reverse=True)[:_UNANSWERED]
    return Since(
        corrections=int(connection.execute(count, (ms, "corrected")).get),
        bad=int(connection.execute(count, (ms, "bad")).get),
        unanswered=tuple((str(identifier), str(question)) for _, identifier, question in newest),
    )


def asks_the_same(question: str, other: str) -> bool:
    """Whether two questions say nearly the same: all that one says is in the other, which says little more."""
    ours, theirs = _said(question), _said(other)
    fewer = min(len(ours), len(theirs))
    if not ours <= theirs and not theirs <= ours:
        return False
    return fewer > 0 and abs(len(ours) - len(theirs)) <= fewer // 3


def is_in_doubt(question: str) -> bool:
    """Whether somebody says that what they were told did not help: English, German, French or Spanish."""
    anywhere, at_start = _doubts()
    said = f" {' '.join(words(question))} "
    return said.startswith(at_start) or any(phrase in said for phrase in anywhere)


def types_of(json: str) -> dict[str, str]:
    """The types of options as a column keeps them; none when they cannot be read, which makes nothing accepted."""
    try:
        return msgspec.json.decode(json, type=dict[str, str])
    except msgspec.DecodeError:
        return {}


def as_json(ids: Any) -> tuple[str]:
    """Ids as the one value of ``json_each(?)``."""
    return (msgspec.json.encode(list(ids)).decode(),)


_COLUMNS = (
    *("id", "uid", "asked_at_ms", "session", "role", "question", "has_attachment", "answer", "given_answer", "check"),
    *("option_types", "options_release", "learnable", "word", "judged_by", "judged_at_ms", "by_operator", "review"),
    *("set_aside", "good_from", "allows", "later", "next"),
)


def _judged(row: dict[str, Any]) -> Judged:
    later: list[str] = msgspec.json.decode(row.pop("later"), type=list[str])
    following = row.pop("next")
    row["option_types"] = types_of(row["option_types"])
    row["asked_again"] = sum(asks_the_same(row["question"], other) for other in later)
    row["followed_up_in_doubt"] = following is not None and is_in_doubt(following)
    return msgspec.convert(row, Judged, strict=False)


# Of a person's exchanges that are analysed together, each is compared with much the same later ones.
@functools.lru_cache(maxsize=1 << 12)
def _said(question: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words(question[:_MOST_CHARACTERS]) if word not in _FILLERS)


@functools.cache
def _doubts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The phrases as :func:`is_in_doubt` compares them, each word between spaces."""
    anywhere, at_start = ([f" {' '.join(words(phrase))} " for phrase in some] for some in (_DOUBT, _DOUBT_AT_START))
    return tuple(anywhere), tuple(at_start)
