"""From a question to what its answer is grounded in: gather candidates in several ways, then rank them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.retriever.candidates import (
    Pool,
    add_by_name,
    add_by_text,
    add_relatives,
    named_by,
    nearest_named,
    said_in,
    vote,
)
from nix_trinity.answering.retriever.children import with_children
from nix_trinity.answering.retriever.features import Judge, Ranked, WeighedTerm, confidence_features
from nix_trinity.answering.retriever.query import Query, analyse
from nix_trinity.answering.retriever.ranking import Ranking
from nix_trinity.answering.retriever.vocabulary import Vocabulary
from nix_trinity.knowledge.corpus.finds import Candidate, Found
from nix_trinity.knowledge.corpus.search import IndexReader
from nix_trinity.knowledge.corpus.words import stems

_MOST_NOTES = 4
_MOST_MANUAL = 4
_MOST_CANDIDATES = 320
# Cross-validated on our own questions (python -m bench.retrieval --fit): of those with a right option among the first
# five 97 % reach the one and 59 % the other; of all others 70 % and 34 %.
_MAY_ANSWER = 0.2
_WILL_ANSWER = 0.5
# BM25 below which a note only shares a common word with the question.
_LEAST_NOTE_SCORE = 4.0
# How well a note fits that says itself that this is how one asks for it.
_ASKED_FIT = 0.9
_LEAST_ASKED_TERMS = 2
_LONGEST_ASKED = 40


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was found: options and notes best first."""

    query: Query
    options: tuple[Ranked, ...] = ()
    notes: tuple[Found, ...] = ()
    manual: tuple[Found, ...] = ()
    likely: float = 0.0
    """How likely an option that answers is among the first five, from 0 to 1."""

    @property
    def confident(self) -> bool:
        """Whether an option may well answer; else the search says that nothing clearly fits."""
        return self.likely >= _MAY_ANSWER

    @property
    def sure(self) -> bool:
        """Whether it is more likely than not that an option answers."""
        return self.likely >= _WILL_ANSWER

    @property
    def about_error(self) -> bool:
        """Whether an error was pasted: then notes lead, and settings follow from them."""
        return bool(self.query.pasted)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Candidates with their features, notes and passages of the manual, before the options are ranked."""

    query: Query
    terms: Sequence[WeighedTerm]
    judged: Sequence[tuple[Candidate, dict[str, float]]]
    notes: tuple[Found, ...]
    manual: tuple[Found, ...]
    first: tuple[int, ...]
    """The options that lead: those that the question names, or that of the note that it is asked by."""
    meant: frozenset[str]
    """Names that are surely meant: those that the person wrote, and that of the note which is asked so."""
    is_name: bool
    """Whether the question is nothing but an option's name."""
    children: Mapping[str, str]
    """By the name of an option: a longer name that the question or a note gives, perhaps a setting below it."""


