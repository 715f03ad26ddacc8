"""From a question to what its answer is grounded in: gather candidates in several ways, then rank them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nix_trinity.answering.retriever.children import with_children
from nix_trinity.answering.retriever.features import Hints, Ranked, WeighedTerm, confidence_features, features
from nix_trinity.answering.retriever.query import Query, analyse
from nix_trinity.answering.retriever.ranking import Ranking
from nix_trinity.answering.retriever.vocabulary import Vocabulary
from nix_trinity.knowledge.corpus.search import Candidate, Found, IndexReader
from nix_trinity.knowledge.corpus.words import stems

_BY_TEXT = 80
_BY_MAIN_TEXT = 60
_BY_GROUP = 30
_OF_GROUP = 6
_MOST_NOTES = 4
_MOST_MANUAL = 4
_MOST_CANDIDATES = 320
_MOST_STEMS = 20
_AROUND_NAME = " \t\r\n`'\"‘’“”?!,;:="
_LONGEST_NAME = 300
# Below the name itself, above what shares a parent further up only.
_RELATIVE = 0.3
_MOST_NAMED = 12
# Cross-validated on our own questions (python -m bench.retrieval --fit): of those with a right option among the first
# five 99 % reach the one and 58 % the other; of all others 69 % and 36 %.
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
    is_name: bool
    """Whether the question is nothing but an option's name."""
    children: Mapping[str, str]
    """By the name of an option: a longer name that the question or a note gives, perhaps a setting below it."""


class _Pool:
    """Candidates, gathered with what each search said of them."""

    def __init__(self) -> None:
        self.hints: dict[int, Hints] = {}
        self.children: dict[int, str] = {}

    def add(self, number: int, **said: float) -> None:
        """Note what a search says: the best rank and the strongest vote count."""
        hints = self.hints.setdefault(number, Hints())
        for name, value in said.items():
            old = getattr(hints, name)
            if name.endswith("_rank"):
                setattr(hints, name, value if old is None else min(old, value))
            else:
                setattr(hints, name, max(old, value))


