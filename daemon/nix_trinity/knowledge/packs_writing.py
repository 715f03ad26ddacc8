"""Accepted exchanges on their way into a pack: redacted anew, and without a trace of who asked.

What leaves this machine is chosen more strictly than what is used on it: only with the asker's consent, only what stands
for itself, and nothing that a secret was taken out of.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import apsw
import msgspec

from nix_trinity.knowledge.judged import types_of
from nix_trinity.knowledge.packs import PackError, PackExchange, parse_exchange, same_asked
from nix_trinity.knowledge.redaction import redact

_AT_ONCE = 200
_REDACTED = "[redacted: "
_NEXT = """
SELECT
  a.id, a.question, a.answer, a.option_types, a.options_release, a.accepted_at_ms, a.by_operator,
  coalesce((SELECT allows FROM consents c WHERE c.uid = a.uid), :allows) AS allowed,
  e.attachment <> '' AS attached,
  EXISTS (SELECT 1 FROM exchanges x WHERE x.uid = e.uid AND x.session = e.session AND x.asked_at_ms < e.asked_at_ms)
    AS follows
FROM accepted_exchanges a JOIN exchanges e ON e.id = a.id
WHERE a.id > :after AND (:uid IS NULL OR a.uid = :uid) ORDER BY a.id LIMIT :limit
"""

Fault = Callable[[str, str], str]
"""What is wrong with an answer (the second text) to a question by the options of this NixOS; '' when nothing is."""


class LeftOut(msgspec.Struct, frozen=True):
    """Why exchanges are not in the pack, and how many."""

    reason: str
    count: int


class WrittenPack(msgspec.Struct, frozen=True):
    """The lines of ``exchanges.jsonl`` in their order, and ``pack.toml`` for a new pack."""

    manifest: str
    lines: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted exchange, as it is to be judged for a pack."""

    id: str
    question: str
    answer: str
    option_types: dict[str, str]
    options_release: str | None
    accepted_at_ms: int
    by_operator: bool
    allowed: bool
    attached: bool
    follows: bool


@dataclass(slots=True)
class Gathered:
    """What goes into a pack so far: for each question the word that counts most, an operator's before others', the newest."""

    fault: Fault
    without: Collection[str]
    """Questions that are to be left out, as :func:`same_asked` has them."""
    found: dict[str, tuple[tuple[bool, int, str], PackExchange]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def take(self, page: Iterable[Accepted]) -> None:
        """Take what may go into a pack."""
        for one in page:
            exchange, why_not = _packed(one, self.fault)
            if exchange is not None and same_asked(exchange.question) in self.without:
                exchange, why_not = None, "pack.toml says so (without)"
            if exchange is None:
                self.left_out[why_not] += 1
                continue
            asked, worth = same_asked(exchange.question), (one.by_operator, one.accepted_at_ms, one.id)
            kept = self.found.get(asked)
            if kept is not None:
                self.left_out["another answer to the same question counts more"] += 1
            if kept is None or worth > kept[0]:
                self.found[asked] = (worth, exchange)

    def written(self, manifest: str) -> WrittenPack:
        """The whole of it. The order depends on the texts alone, so that differences in git are small."""
        ordered = sorted((one for _, one in self.found.values()), key=order_of)
        lines = tuple(msgspec.json.encode(one, order="deterministic").decode() for one in ordered)
        return WrittenPack(manifest, lines, tuple(LeftOut(*pair) for pair in sorted(self.left_out.items())))


def order_of(exchange: PackExchange) -> tuple[str, str, str]:
    """Where an exchange stands in its file."""
    return same_asked(exchange.question), exchange.question, exchange.answer


def accepted_page(
    connection: apsw.Connection, after: str, *, uid: int | None, consent_by_default: bool
) -> list[Accepted]:
    """The next accepted exchanges of one person, or of everybody (None), in the order of their ids; '' starts.

    One's own go by one's own deed, unless one said no; other people's only with their consent.
    """
    allows = int(uid is not None or consent_by_default)
    rows = connection.execute(_NEXT, {"after": after, "uid": uid, "allows": allows, "limit": _AT_ONCE})
    return [_accepted(row) for row in rows]


def _accepted(row: tuple[Any, ...]) -> Accepted:
    identifier, question, answer, types, release, at, by_operator, allowed, attached, follows = row
    return Accepted(
        identifier, question, answer, types_of(types), release, at, bool(by_operator), bool(allowed), bool(attached),
        bool(follows),
    )  # fmt: skip


def _packed(one: Accepted, fault: Fault) -> tuple[PackExchange | None, str]:
    """The exchange as a pack has it, or why it is not to be in one."""
    if not one.allowed:
        return None, "the asker has not allowed it (nix-trinity consent yes)"
    if one.attached:
        return None, "something was attached to the question"
    if one.follows:
        return None, "it goes on from an earlier question"
    question, answer = redact(one.question).text.strip(), redact(one.answer).text.strip()
    if _REDACTED in question or _REDACTED in answer:
        return None, "a secret was taken out of it"
    why = fault(question, answer)
    if why:
        return None, why
    exchange = PackExchange(
        question=question,
        answer=answer,
        options=one.option_types,
        release=one.options_release,
        reviewed=time.strftime("%Y-%m", time.gmtime(one.accepted_at_ms / 1000)),
    )
    try:
        # By the very form that the readers hold it to: what is too long, for example, is none.
        return parse_exchange(msgspec.json.encode(exchange), file="", line=0), ""
    except PackError:
        return None, "it is too long for a pack"
