"""Exchanges and what people thought of them: the values, and the SQL that keeps them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from nix_trinity.errors import NotFoundError, RequestError

# No vowels, so no words; no 0/1/l/o, which are read for one another.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"
ID_LENGTH = 10
_LAST_CHARACTER = "\U0010ffff"


def new_id() -> str:
    """Return a new exchange or session id: 48 bits of chance, easy to read out and to type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One question and what became of it. Times are in milliseconds, tokens as the engine counted them."""

    id: str
    asked_at_ms: int
    uid: int
    session: str
    interface: str
    question: str
    attachment: str = ""
    level: str | None = None
    role: str | None = None
    role_reason: str | None = None
    model: str | None = None
    model_version: str | None = None
    nixos_release: str | None = None
    answer: str = ""
    outcome: str = "running"
    error_code: str | None = None
    truncated: bool = False
    queue_ms: float | None = None
    first_token_ms: float | None = None
    total_ms: float | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None
    verdict: str | None = None
    """What the check of the answer came to: verified, corrected, flagged or ungrounded."""
    sources: str = "[]"
    """JSON: what the answer rests on, as the protocol's Source has it."""
    options_release: str | None = None
    learnable: bool = True
    """False for what models must not be taught: a truncated prompt, or input that reads like orders to the model."""
    option_types: str = "{}"
    """JSON: the options that the answer names, with the types that they have, {"services.x.enable": "boolean"}."""


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What a person thought of an answer; ``correction`` is there exactly when ``verdict`` is corrected."""

    given_at_ms: int
    uid: int
    verdict: str
    correction: str | None = None
    by_operator: bool = False
    """Whether an operator judged: only what they accept is for everybody to draw on."""
    option_types: str = "{}"
    """JSON: the options that the correction names, with the types that they have."""
    check_verdict: str | None = None
    """What the check of the correction came to: verified, corrected, flagged or ungrounded."""
    options_release: str | None = None
    """The NixOS release by whose options it was checked."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose exchanges may be seen: one person's, or everybody's for an operator."""

    uid: int
    sees_all: bool = False

    def condition(self) -> tuple[str, tuple[Any, ...]]:
        """The SQL condition on ``exchanges`` that holds for what this reader may see."""
        return ("TRUE", ()) if self.sees_all else ("uid = ?", (self.uid,))


_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Exchange))
_LIST = ", ".join(_COLUMNS)
_UPSERT = (
    f"INSERT INTO exchanges ({_LIST}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)

_FEEDBACK_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Feedback))
_FEEDBACK_LIST = ", ".join(_FEEDBACK_COLUMNS)
_ADD_FEEDBACK = (
    f"INSERT INTO feedback (exchange_id, {_FEEDBACK_LIST}) VALUES (?, {', '.join('?' * len(_FEEDBACK_COLUMNS))})"  # noqa: S608
)


def put_exchange(connection: apsw.Connection, exchange: Exchange) -> None:
    """Write the row, new or anew."""
    connection.execute(_UPSERT, msgspec.structs.astuple(exchange))


def close_interrupted(connection: apsw.Connection) -> int:
    """Mark what a killed daemon left running as failed, and return how many there were."""
    connection.execute("UPDATE exchanges SET outcome = 'failed', error_code = 'interrupted' WHERE outcome = 'running'")
    return connection.changes()


def find_exchange(connection: apsw.Connection, reader: Reader, prefix: str) -> list[Exchange]:
    """The exchanges that the reader may see and whose id starts with ``prefix``; the reader's last for ''."""
    if not prefix:
        # What was imported was asked elsewhere: it is not what a person means by their last one.
        asked_here = "uid = ? AND outcome <> 'running' AND interface <> 'import'"
        return _select(connection, asked_here, (reader.uid,), limit=1)
    condition, values = reader.condition()
    # The two ends let SQLite look in the primary key. No character comes after the one that is added.
    condition = f"{condition} AND id >= ? AND id < ? AND substr(id, 1, ?) = ?"
    return _select(connection, condition, (*values, prefix, prefix + _LAST_CHARACTER, len(prefix), prefix), limit=2)


