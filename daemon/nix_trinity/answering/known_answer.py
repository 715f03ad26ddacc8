"""An answer that was accepted before, given again at once: checked anew, marked as what it is, and no model's work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from nix_trinity.answering.checking import AnswerCheck, SyntaxCheck
from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.grounding import Grounding, Grounds
from nix_trinity.answering.outcome import outcome_of, types_of
from nix_trinity.answering.question import Outcome, Source, Started, Text
from nix_trinity.answering.record import Record
from nix_trinity.answering.running import RunningQuestion
from nix_trinity.answering.verifier.findings import verdict as verdict_of
from nix_trinity.answering.verifier.marking import SIGN
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.packs import Pack
from nix_trinity.knowledge.past_answers import Past
from nix_trinity.knowledge.same_type import same_type
from nix_trinity.knowledge.store import KnowledgeStore

_NOBODY = -1
_MOST_TURNS = 50


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """An accepted answer that holds here and now."""

    past: Past
    text: str
    outcome: Outcome
    release: str | None
    """The NixOS release by whose options it was just checked."""

    @property
    def notice(self) -> str:
        """What it is, for the person to read."""
        if self.past.pack is not None:
            return self._notice_of_pack(self.past.pack)
        who = "an operator" if self.past.by_operator else "you"
        day = time.strftime("%Y-%m-%d", time.localtime(self.past.accepted_at_ms / 1000))
        by = f", by the options of NixOS {self.past.options_release}" if self.past.options_release else ""
        here = (
            f" Its options are the same in NixOS {self.release}."
            if self.release and self.release != self.past.options_release
            else ""
        )
        return (
            f"This was asked before, so no model was asked: the answer of exchange {self.past.id}, confirmed by {who} "
            f"on {day}{by}.{here} To have it answered anew: ask-nix-guru --fresh WORDS."
        )

    def _notice_of_pack(self, pack: Pack) -> str:
        reviewed = f", reviewed there in {self.past.reviewed}" if self.past.reviewed else ""
        return (
            f"No model was asked: this is an answer of the knowledge pack {pack.label}{reviewed}. It was not written or "
            f"confirmed on this machine; it was checked by the options of NixOS {self.release or 'on this machine'}. To "
            "have it answered anew: ask-nix-guru --fresh WORDS."
        )


async def known_answer(
    grounding: Grounding, store: KnowledgeStore, uid: int, question: str, syntax: SyntaxCheck | None
) -> tuple[KnownAnswer | None, Sequence[Past]]:
    """The newest accepted answer to this very question that a person may draw on, while nothing in it is wrong here.

    None: ask a model; it is to be given the accepted exchanges that were found on the way.
    """
    same, grounds, found = await grounding.asked_before(question, partial(store.accepted_like, uid))
    for one in same:
        known = await _holding(one, grounds, syntax)
        if known is not None and await _may_be_given(store, uid, one):
            return known, found
    return None, found


async def give_again(
    known: KnownAnswer, running: RunningQuestion, record: Record, *, session: str, role: str, notices: Sequence[str]
) -> None:
    """Send a known answer whole, and take it down; what is left is to finish the record."""
    pack = known.past.pack
    reason = f"the answer of exchange {known.past.id} {f'of the pack {pack.name}' if pack is not None else 'again'}"
    record.known()
    record.admitted()
    record.routed(session, role, reason)
    record.started(None, None)
    told = (*notices, known.notice)
    await running.put(Started(running.id, session, role, reason, "", "", told, known=known.past.id))
    record.first_token()
    record.add(known.text)
    await running.put(Text(known.text))
    record.came_to(known.outcome, known.release)


async def _holding(past: Past, grounds: Grounds, syntax: SyntaxCheck | None) -> KnownAnswer | None:
    """The answer, when all of it passes the check and its options have the types that they had."""
    if not past.answer.strip() or looks_like_injection(f"{past.question}\n{past.answer}"):
        return None
    check = AnswerCheck(grounds.verifier, syntax)
    text = await check.add(past.answer)
    if check.said != past.answer or verdict_of(check.checked) != "verified":
        return None
    if not _types_hold(past, check.names, grounds):
        return None
    # What was answered here has the marks of its dangers already; what a person wrote has none.
    # A pack's own marks are not believed.
    text = past.answer if SIGN in past.answer and past.pack is None else text
    outcome = outcome_of(grounds, check, repaired=False, notes=())
    source = Source("pack", f"exchange {past.id}", past.pack.label) if past.pack is not None else _known(past)
    outcome = replace(outcome, verdict="verified", sources=(source, *outcome.sources), notices=())
    return KnownAnswer(past, text, outcome, grounds.release)


def _known(past: Past) -> Source:
    return Source("known", f"exchange {past.id}", "")


async def _may_be_given(store: KnowledgeStore, uid: int, past: Past) -> bool:
    """Whether an answer may stand for itself; a pack's not once this person or an operator called it bad here."""
    if past.pack is None:
        return await _stands_alone(store, past.id)
    return not await store.was_refused(uid, f"exchange {past.id}")


async def _stands_alone(store: KnowledgeStore, exchange_id: str) -> bool:
    """Whether an exchange's question says all that its answer is to: no text came with it, and none went before it."""
    try:
        # Only this is looked at; whether the person may draw on the answer was asked before.
        exchange, _ = await store.find(Reader(_NOBODY, sees_all=True), exchange_id)
    except TrinityError:
        return False
    turns = await store.session_history(exchange.uid, exchange.session, limit=_MOST_TURNS)
    first = len(turns) < _MOST_TURNS and all(turn.asked_at_ms >= exchange.asked_at_ms for turn in turns)
    return first and not exchange.attachment.strip()


def _types_hold(past: Past, names: Sequence[str], grounds: Grounds) -> bool:
    """Whether all options that it names are there with the types that were taken down.

    Where none were, as before this was done, it has to be the release that it was given by.
    """
    had = msgspec.json.decode(past.option_types, type=dict[str, str])
    have = types_of((*names, *had), grounds.tree)
    if any(name not in have or not same_type(text, have[name]) for name, text in had.items()):
        return False
    same_release = past.options_release is not None and past.options_release == grounds.release
    return same_release or set(types_of(names, grounds.tree)) <= set(had)
