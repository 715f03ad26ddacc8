"""Knowledge out and in: exchanges as JSON lines, and accepted ones as conversations that fine-tuning tools read.

Both ways a line at a time, so that memory does not grow with what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import apsw
import msgspec

from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import past_answers
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.portable_incoming import derived_id, exchange_of, feedback_of
from nix_trinity.knowledge.portable_records import (
    BadLine,
    Conversation,
    Message,
    record_of,
    records_in,
)
from nix_trinity.knowledge.redaction import redact

Form = Literal["exchanges", "chat"]

_IDS_AT_ONCE = 500
_LINES_AT_ONCE = 1_000
_BYTES_AT_ONCE = 8 << 20
MOST_SKIPPED = 1_000
"""Of so many lines that were skipped it is said why; the others are counted."""


class ImportReport(msgspec.Struct, frozen=True):
    """What came of an import: new exchanges, those that were there, and lines that were skipped, with the reason."""

    imported: int
    already_there: int
    skipped: tuple[tuple[int, str], ...]
    skipped_count: int
    """All skipped lines; ``skipped`` names at most MOST_SKIPPED of them."""


def export_lines(
    connection: apsw.Connection,
    *,
    form: Form,
    uid: int | None,
    accepted_only: bool = True,
    with_uids: bool = False,
    consent_by_default: bool = False,
    system: str | None = None,
) -> Iterator[bytes]:
    """The exchanges of one person (None: everybody's, for operators), oldest first, each as a line with its end.

    ``exchanges``: all that ended, with the words on them; ``with_uids`` says who asked and judged. ``chat``: accepted
    ones with the answer that counts, else (``accepted_only`` false) all answered ones that are learnable; other
    people's only with their consent, since models are to learn from it; ``system`` is put in front of each.
    All texts are redacted again. No statement stays open between two lines: they may be taken in several transactions.
    """
    after = (-(1 << 63), "")
    while True:
        page: list[tuple[Any, ...]] = connection.execute(
            "SELECT asked_at_ms, id FROM exchanges WHERE (asked_at_ms, id) > (?1, ?2) AND outcome <> 'running'"
            " AND (?3 IS NULL OR uid = ?3) ORDER BY asked_at_ms, id LIMIT ?4",
            (*after, uid, _IDS_AT_ONCE),
        ).fetchall()
        for at, found in page:
            identifier = str(found)
            after = (int(at), identifier)
            line = (
                _record_line(connection, identifier, with_uids)
                if form == "exchanges"
                else _chat_line(connection, identifier, accepted_only, uid is not None or consent_by_default, system)
            )
            if line is not None:
                yield line + b"\n"
        if len(page) < _IDS_AT_ONCE:
            return


def _record_line(connection: apsw.Connection, identifier: str, with_uids: bool) -> bytes | None:
    found = [one for one in rows.find_exchange(connection, Reader(0, True), identifier) if one.id == identifier]
    if not found:  # forgotten meanwhile
        return None
    return msgspec.json.encode(record_of(found[0], rows.feedback_on(connection, identifier), with_uids=with_uids))


def _chat_line(
    connection: apsw.Connection, identifier: str, accepted_only: bool, consents: bool, system: str | None
) -> bytes | None:
    accepted = "EXISTS (SELECT 1 FROM accepted_exchanges a WHERE a.id = j.id)" if accepted_only else "TRUE"
    row = connection.execute(
        f"""
        SELECT j.question, e.attachment, j.answer FROM judged_exchanges j JOIN exchanges e ON e.id = j.id
        WHERE j.id = ? AND j.learnable = 1 AND j.set_aside IS NULL AND {accepted}
          AND (coalesce((SELECT allows FROM consents c WHERE c.uid = j.uid), ?) = 1 OR j.review IS 'accepted')
        """,  # noqa: S608 (one of two fixed conditions)
        (identifier, int(consents)),
    ).fetchone()
    if row is None:
        return None
    question, attachment, answer = (redact(str(text)).text for text in row)
    asked = f"{question}\n\n{attachment}" if attachment else question
    messages = [Message("user", asked), Message("assistant", answer)]
    if system:
        messages.insert(0, Message("system", system))
    return msgspec.json.encode(Conversation(tuple(messages)))


@dataclass(slots=True)
class _Import:
    """An import under way."""

    connection: apsw.Connection
    uid: int
    sees_all: bool
    imported: int = 0
    already_there: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    skipped_count: int = 0

    def skip(self, number: int, why: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < MOST_SKIPPED:
            self.skipped.append((number, why))

    def take(self, incoming: list[tuple[Exchange, list[Feedback]]]) -> None:
        """Keep those of them that are new."""
        owners = self._owners([one.id for one, _ in incoming])
        there = self._there({(one.question, one.answer) for one, _ in incoming})
        for one, said in incoming:
            owner = owners.get(one.id)
            pair = (one.question, one.answer)
            if pair in there or owner == self.uid or (owner is not None and self.sees_all):
                self.already_there += 1
                continue
            if owner is not None:
                # The id is taken by what this person may not even know of.
                one = msgspec.structs.replace(one, id=derived_id(self.uid, *pair))
            rows.put_exchange(self.connection, one)
            for word in said:
                rows.put_feedback(self.connection, one.id, word)
            past_answers.refresh(self.connection, one.id)
            owners[one.id] = self.uid
            there.add(pair)
            self.imported += 1

    def _owners(self, ids: list[str]) -> dict[str, int]:
        named = msgspec.json.encode(ids).decode()
        found = self.connection.execute(
            "SELECT id, uid FROM exchanges WHERE id IN (SELECT value FROM json_each(?))", (named,)
        )
        return {str(identifier): int(uid) for identifier, uid in found}

    def _there(self, pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these questions with these answers the importing person can see already."""
        questions = msgspec.json.encode(sorted({question for question, _ in pairs})).decode()
        found = self.connection.execute(
            "SELECT question, answer FROM exchanges WHERE question IN (SELECT value FROM json_each(?1))"
            " AND (?2 OR uid = ?3)",
            (questions, self.sees_all, self.uid),
        )
        return {pair for pair in found if pair in pairs}


def import_lines(
    connection: apsw.Connection,
    lines: Iterable[bytes],
    *,
    uid: int,
    now_ms: int,
    learnable: Callable[[str], bool],
    by_operator: bool = False,
    sees_all: bool = False,
    role_of: Callable[[str], str | None] | None = None,
    first_line: int = 1,
) -> ImportReport:
    """Take in records (form ``exchanges``, or only question and answer) and conversations, one a line.

    What is imported belongs to ``uid``, came through the door ``import``, and has not been checked by anybody (verdict
    None). ``learnable`` says of all texts together whether a model may be taught them. Words on the answers become
    this person's own, and an operator's (``by_operator``) only where they were one's before or tell nothing of it.
    ``sees_all``: what is there already is looked for among everybody's exchanges, else among the person's own.
    ``role_of`` finds a role for a question that has none. ``first_line`` is the number of the first line, for imports
    in several pieces. Lines that cannot be taken are skipped with the reason; blank ones are nothing.
    """
    work = _Import(connection, uid, sees_all)
    waiting: list[tuple[Exchange, list[Feedback]]] = []
    size = 0
    for number, line in enumerate(lines, first_line):
        if not line.strip():
            continue
        try:
            for record in records_in(line):
                one = exchange_of(record, uid=uid, now_ms=now_ms, learnable=learnable)
                if one.role is None and role_of is not None:
                    one = msgspec.structs.replace(one, role=role_of(one.question))
                waiting.append((one, feedback_of(record, uid=uid, now_ms=now_ms, by_operator=by_operator)))
        except BadLine as error:
            work.skip(number, str(error))
            continue
        size += len(line)
        if len(waiting) >= _LINES_AT_ONCE or size >= _BYTES_AT_ONCE:
            work.take(waiting)
            waiting, size = [], 0
    if waiting:
        work.take(waiting)
    return ImportReport(work.imported, work.already_there, tuple(work.skipped), work.skipped_count)
