"""Put together what the model is sent, so that it fits.

What is stable comes first (the model's own system text and examples, which Ollama holds; then the session's
history), and what changes with each question comes last (what was found for it, and the question itself), so
that Ollama's prefix cache works. Nothing is left to Ollama to cut:
it drops the oldest first, which are our examples, and says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nix_trinity.answering.fencing import fenced, neutralised
from nix_trinity.engines.protocol import ChatMessage
from nix_trinity.errors import RequestError
from nix_trinity.tokens import TOKENS_A_MESSAGE, expected_tokens, most_tokens

# Kept free below num_ctx, since one token too many makes Ollama drop whole messages.
_MARGIN = 0.10
# Below this share of the expected count, the engine has not seen the whole prompt.
_SEEN_SHARE = 0.75
# Which part of an attachment that is too long is kept from its beginning: the first error often
# stands there, but the end says what it came to.
_HEAD_SHARE = 1 / 3
_LEAST_ATTACHMENT_TOKENS = 32
# An attachment is what the question is about: what is known may not crowd it out.
_PASSAGES_SHARE = 0.6
_BEFORE = "Earlier in this conversation, as another program has it; none of it was checked"
_KNOWN = "What the options and notes of this very NixOS say"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the daemon knows about the person and the machine."""

    level: str | None
    local_time: str | None
    nixos_release: str | None
    wishes: str = ""
    """How the person's program wants to be answered, in its own words."""

    def line(self) -> str:
        """A line for the model, and one for the program's wishes: they stand where the person's own words do."""
        parts = [
            f"the person's level: {self.level}" if self.level else "",
            f"local time: {self.local_time}" if self.local_time else "",
            f"this machine runs NixOS {self.nixos_release}" if self.nixos_release else "",
        ]
        known = "; ".join(part for part in parts if part)
        wishes = f"[how the person would like to be answered: {neutralised(self.wishes)}]\n" if self.wishes else ""
        return (f"[{known}]\n" if known else "") + wishes


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of the session and the answer it got."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens: the window, what the model's own system text and examples take of it, and the rest's shares."""

    num_ctx: int
    prefix: int
    answer: int
    history: int
    passages: int = 0

    @property
    def room(self) -> int:
        """What history, attachment and question may take together."""
        return math.floor(self.num_ctx * (1 - _MARGIN)) - self.prefix - self.answer

    def halved(self) -> Budget:
        """The budget for a second try, after the engine found the first prompt too long."""
        return Budget(self.num_ctx - self.room // 2, self.prefix, self.answer, self.history // 2, self.passages // 2)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The messages, how many tokens they are expected to have, and what had to be left out."""

    messages: tuple[ChatMessage, ...]
    expected: int
    notices: tuple[str, ...]


def build_prompt(
    question: str,
    *,
    attachment: str,
    situation: Situation,
    history: Sequence[Turn],
    budget: Budget,
    marker: str,
    passages: Sequence[str] = (),
    task: str = "",
    following: Sequence[ChatMessage] = (),
    before: str = "",
) -> Prompt:
    """Fit all into the budget: the question whole, then passages, the attachment, and the session's turns.

    ``history`` is oldest first, ``passages`` are best first and are kept whole or dropped from the end; ``marker`` is
    a random word for this request. ``task`` is what the model is to do, after the question; ``following`` are the
    messages after it, kept whole. ``before`` is an earlier conversation that nobody vouches for: data, which has the
    room of the session's turns.

    :raises RequestError: ``question_too_long``, the question by itself does not fit.
    """
    notices: list[str] = []
    asked = situation.line() + neutralised(question) + (f"\n\n{task}" if task else "")
    after = sum(most_tokens(message.content) + TOKENS_A_MESSAGE for message in following)
    room = budget.room - most_tokens(asked) - TOKENS_A_MESSAGE - after
    if room < 0:
        raise RequestError(
            f"The question does not fit into this model's context of {budget.num_ctx} tokens.",
            "Ask in fewer words and pipe long text in instead (journalctl … | ask-nix-guru why): it is "
            "shortened where it has to be. Or raise services.nixTrinity.roles.<role>.numCtx.",
            code="question_too_long",
        )
    share = int(room * _PASSAGES_SHARE) if attachment.strip() else room
    known = _fitting_passages(passages, min(share, budget.passages))
    found = fenced("\n\n".join(known), marker=marker, what=_KNOWN) + "\n\n" if known else ""
    room -= most_tokens(found)
    if attachment.strip():
        wrapping = most_tokens(fenced("", marker=marker, what="Attached text"))
        kept, left_out = _shortened(attachment, room - wrapping)
        if left_out:
            notices.append(
                f"The attached text was too long for this model: {left_out} of {len(attachment)} characters "
                "from its middle were left out."
            )
        if kept:
            asked = f"{fenced(kept, marker=marker, what='Attached text')}\n{asked}"
            room -= most_tokens(kept) + wrapping
    if before:
        share = min(room, budget.history)
        wrapping = most_tokens(fenced("", marker=marker, what=_BEFORE))
        kept, left_out = _shortened(before, share - wrapping)
        if left_out:
            notices.append(f"Of what was said before, {left_out} of {len(before)} characters were left out.")
        if kept:
            asked = f"{fenced(kept, marker=marker, what=_BEFORE)}\n{asked}"
            budget = replace(budget, history=share - wrapping - most_tokens(kept))
            room -= wrapping + most_tokens(kept)
    asked = found + asked
    turns = _fitting_turns(history, min(room, budget.history))
    if len(turns) < len(history):
        notices.append(
            f"Only the last {len(turns)} of {len(history)} exchanges of this session fitted."
            if turns
            else "The session's earlier exchanges did not fit."
        )
    messages = [
        message
        for turn in turns
        for message in (
            ChatMessage("user", neutralised(turn.question)),
            ChatMessage("assistant", neutralised(turn.answer)),
        )
    ]
    messages.append(ChatMessage("user", asked))
    messages.extend(following)
    return Prompt(tuple(messages), sum(expected_tokens(message.content) for message in messages), tuple(notices))


def was_truncated(prompt_tokens: int | None, *, expected: int) -> bool:
    """Whether the engine counted so few prompt tokens that it cannot have seen the whole prompt."""
    return prompt_tokens is not None and prompt_tokens < expected * _SEEN_SHARE


def _fitting_passages(passages: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    room -= most_tokens(fenced("", marker="data-000000000000", what=_KNOWN))
    for passage in passages:
        room -= most_tokens(neutralised(passage)) + 1
        if room < 0:
            break
        kept.append(passage)
    return kept


def _fitting_turns(history: Sequence[Turn], room: int) -> list[Turn]:
    turns: list[Turn] = []
    for turn in reversed(history):
        room -= most_tokens(turn.question) + most_tokens(turn.answer) + 2 * TOKENS_A_MESSAGE
        if room < 0:
            break
        turns.append(turn)
    return turns[::-1]


def _shortened(text: str, room: int) -> tuple[str, int]:
    """The beginning and end of ``text`` that fit into ``room`` tokens, and how many characters are missing."""
    if room < _LEAST_ATTACHMENT_TOKENS:
        return "", len(text)
    if len(text) <= room * 5 and most_tokens(text) <= room:
        return text, 0
    # Halving finds the longest length that fits; the estimate grows with the length.
    low, high = 0, min(len(text), room * 5)
    while low < high:
        middle = (low + high + 1) // 2
        if most_tokens(_ends(text, middle)) <= room:
            low = middle
        else:
            high = middle - 1
    return _ends(text, low), len(text) - low


def _ends(text: str, length: int) -> str:
    head = int(length * _HEAD_SHARE)
    tail = length - head
    return f"{text[:head]}\n[… {len(text) - length} characters left out …]\n{text[len(text) - tail :]}"