class Retriever:
    """Everything a search needs besides the index."""

    def __init__(self, vocabulary: Vocabulary, ranking: Ranking) -> None:
        self.vocabulary = vocabulary
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
        options = with_children(ranked[:limit], found.children)
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
            is_error=not attachment.strip() and bool(index.notes_triggered(question)),
        )
        terms = weighed(query, index)
        asked_by = _asked_by(index, query, question)
        notes = self._notes(index, query, asked_by)
        manual = index.passages_by_text(query.stems, kind="manual", limit=_MOST_MANUAL)
        pool = _Pool()
        asked = [] if attachment.strip() else _asked_for(index, question)
        for number in asked:
            pool.add(number, named=1.0)
        self._by_name(index, query, pool)
        for note, fit in notes:
            _vote(index, pool, note.options, note=fit)
        for passage in manual[:2]:
            _vote(index, pool, passage.options, manual=1.0)
        for name, share in (past or {}).items():
            _vote(index, pool, (name,), past=share)
        for rank, number in enumerate(near):
            pool.add(number, vector_rank=rank)
        if asked:
            _add_relatives(index, asked, pool)
        else:
            _add_by_text(index, terms, pool)
        candidates = index.candidates(list(pool.hints)[:_MOST_CANDIDATES])
        judged = [(candidate, features(query, terms, candidate, pool.hints[candidate.id])) for candidate in candidates]
        # A note with several options says which of them when; one with a single option has it for an answer.
        led_to = _nearest_named(index, asked_by.options[0]) if asked_by and len(asked_by.options) == 1 else []
        first = asked or led_to or _said_in(index, question, query)
        children = {one.option.name: pool.children[one.id] for one in candidates if one.id in pool.children}
        return Gathered(
            query, terms, judged, tuple(note for note, _ in notes), tuple(manual), tuple(first), bool(asked), children
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
        triggered = index.notes_triggered(query.pasted) if query.pasted else []
        found = {note.id: (note, 1.0 if rank == 0 else 0.7) for rank, note in enumerate(triggered[:2])}
        if asked_by is not None:
            found.setdefault(asked_by.id, (asked_by, _ASKED_FIT))
        by_text = index.passages_by_text(query.stems, kind="note", limit=_MOST_NOTES)
        for rank, note in enumerate(by_text):
            if note.score >= _LEAST_NOTE_SCORE:
                found.setdefault(note.id, (note, min(note.score / 25, 0.9) / (1 + rank)))
        return list(found.values())[:_MOST_NOTES]

    def _by_name(self, index: IndexReader, query: Query, pool: _Pool) -> None:
        for name in query.names:
            parts = (index.successor(name) or name).split(".")
            # The name itself; else the nearest parent that is one: nix.settings.x stands below nix.settings.
            for length in range(len(parts), 0, -1):
                shorter = ".".join(parts[:length])
                numbers = index.options_named(shorter) or index.options_of([shorter], limit=_OF_GROUP)[shorter]
                for place, number in enumerate(numbers):
                    pool.add(number, named=(length / len(parts)) ** 2 * (1.0 if place == 0 else 0.6))
                    if length < len(parts):
                        pool.children.setdefault(number, ".".join(parts))
                if numbers:
                    break


def _encodable(text: str) -> str:
    # A lone surrogate is no character, and SQLite takes none.
    return text.encode("utf-8", "replace").decode()


def _asked_for(index: IndexReader, question: str) -> list[int]:
    """The options of the name that the question consists of; of the new name when a release renamed it."""
    for name in dict.fromkeys((question.strip(), question.strip(_AROUND_NAME).removeprefix("config."))):
        if 0 < len(name) <= _LONGEST_NAME:
            found = index.options_named(name) or index.options_named(index.successor(name) or name)
            if found:
                return found
    return []


def _said_in(index: IndexReader, question: str, query: Query) -> list[int]:
    """The options whose very names the person wrote; those in a pasted error need not be at fault."""
    if query.pasted == question:
        return []
    return [number for name in query.names if name in question for number in index.options_named(name)]


def _asked_by(index: IndexReader, query: Query, question: str) -> Found | None:
    """The note that has the whole question among its ways of asking; a single word is in too many."""
    if query.pasted or len(query.terms) < _LEAST_ASKED_TERMS:
        return None
    return next(iter(index.notes_asked(stems(question)[:_LONGEST_ASKED], limit=1)), None)


def _add_relatives(index: IndexReader, asked: Sequence[int], pool: _Pool) -> None:
    """What stands beside and right below an option: who names it needs no search by words."""
    for candidate in index.candidates(asked):
        name = candidate.option.name
        sets = [one for one in (f"{name}.<name>", f"{name}.*", name, candidate.group) if one]
        for numbers in index.options_of(sets, limit=_OF_GROUP).values():
            for number in numbers:
                pool.add(number, named=_RELATIVE)


def _add_by_text(index: IndexReader, terms: Sequence[WeighedTerm], pool: _Pool) -> None:
    telling = _most_telling(terms)
    by_text, main = index.options_by_text(telling, limit=_BY_TEXT, main_limit=_BY_MAIN_TEXT)
    for rank, number in enumerate(by_text):
        pool.add(number, text_rank=rank)
    for rank, number in enumerate(main):
        pool.add(number, main_rank=rank)
    of_groups = index.options_of(index.groups_by_text(telling, limit=_BY_GROUP), limit=_OF_GROUP)
    for rank, numbers in enumerate(of_groups.values()):
        for number in numbers:
            pool.add(number, group_rank=rank)


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


def _most_telling(terms: Sequence[WeighedTerm]) -> list[str]:
    """The stems to search for: common ones cost time and tell nothing, so the rarest are enough."""
    values: dict[str, float] = {}
    for term in terms:
        for one, value in term.values:
            values[one] = max(values.get(one, 0.0), value)
    return sorted(values, key=lambda one: -values[one])[:_MOST_STEMS]


def _vote(index: IndexReader, pool: _Pool, names: Sequence[str], **said: float) -> None:
    # All count the same: a note lists its options by the alphabet.
    for name in names[:_MOST_NAMED]:
        for number in _nearest_named(index, name):
            pool.children.setdefault(number, name)
            pool.add(number, **said)


def _nearest_named(index: IndexReader, name: str) -> list[int]:
    """The options of a name, or of its nearest parent: a freeform child is not in the list."""
    parts = name.split(".")
    lengths = range(len(parts), min(len(parts), 2) - 1, -1)
    return next((found for n in lengths if (found := index.options_named(".".join(parts[:n])))), [])
