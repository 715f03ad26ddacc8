"""A record that comes in, as an exchange and words of the person who imports it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from nix_trinity.knowledge.exchanges import ID_LENGTH, Exchange, Feedback
from nix_trinity.knowledge.portable_records import INTERFACE, ROLES, Record, Said
from nix_trinity.knowledge.redaction import redact

_ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"


def exchange_of(record: Record, *, uid: int, now_ms: int, learnable: Callable[[str], bool]) -> Exchange:
    """The record as an exchange of the person who imports it; its texts are redacted.

    Not taken over: who asked, through which door, and what a check elsewhere came to.
    """
    question, answer, attachment = (redact(text).text for text in (record.question, record.answer, record.attachment))
    corrections = [record.correction or "", *(one.correction or "" for one in record.feedback)]
    teaches = "\n".join([question, attachment, answer, *filter(None, corrections)])
    has_own_id = record.id is not None and len(record.id) == ID_LENGTH and set(record.id) <= set(_ALPHABET)
    asked_at_ms = now_ms if record.asked_at_ms is None else min(record.asked_at_ms, now_ms)
    identifier = record.id if has_own_id and record.id is not None else derived_id(uid, question, answer)
    return Exchange(
        id=identifier,
        asked_at_ms=asked_at_ms,
        uid=uid,
        session=record.session or f"{INTERFACE}-{identifier}",
        interface=INTERFACE,
        question=question,
        attachment=attachment,
        level=record.level,
        role=record.role if record.role in ROLES else None,
        role_reason=_reason(record),
        model=record.model,
        model_version=record.model_version,
        nixos_release=record.nixos_release,
        answer=answer,
        outcome=record.outcome,
        error_code=record.error_code,
        truncated=record.truncated,
        queue_ms=record.queue_ms,
        first_token_ms=record.first_token_ms,
        total_ms=record.total_ms,
        prompt_tokens=record.prompt_tokens,
        answer_tokens=record.answer_tokens,
        verdict=None,
        sources=msgspec.json.encode(record.sources).decode(),
        options_release=record.options_release,
        learnable=record.learnable and not record.truncated and learnable(teaches),
        option_types=msgspec.json.encode(record.option_types).decode(),
    )


def feedback_of(record: Record, *, uid: int, now_ms: int, by_operator: bool) -> list[Feedback]:
    """The words of the record as the importing person's own, oldest first.

    An operator's import makes no operator's word of what somebody else said: of words that tell who gave them, only an
    operator's stay one.
    """
    word = record.word or ("corrected" if record.correction is not None else None)
    said = list(record.feedback)
    if not said and word is not None:
        said = [Said(verdict=word, correction=record.correction, by_operator=True)]
    return [
        Feedback(
            given_at_ms=now_ms if one.given_at_ms is None else min(one.given_at_ms, now_ms),
            uid=uid,
            verdict=one.verdict,
            correction=redact(one.correction).text if one.correction is not None else None,
            by_operator=by_operator and one.by_operator,
            option_types=msgspec.json.encode(one.option_types).decode(),
            options_release=one.options_release,
        )
        for one in said
    ]


def derived_id(uid: int, question: str, answer: str) -> str:
    """An id for what has none: the same for the same person, question and answer."""
    number = int.from_bytes(hashlib.sha256("\0".join((str(uid), question, answer)).encode()).digest()[:16])
    digits = []
    for _ in range(ID_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _reason(record: Record) -> str | None:
    told = [f"category {record.category}"] if record.category else []
    told += [f"score {record.score:g}"] if record.score is not None else []
    if record.role_reason or not told:
        return redact(record.role_reason).text if record.role_reason else None
    return redact(f"imported: {', '.join(told)}").text
