"""What was asked here before and accepted, as knowledge for a new question.

A past answer is used only while all of it holds on this NixOS: it is checked anew each time, so that one whose
options vanished with an upgrade, or that never was true, is left alone. It is data like every other passage.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.retriever.query import language_of
from nix_trinity.answering.retriever.vocabulary import Vocabulary
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.release import Segment, Segmenter
from nix_trinity.knowledge.corpus.finds import Found
from nix_trinity.knowledge.corpus.packs import PackedExchange
from nix_trinity.knowledge.corpus.search import IndexReader
from nix_trinity.knowledge.corpus.words import stem, words
from nix_trinity.knowledge.past_answers import Past

PastSource = Callable[[Sequence[str], int], Awaitable[Sequence[Past]]]
"""Finds up to so many accepted exchanges by the stems of a question, the most telling first."""

# The project's own labelled questions are each about something else; no two of them are more alike than 0.30.
_LEAST_LIKENESS = 0.4
_MOST_USED = 4
_MOST_NAMES = 12
# What a word is worth that is everyday English, or that no option has.
_WEAK = 0.35
_LONGEST_QUESTION = 200
_LONGEST_ANSWER = 500


@dataclass(frozen=True, slots=True)
class Recalled:
    """A past answer that holds on this NixOS."""

    past: Past
    likeness: float
    """How alike the two questions are, from 0 to 1."""
    names: tuple[str, ...]
    """The options that the answer names."""
    segments: tuple[Segment, ...]
    """The answer in sentences and code blocks."""


def asked_stems(question: str, vocabulary: Vocabulary, index: IndexReader) -> dict[str, float]:
    """What a question says, without its language's stop words: stems with what each is worth, the most first."""
    stop = vocabulary.stop_words.get(language_of(question, vocabulary), frozenset()) | vocabulary.stop_words.get(
        "en", frozenset()
    )
    said = {stem(word): word for word in words(question) if word not in stop and len(word) > 1}
    often = index.frequencies(said)
    whole = math.log(index.count() + 1)
    worth = {
        one: (math.log((index.count() + 1) / often[one]) / whole if one in often else _WEAK)
        * (_WEAK if word in vocabulary.weak_words else 1.0)
        for one, word in said.items()
    }
    return dict(sorted(worth.items(), key=lambda pair: -pair[1]))


def likeness(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """How much of what two questions say is said by both, from 0 to 1: the weighted Jaccard index of their stems."""
    shared = sum(min(worth, right[one]) for one, worth in left.items() if one in right)
    return shared / ((sum(left.values()) + sum(right.values()) - shared) or 1.0)


def of_pack(found: PackedExchange) -> Past:
    """A pack's exchange as a past answer: it is used like one, and marked as what it is."""
    one = found.exchange
    types = msgspec.json.encode(one.options).decode()
    return Past(one.key, one.question, one.answer, one.release, types, pack=found.pack, reviewed=one.reviewed)


def recall(
    asked: Mapping[str, float],
    found: Sequence[Past],
    *,
    vocabulary: Vocabulary,
    index: IndexReader,
    verifier: Verifier,
) -> tuple[Recalled, ...]:
    """Those of the finds that were asked much the same and still hold: those asked here, then packs', the most alike first.

    Call it in the index's thread (``Corpus.read``).
    """
    alike = [(likeness(asked, asked_stems(past.question, vocabulary, index)), past) for past in found]
    alike = [pair for pair in alike if pair[0] >= _LEAST_LIKENESS]
    # However many questions a pack has: none takes the place of one that was accepted here.
    alike.sort(key=lambda pair: (pair[1].pack is not None, -pair[0]))
    recalled: list[Recalled] = []
    for how_much, past in alike:
        if len(recalled) == _MOST_USED:
            break
        one = _holding(past, how_much, verifier)
        if one is not None:
            recalled.append(one)
    return tuple(recalled)


def shares(recalled: Sequence[Recalled]) -> dict[str, float]:
    """What each option that past answers name has for it: how alike the nearest of their questions is."""
    votes: dict[str, float] = {}
    for one in recalled:
        for name in one.names[:_MOST_NAMES]:
            votes[name] = max(votes.get(name, 0.0), one.likeness)
    return votes


def as_passage(recalled: Recalled) -> Found | None:
    """A past answer as a passage for the prompt, shortened by whole sentences and code blocks; None if none fits."""
    past = recalled.past
    question = " ".join(past.question.split())
    if len(question) > _LONGEST_QUESTION:
        question = f"{question[: _LONGEST_QUESTION - 1]}…"
    answer = ""
    for segment in recalled.segments:
        if len(answer) + len(segment.text) > _LONGEST_ANSWER:
            answer += "…" if answer else ""
            break
        answer += segment.text + segment.closing
    if not answer.strip():
        return None
    return Found(
        id=0,
        kind="past",
        title=question,
        anchor="",
        body=answer.strip(),
        options=recalled.names,
        file=f"exchange {past.id}",
        score=recalled.likeness,
        pack=past.pack,
    )


def by_id(passages: Sequence[Found]) -> list[Found]:
    """Past answers as sources name them: by the exchange's id, since a source outlives a question that is forgotten."""
    return [replace(passage, title=passage.file, file="") for passage in passages]


def _holding(past: Past, how_much: float, verifier: Verifier) -> Recalled | None:
    """The past answer, when nothing in it is wrong on this NixOS and it gives no orders to the model."""
    if looks_like_injection(f"{past.question}\n{past.answer}"):
        return None
    segmenter = Segmenter()
    segments = (*segmenter.feed(past.answer), *segmenter.flush())
    names: dict[str, None] = {}
    before = ""
    for segment in segments:
        checked = verifier.check(segment, before)
        if any(finding.is_error for finding in checked.findings):
            return None
        names.update(dict.fromkeys(checked.names_ok))
        before += segment.text
    return Recalled(past, how_much, tuple(names), segments)
