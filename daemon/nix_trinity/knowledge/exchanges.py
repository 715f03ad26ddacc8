"""Exchanges and what people thought of them: the values, and the SQL that keeps them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

# No vowels, so no words; no 0/1/l/o, which are read for one another.
_ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"
ID_LENGTH = 10


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


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """What a person thought of an answer; ``correction`` is there exactly when ``verdict`` is corrected."""

    given_at_ms: int
    uid: int
    verdict: str
    correction: str | None = None
    by_operator: bool = False
    """Whether an operator judged: only what they accept is for everybody to draw on."""


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
        return _select(connection, "uid = ? AND outcome <> 'running'", (reader.uid,), limit=1)
    condition, values = reader.condition()
    return _select(connection, f"{condition} AND substr(id, 1, ?) = ?", (*values, len(prefix), prefix), limit=2)


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
    """The session of the person's newest exchange."""
    rows = _select(connection, "uid = ?", (uid,), limit=1)
    return rows[0].session if rows else None


def delete_exchange(connection: apsw.Connection, exchange_id: str) -> None:
    """Remove the exchange and the feedback on it."""
    connection.execute("DELETE FROM exchanges WHERE id = ?", (exchange_id,))


def put_feedback(connection: apsw.Connection, exchange_id: str, feedback: Feedback) -> None:
    """Add what a person thinks; the newest verdict of a person is the one that counts."""
    connection.execute(
        "INSERT INTO feedback (exchange_id, given_at_ms, uid, verdict, correction, by_operator)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            exchange_id,
            feedback.given_at_ms,
            feedback.uid,
            feedback.verdict,
            feedback.correction,
            feedback.by_operator,
        ),
    )


def feedback_on(connection: apsw.Connection, exchange_id: str) -> list[Feedback]:
    """All feedback on an exchange, oldest first."""
    rows = connection.execute(
        "SELECT given_at_ms, uid, verdict, correction, by_operator FROM feedback WHERE exchange_id = ? ORDER BY id",
        (exchange_id,),
    )
    return [
        Feedback(
            given_at_ms=int(at),
            uid=int(uid),
            verdict=str(verdict),
            correction=correction,
            by_operator=bool(by_operator),
        )
        for at, uid, verdict, correction, by_operator in rows
    ]


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
