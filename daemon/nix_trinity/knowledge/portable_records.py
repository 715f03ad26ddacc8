"""A line of an export or an import: an exchange as a record of its own, or a conversation as fine-tuning tools read it.

A record says nothing of who asked or judged unless that is wanted. What comes in was written by anybody, so all of it
is checked for type and length, and only the texts, times and words are believed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from nix_trinity.knowledge.exchanges import Exchange, Feedback
from nix_trinity.knowledge.redaction import redact

MOST_LINE_BYTES = 4 << 20
INTERFACE = "import"
"""The door that imported exchanges came through."""
ROLES = ("expert", "empathy", "coder", "quick")

_LATEST_MS = 1 << 53

Question = Annotated[str, msgspec.Meta(max_length=16_384)]
Answer = Annotated[str, msgspec.Meta(max_length=262_144)]
Attachment = Annotated[str, msgspec.Meta(max_length=2_097_152)]
Short = Annotated[str, msgspec.Meta(max_length=400)]
Name = Annotated[str, msgspec.Meta(max_length=400)]
TimeMs = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)]
Duration = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Types = Annotated[dict[Name, Annotated[str, msgspec.Meta(max_length=8_192)]], msgspec.Meta(max_length=1_000)]
Word = Literal["good", "bad", "corrected"]


class SourceOf(msgspec.Struct, frozen=True):
    """What an answer rests on, as the protocol's Source."""

    kind: Name
    name: Name
    where: Annotated[str, msgspec.Meta(max_length=4_096)] = ""


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's word on an answer."""

    verdict: Word
    correction: Answer | None = None
    given_at_ms: TimeMs | None = None
    by_operator: bool = False
    option_types: Types = {}
    options_release: Short | None = None
    check_verdict: Short | None = None
    uid: int | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One exchange. Only question and answer are needed; ``word``, ``correction``, ``score`` and ``category`` are for
    collections made elsewhere, in place of ``feedback``.
    """

    question: Question
    answer: Answer
    id: Short | None = None
    asked_at_ms: TimeMs | None = None
    uid: int | None = None
    session: Short | None = None
    interface: Short | None = None
    attachment: Attachment = ""
    level: Short | None = None
    role: Short | None = None
    role_reason: Short | None = None
    model: Short | None = None
    model_version: Short | None = None
    nixos_release: Short | None = None
    outcome: Literal["answered", "failed", "cancelled"] = "answered"
    error_code: Short | None = None
    truncated: bool = False
    queue_ms: Duration | None = None
    first_token_ms: Duration | None = None
    total_ms: Duration | None = None
    prompt_tokens: Count | None = None
    answer_tokens: Count | None = None
    verdict: Short | None = None
    sources: Annotated[tuple[SourceOf, ...], msgspec.Meta(max_length=1_000)] = ()
    options_release: Short | None = None
    learnable: bool = True
    option_types: Types = {}
    feedback: Annotated[tuple[Said, ...], msgspec.Meta(max_length=1_000)] = ()
    word: Word | None = None
    correction: Answer | None = None
    score: float | None = None
    category: Short | None = None


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation."""

    role: str
    content: Answer


class Conversation(msgspec.Struct, frozen=True):
    """What fine-tuning tools read: system, user and assistant in turn."""

    messages: tuple[Message, ...]


class _Probe(msgspec.Struct, frozen=True):
    messages: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class BadLine(ValueError):  # noqa: N818 (it names what is wrong, as the errors of the product do)
    """A line that cannot be taken in; its text says why."""


def record_of(exchange: Exchange, feedback: list[Feedback], *, with_uids: bool) -> Record:
    """An exchange as a record, all its texts redacted again."""
    fields: dict[str, Any] = msgspec.structs.asdict(exchange)
    sources = msgspec.json.decode(exchange.sources, type=tuple[SourceOf, ...])
    return Record(
        **{
            **fields,
            "uid": exchange.uid if with_uids else None,
            "question": redact(exchange.question).text,
            "answer": redact(exchange.answer).text,
            "attachment": redact(exchange.attachment).text,
            "role_reason": redact(exchange.role_reason).text if exchange.role_reason is not None else None,
            "sources": tuple(SourceOf(one.kind, redact(one.name).text, redact(one.where).text) for one in sources),
            "option_types": msgspec.json.decode(exchange.option_types, type=dict[str, str]),
        },
        feedback=tuple(_said(one, with_uid=with_uids) for one in feedback),
    )


def _said(one: Feedback, *, with_uid: bool) -> Said:
    fields: dict[str, Any] = msgspec.structs.asdict(one)
    return Said(
        **{
            **fields,
            "uid": one.uid if with_uid else None,
            "correction": redact(one.correction).text if one.correction is not None else None,
            "option_types": msgspec.json.decode(one.option_types, type=dict[str, str]),
        }
    )


def records_in(line: bytes) -> Iterator[Record]:
    """The records of one line: one, or one for each turn of a conversation.

    :raises BadLine: it is none; before the first record comes.
    """
    if len(line) > MOST_LINE_BYTES:
        raise BadLine(f"it has {len(line)} bytes; the limit is {MOST_LINE_BYTES}")
    try:
        if isinstance(msgspec.json.decode(line, type=_Probe).messages, msgspec.Raw):
            found = _turns(msgspec.json.decode(line, type=Conversation))
        else:
            found = [msgspec.json.decode(line, type=Record)]
        for record in found:
            _check(record)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        name = where.rstrip("`").lstrip(".")
        raise BadLine(f"{f'field {name!r}: ' if name else ''}{what[:1].lower()}{what[1:]}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadLine(f"it is not valid JSON in UTF-8: {error}") from error
    yield from found


def _turns(conversation: Conversation) -> list[Record]:
    found: list[Record] = []
    asked: str | None = None
    for message in conversation.messages:
        if message.role == "user":
            asked = message.content
        elif message.role == "assistant" and asked is not None:
            found.append(msgspec.convert({"question": asked, "answer": message.content}, Record))
            asked = None
    if not found:
        raise BadLine("the conversation has no user's message that an assistant's one answers")
    return found


def _check(record: Record) -> None:
    """Refuse what no stored exchange may be."""
    for name, text in (("question", record.question), ("answer", record.answer)):
        if not text.strip() and (name == "question" or record.outcome == "answered"):
            raise BadLine(f"the {name} is empty")
    said = [*((one.verdict, one.correction) for one in record.feedback), (record.word, record.correction)]
    for word, correction in said:
        if (correction is not None) != (word == "corrected") and not (word is None and correction is not None):
            raise BadLine("'corrected' comes with a correction, and a correction with no other word")
        if correction is not None and not correction.strip():
            raise BadLine("the correction is empty")
    # SQLite ends a text at it in some of its functions.
    if "\0" in "".join(_texts(record)):
        raise BadLine("it has a NUL byte in it")


def _texts(record: Record) -> Iterator[str]:
    parts: tuple[Record | Said, ...] = (record, *record.feedback)
    for one in parts:
        values: dict[str, Any] = msgspec.structs.asdict(one)
        yield from (value for value in values.values() if isinstance(value, str))
        yield from (text for pair in one.option_types.items() for text in pair)
    yield from (text for source in record.sources for text in (source.kind, source.name, source.where))