class Retriever:
    """Everything a search needs besides the index."""

    def __init__(self, vocabulary: Vocabulary, ranking: Ranking, old_names: Mapping[str, str] | None = None) -> None:
        """``old_names`` are options' or sets' names of earlier releases, each with today's."""
        self.vocabulary = vocabulary
        self._old_names = old_names or {}
        self._ranking = ranking

    @property
    def weights(self) -> Mapping[str, float]:
        """What each feature counts."""
        return self._ranking.weights

    @property
    def confidence(self) -> Mapping[str, float]:
        """What speaks for an option answering at all."""
        return self._ranking.confidence

    def retrieve(
        self,
        index: IndexReader,
        question: str,
        attachment: str = "",
        *,
        limit: int = 20,
        near: Sequence[int] = (),
        past: Mapping[str, float] | None = None,
    ) -> Retrieved:
        """Search. ``near`` are options whose vectors are nearest; ``past`` names that past answers had.

        Call it in the index's thread (``Corpus.read``).
        """
        found = self.gather(index, question, attachment, near=near, past=past or {})
        ranked = self.ranked(found.judged, first=found.first)
        likely = self._ranking.likelihood(confidence_features(found.query, ranked)) if ranked else 0.0
        if found.is_name:
            likely = 1.0
        options = with_children(ranked[:limit], found.children, found.meant)
        return Retrieved(found.query, tuple(options[:limit]), found.notes, found.manual, likely)

    def gather(
        self,
        index: IndexReader,
        question: str,
        attachment: str,
        *,
        near: Sequence[int] = (),
        past: Mapping[str, float] | None = None,
    ) -> Gathered:
        """Everything that was found, not yet ranked."""
        question, attachment = _encodable(question), _encodable(attachment)
        query = analyse(
            question,
            attachment,
            vocabulary=self.vocabulary,
            known=lambda stems: index.frequencies(stems),
            nearest=lambda word: index.nearest_words(word),
            is_error=not attachment.strip() and bool(index.passages.notes_triggered(question, own=True)),
        )
        terms = weighed(query, index)
        asked_by = _asked_by(index, query, question)
        notes = self._notes(index, query, asked_by)
        manual = index.passages.by_text(query.stems, kind="manual", limit=_MOST_MANUAL)
        pool = Pool()
        asked = [] if attachment.strip() else named_by(index, question, self._old_names)
        for number in asked:
            pool.add(number, named=1.0)
        add_by_name(index, query, pool, self._old_names)
        for note, fit in notes:
            vote(index, pool, _votes(index, note), note=fit)
        for passage in manual[:2]:
            vote(index, pool, passage.options, manual=1.0)
        for name, share in (past or {}).items():
            vote(index, pool, (name,), past=share)
        for rank, number in enumerate(near):
            pool.add(number, vector_rank=rank)
        if asked:
            add_relatives(index, asked, pool)
        else:
            add_by_text(index, terms, pool)
        candidates = index.candidates(list(pool.hints)[:_MOST_CANDIDATES])
        judge = Judge(query, terms)
        judged = [(candidate, judge.features(candidate, pool.hints[candidate.id])) for candidate in candidates]
        # A note with several options says which of them when; one with a single option has it for an answer.
        led_to = nearest_named(index, asked_by.options[0]) if asked_by and len(asked_by.options) == 1 else []
        first = asked or led_to or said_in(index, question, query)
        meant = frozenset((*query.names, *(asked_by.options if asked_by else ())))
        children = {one.option.name: pool.children[one.id] for one in candidates if one.id in pool.children}
        return Gathered(
            query,
            terms,
            judged,
            tuple(note for note, _ in notes),
            tuple(manual),
            first=tuple(first),
            meant=meant,
            is_name=bool(asked),
            children=children,
        )

    def ranked(
        self, gathered: Sequence[tuple[Candidate, dict[str, float]]], *, first: Sequence[int] = ()
    ) -> list[Ranked]:
        """All candidates, best first; those of the numbers ``first`` before all others."""
        judged = [
            (candidate.id not in first, Ranked(candidate.option, self._ranking.score(values), values))
            for candidate, values in gathered
        ]
        judged.sort(key=lambda pair: (pair[0], -pair[1].score, len(pair[1].option.path), pair[1].option.name))
        return [ranked for _, ranked in judged]

    def _notes(self, index: IndexReader, query: Query, asked_by: Found | None) -> list[tuple[Found, float]]:
        """Notes with how well they fit: a trigger in the pasted text is certain, a shared word is not."""
        triggered = index.passages.notes_triggered(query.pasted) if query.pasted else []
        found = {note.id: (note, 1.0 if rank == 0 else 0.7) for rank, note in enumerate(triggered[:2])}
        if asked_by is not None:
            found.setdefault(asked_by.id, (asked_by, _ASKED_FIT))
        by_text = index.passages.by_text(query.stems, kind="note", limit=_MOST_NOTES)
        for rank, note in enumerate(by_text):
            if note.score >= _LEAST_NOTE_SCORE:
                found.setdefault(note.id, (note, min(note.score / 25, 0.9) / (1 + rank)))
        usable = [pair for pair in found.values() if pair[0].pack is None or not looks_like_injection(pair[0].body)]
        return usable[:_MOST_NOTES]


def _votes(index: IndexReader, note: Found) -> Sequence[str]:
    """The options that a note speaks for; a pack's note can only speak for those that the lists of this system have."""
    return note.options if note.pack is None else [name for name in note.options if index.options_named(name)]


def _encodable(text: str) -> str:
    # A lone surrogate is no character, and SQLite takes none.
    return text.encode("utf-8", "replace").decode()


def _asked_by(index: IndexReader, query: Query, question: str) -> Found | None:
    """The note that has the whole question among its ways of asking; a single word is in too many."""
    if query.pasted or len(query.terms) < _LEAST_ASKED_TERMS:
        return None
    return next(iter(index.passages.notes_asked(stems(question)[:_LONGEST_ASKED], limit=1)), None)


def weighed(query: Query, index: IndexReader) -> list[WeighedTerm]:
    """How much each term tells, from 0 to 1: the inverse document frequency of its stems.

    The formula is BM25's (Robertson and Zaragoza 2009, equation 3.3), divided by its greatest value. A term of
    which no stem is in the index is left out: no option can match it.
    """
    count = max(index.count(), 2)
    frequencies = index.frequencies(query.stems)
    most = math.log((count + 0.5) / 1.5)

    def rarity(one: str) -> float:
        often = frequencies[one]
        return max(math.log((count - often + 0.5) / (often + 0.5)), 0.05) / most

    terms = []
    for term in query.terms:
        shares = [(term.stem, 1.0), *term.variants]
        values = [(one, share * rarity(one) * term.factor) for one, share in shares if one in frequencies]
        if values:
            values.sort(key=lambda pair: -pair[1])
            stems = frozenset(one for one, _ in values)
            terms.append(WeighedTerm(term.stem, values[0][1], tuple(values), stems))
    return terms