def the_one(found: Sequence[Exchange], prefix: str) -> Exchange:
    """The only one of ``found``, which :func:`find_exchange` returned for ``prefix``.

    :raises NotFoundError: there is none.
    :raises RequestError: ``ambiguous_id``, there are more.
    """
    if not found:
        what = f"There is no exchange {prefix!r} of yours." if prefix else "There is no exchange of yours yet."
        raise NotFoundError(what, "List yours with: nix-trinity history")
    if len(found) > 1:
        raise RequestError(
            f"More than one exchange starts with {prefix!r}.", "Give more of its id.", code="ambiguous_id"
        )
    return found[0]


def list_exchanges(
    connection: apsw.Connection, reader: Reader, *, limit: int, session: str | None = None
) -> list[Exchange]:
    """The newest exchanges that the reader may see, newest first."""
    condition, values = reader.condition()
    if session is not None:
        condition, values = f"{condition} AND session = ?", (*values, session)
    return _select(connection, condition, values, limit=limit)


def session_history(connection: apsw.Connection, uid: int, session: str, *, limit: int) -> list[Exchange]:
    """The last answered exchanges of a person's session, oldest first."""
    newest_first = _select(connection, "uid = ? AND session = ? AND outcome = 'answered'", (uid, session), limit=limit)
    return newest_first[::-1]


def last_session(connection: apsw.Connection, uid: int) -> str | None:
    """The session of the newest exchange that the person asked here."""
    rows = _select(connection, "uid = ? AND interface <> 'import'", (uid,), limit=1)
    return rows[0].session if rows else None


def delete_exchange(connection: apsw.Connection, exchange_id: str) -> None:
    """Remove the exchange and the feedback on it."""
    connection.execute("DELETE FROM exchanges WHERE id = ?", (exchange_id,))


def put_feedback(connection: apsw.Connection, exchange_id: str, feedback: Feedback) -> None:
    """Add what a person thinks; the newest verdict of a person is the one that counts."""
    connection.execute(_ADD_FEEDBACK, (exchange_id, *msgspec.structs.astuple(feedback)))


def feedback_on(connection: apsw.Connection, exchange_id: str) -> list[Feedback]:
    """All feedback on an exchange, oldest first."""
    rows = connection.execute(
        f"SELECT {_FEEDBACK_LIST} FROM feedback WHERE exchange_id = ? ORDER BY id",  # noqa: S608
        (exchange_id,),
    )
    return [msgspec.convert(dict(zip(_FEEDBACK_COLUMNS, row, strict=True)), Feedback, strict=False) for row in rows]


def was_refused(connection: apsw.Connection, uid: int, source: str) -> bool:
    """Whether the newest word on an answer that was this source of a pack is bad, and this person's or an operator's.

    A model's answer, which was only given the source, says nothing of it.
    """
    named = f'"name":{msgspec.json.encode(source).decode()}'
    return bool(
        connection.execute(
            "SELECT EXISTS (SELECT 1 FROM feedback f CROSS JOIN exchanges e ON e.id = f.exchange_id"
            " WHERE f.verdict = 'bad' AND e.model IS NULL AND (f.uid = ? OR f.by_operator) AND instr(e.sources, ?)"
            " AND f.id = (SELECT max(id) FROM feedback WHERE exchange_id = e.id))",
            (uid, named),
        ).get
    )


def existing(connection: apsw.Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that are exchanges'."""
    found = connection.execute(
        "SELECT id FROM exchanges WHERE id IN (SELECT value FROM json_each(?))", (msgspec.json.encode(ids).decode(),)
    )
    return {str(identifier) for (identifier,) in found}


def has_words(connection: apsw.Connection, exchange_id: str) -> bool:
    """Whether anybody ever judged or reviewed the exchange."""
    said = "SELECT EXISTS (SELECT 1 FROM {} WHERE exchange_id = ?)"
    return any(connection.execute(said.format(table), (exchange_id,)).get for table in ("feedback", "reviews"))


def count_exchanges(connection: apsw.Connection) -> int:
    """How many exchanges are kept."""
    return int(connection.execute("SELECT count(*) FROM exchanges").get)


def _select(connection: apsw.Connection, condition: str, values: tuple[Any, ...], *, limit: int) -> list[Exchange]:
    rows = connection.execute(
        # Only the fixed conditions of this file are put in; what people say goes through the question marks.
        f"SELECT {_LIST} FROM exchanges WHERE {condition} ORDER BY asked_at_ms DESC, id LIMIT ?",  # noqa: S608
        (*values, limit),
    )
    return [msgspec.convert(dict(zip(_COLUMNS, row, strict=True)), Exchange, strict=False) for row in rows]
