"""What a person thinks of an answer: which exchange it is about, and what the options say of a correction."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.question import Source, pack_sources
from nix_trinity.api.messages import FeedbackReply
from nix_trinity.errors import NotFoundError, TrinityError
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.store import KnowledgeStore

Inspect = Callable[[str, str], Awaitable[Inspection]]
"""Checks an answer to a question against the options of this NixOS."""

# A person waits; the correction is kept at the end of it in any case.
_INSPECTION_SECONDS = 3.0
_MOST_PROBLEMS = 5

_log = structlog.get_logger("api")


async def judge(
    store: KnowledgeStore, inspect: Inspect | None, reader: Reader, prefix: str, said: Feedback
) -> FeedbackReply:
    """Keep what a person thinks, and say what is to be said of it. A correction is kept whatever its check finds.

    :raises TrinityError: there is no such exchange, or nothing can be kept at present.
    """
    exchange, _ = await store.find(reader, prefix)
    exchange, notices = await _meant(store, reader, exchange, said.verdict)
    if said.correction is not None and inspect is not None:
        said, found = await _checked(inspect, exchange.question, said, said.correction)
        notices += found
    await store.judge(reader, exchange.id, said)
    return FeedbackReply(exchange.id, said.verdict, notices)


def known_from(exchange: Exchange) -> str | None:
    """The exchange whose answer was given again as this one's; None when the answer was new."""
    sources = msgspec.json.decode(exchange.sources, type=list[Source])
    return next((source.name.removeprefix("exchange ") for source in sources if source.kind == "known"), None)


async def _meant(
    store: KnowledgeStore, reader: Reader, exchange: Exchange, verdict: str
) -> tuple[Exchange, tuple[str, ...]]:
    """The exchange that a word is about: against an answer that was given again, it is the one that it came from."""
    if pack_sources(exchange.sources):
        return await _of_pack(store, exchange, verdict)
    origin = known_from(exchange)
    if origin is None or verdict == "good":
        return exchange, ()
    try:
        first, _ = await store.find(reader, origin)
    except NotFoundError:
        if verdict == "corrected":
            # From now on it has an answer of its own, which counts for this person.
            await store.keep(msgspec.structs.replace(exchange, learnable=True))
            return exchange, ()
        again = f"Others still get this answer, which an operator confirmed (exchange {origin})."
        return exchange, (f"{again} To have yours answered anew: ask-nix-guru --fresh WORDS.",)
    return first, (f"That answer was exchange {first.id}'s, given again, so your word is on that exchange.",)


async def _of_pack(store: KnowledgeStore, exchange: Exchange, verdict: str) -> tuple[Exchange, tuple[str, ...]]:
    """A pack's words are not learned here, since they are to go with it; a correction is the person's own."""
    own = verdict == "corrected" and not looks_like_injection(f"{exchange.question}\n{exchange.attachment}")
    if own != exchange.learnable:
        exchange = msgspec.structs.replace(exchange, learnable=own)
        await store.keep(exchange)
    if verdict == "good":
        return exchange, (
            "This answer rests on a knowledge pack, so models do not learn it here: the pack itself is used, while it is "
            "configured.",
        )
    given = [source for source in pack_sources(exchange.sources) if source.name.startswith("exchange ")]
    if verdict == "bad" and given and exchange.model is None:
        return exchange, ("This answer of the pack is no longer given to you. Ask again, and a model answers.",)
    return exchange, ()


async def _checked(
    inspect: Inspect, question: str, said: Feedback, correction: str
) -> tuple[Feedback, tuple[str, ...]]:
    """The correction with what its check came to, and what the person is to be told of it."""
    try:
        async with asyncio.timeout(_INSPECTION_SECONDS):
            inspection = await inspect(question, correction)
    except TimeoutError:
        return said, (_unchecked(f"that took longer than {_INSPECTION_SECONDS:g} s."),)
    except TrinityError as error:
        return said, (_unchecked(error.message),)
    except Exception as error:
        # Our fault, and no reason to lose what a person wrote.
        _log.exception("a correction could not be checked", error=type(error).__name__)
        return said, (_unchecked("NixTrinity itself failed at it."),)
    checked = msgspec.structs.replace(
        said,
        option_types=msgspec.json.encode(inspection.types).decode(),
        check_verdict=inspection.check,
        options_release=inspection.release,
    )
    return checked, _told(inspection)


def _told(inspection: Inspection) -> tuple[str, ...]:
    here = f"NixOS {inspection.release}" if inspection.release else "this NixOS"
    problems = list(inspection.problems)
    if inspection.orders:
        problems.append("it reads like orders to the model")
    if not problems:
        return ()
    more = f"; and {len(problems) - _MOST_PROBLEMS} more" if len(problems) > _MOST_PROBLEMS else ""
    return (
        f"Checked against the options of {here}: {'; '.join(problems[:_MOST_PROBLEMS])}{more}. The correction is kept, "
        "but it is not given as an answer, and models do not learn from it until an operator accepts it.",
    )


def _unchecked(why: str) -> str:
    return f"The correction is kept, but it could not be checked: {why}"
