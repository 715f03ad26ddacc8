"""The SQL of what may be learned: operators' reviews, renewals after a change of the options, and consents."""

from __future__ import annotations

from collections.abc import Mapping

import apsw
import msgspec

from nix_trinity.knowledge.judged import as_json, types_of
from nix_trinity.knowledge.learning import Decision


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted exchange, or one that would be if it were not set aside, as a check of the options needs it.

    A check tries ``answer`` first and ``said_answer`` after it: after a step back to an older release, the text that
    people accepted may be the true one again.
    """

    id: str
    question: str
    answer: str
    """What counts now: the renewed answer where there is one."""
    option_types: Mapping[str, str]
    """The options that ``answer`` names, with their types."""
    options_release: str | None
    said_answer: str
    """The text that people's words are on: the correction, else what was answered."""
    said_option_types: Mapping[str, str]
    renewed: bool
    """Whether an earlier check mended it or set it aside."""
    set_aside: str | None
    """Why it is set aside; None when it is accepted."""


_ACCEPTED_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Accepted))
_ACCEPTED = f"""
SELECT {", ".join(f"j.{name}" for name in _ACCEPTED_COLUMNS)} FROM judged_exchanges j
WHERE j.acceptable AND j.id IN (SELECT value FROM json_each(?)) ORDER BY j.id
"""  # noqa: S608 - the struct's own names
# All that is accepted is in past_answers, so nothing else is read.
_NEXT_IDS = """
SELECT exchange_id FROM (
  SELECT exchange_id FROM past_answers WHERE exchange_id > ?1 ORDER BY exchange_id LIMIT ?2)
UNION
SELECT exchange_id FROM (
  SELECT exchange_id FROM renewals WHERE answer IS NULL AND exchange_id > ?1 ORDER BY exchange_id LIMIT ?2)
ORDER BY exchange_id LIMIT ?2
"""


def put_review(connection: apsw.Connection, exchange_id: str, decision: Decision, uid: int, now_ms: int) -> None:
    """Keep an operator's word on an exchange as it is now; the newest one counts."""
    connection.execute(
        "INSERT INTO reviews (exchange_id, decision, uid, decided_at_ms, correction_id) VALUES (?1, ?2, ?3, ?4,"
        " (SELECT CASE WHEN correction IS NOT NULL THEN id END FROM feedback"
        "  WHERE exchange_id = ?1 ORDER BY id DESC LIMIT 1))"
        " ON CONFLICT (exchange_id) DO UPDATE SET decision = excluded.decision, uid = excluded.uid,"
        " decided_at_ms = excluded.decided_at_ms, correction_id = excluded.correction_id",
        (exchange_id, decision, uid, now_ms),
    )


def put_renewal(
    connection: apsw.Connection,
    exchange_id: str,
    answer: str | None,
    option_types: Mapping[str, str],
    reason: str,
    release: str | None,
    now_ms: int,
) -> bool:
    """Put a mended answer in the place of an exchange's, or set it aside (None); False when the exchange is gone."""
    types = msgspec.json.encode(option_types, order="deterministic").decode()
    connection.execute(
        "INSERT INTO renewals (exchange_id, answer, option_types, reason, release, renewed_at_ms)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM exchanges WHERE id = ?1)"
        " ON CONFLICT (exchange_id) DO UPDATE SET answer = excluded.answer, option_types = excluded.option_types,"
        " reason = excluded.reason, release = excluded.release, renewed_at_ms = excluded.renewed_at_ms",
        (exchange_id, answer, types, reason, release, now_ms),
    )
    return bool(connection.changes())


def drop_renewal(connection: apsw.Connection, exchange_id: str) -> bool:
    """Let the text that people accepted count again, and have it analysed; False when nothing was renewed."""
    connection.execute("DELETE FROM renewals WHERE exchange_id = ?", (exchange_id,))
    if not connection.changes():
        return False
    connection.execute(
        "INSERT INTO to_analyse (exchange_id) VALUES (?) ON CONFLICT DO UPDATE SET taken = 0", (exchange_id,)
    )
    return True


def accepted_page(connection: apsw.Connection, after_id: str, limit: int) -> list[Accepted]:
    """The next accepted or set aside exchanges in the order of their ids; '' starts, an empty list ends.

    A page may be shorter than ``limit`` though more follow.
    """
    found: list[Accepted] = []
    while not found:
        ids = [str(one) for (one,) in connection.execute(_NEXT_IDS, (after_id, limit))]
        if not ids:
            break
        found = [_accepted(row) for row in connection.execute(_ACCEPTED, as_json(ids))]
        after_id = ids[-1]
    return found


def consent(connection: apsw.Connection, uid: int) -> bool | None:
    """Whether a person lets models learn from their exchanges; None when they said nothing."""
    allows = connection.execute("SELECT allows FROM consents WHERE uid = ?", (uid,)).get
    return None if allows is None else bool(allows)


def put_consent(connection: apsw.Connection, uid: int, allows: bool, now_ms: int) -> None:
    """Keep what a person says about it."""
    connection.execute(
        "INSERT INTO consents (uid, allows, said_at_ms) VALUES (?, ?, ?)"
        " ON CONFLICT (uid) DO UPDATE SET allows = excluded.allows, said_at_ms = excluded.said_at_ms",
        (uid, allows, now_ms),
    )


def _accepted(row: tuple[object, ...]) -> Accepted:
    fields = dict(zip(_ACCEPTED_COLUMNS, row, strict=True))
    for name in ("option_types", "said_option_types"):
        fields[name] = types_of(str(fields[name]))
    return msgspec.convert(fields, Accepted, strict=False)
