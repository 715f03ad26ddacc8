"""Gather the options that may be meant, in several ways, with what each way says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nix_trinity.answering.retriever.features import Hints, WeighedTerm
from nix_trinity.answering.retriever.query import Query
from nix_trinity.knowledge.corpus.search import IndexReader

_BY_TEXT = 35
_BY_MAIN_TEXT = 30
_BY_GROUP = 16
_OF_GROUP = 4
_MOST_STEMS = 10
_AROUND_NAME = " \t\r\n`'\"‘’“”?!,;:="
_LONGEST_NAME = 300
# Below the name itself, above what shares a parent further up only.
_RELATIVE = 0.3
_MOST_NAMED = 12
_MAIN_NAMES = 2
_LESSER_SHARE = 0.6


class Pool:
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


def current_name(index: IndexReader, name: str, old_names: Mapping[str, str]) -> str:
    """What an option is called here: its own name, or what a release made of it or of a set that it stood in."""
    if index.options_named(name):
        return name
    if known := index.successor(name):
        return known
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if new := old_names.get(".".join(parts[:length])):
            return ".".join([new, *parts[length:]])
    return name


def named_by(index: IndexReader, question: str, old_names: Mapping[str, str]) -> list[int]:
    """The options of the name that the question consists of; of the new name when a release renamed it."""
    for name in dict.fromkeys((question.strip(), question.strip(_AROUND_NAME).removeprefix("config."))):
        if 0 < len(name) <= _LONGEST_NAME:
            found = index.options_named(current_name(index, name, old_names))
            if found:
                return found
    return []


def said_in(index: IndexReader, question: str, query: Query) -> list[int]:
    """The options whose very names the person wrote; those in a pasted error need not be at fault."""
    if query.pasted == question:
        return []
    return [number for name in query.names if name in question for number in index.options_named(name)]


def add_by_name(index: IndexReader, query: Query, pool: Pool, old_names: Mapping[str, str]) -> None:
    """The options whose names stand in the question or in an error, and what is nearest to those."""
    for name in query.names:
        parts = current_name(index, name, old_names).split(".")
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


def add_relatives(index: IndexReader, asked: Sequence[int], pool: Pool) -> None:
    """What stands beside and right below an option: who names it needs no search by words."""
    for candidate in index.candidates(asked):
        name = candidate.option.name
        sets = [one for one in (f"{name}.<name>", f"{name}.*", name, candidate.group) if one]
        for numbers in index.options_of(sets, limit=_OF_GROUP).values():
            for number in numbers:
                pool.add(number, named=_RELATIVE)


def add_by_text(index: IndexReader, terms: Sequence[WeighedTerm], pool: Pool) -> None:
    """The options that full-text search finds: by all their text, on the upper levels, and by their sets."""
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


def vote(index: IndexReader, pool: Pool, names: Sequence[str], **said: float) -> None:
    """Add the options that a note, the manual or a past answer names."""
    for place, name in enumerate(names[:_MOST_NAMED]):
        # What a text names first is what it is about.
        share = 1.0 if place < _MAIN_NAMES else _LESSER_SHARE
        for number in nearest_named(index, name):
            pool.children.setdefault(number, name)
            pool.add(number, **{what: value * share for what, value in said.items()})


def nearest_named(index: IndexReader, name: str) -> list[int]:
    """The options of a name, or of its nearest parent: a freeform child is not in the list."""
    parts = name.split(".")
    lengths = range(len(parts), min(len(parts), 2) - 1, -1)
    return next((found for n in lengths if (found := index.options_named(".".join(parts[:n])))), [])


def _most_telling(terms: Sequence[WeighedTerm]) -> list[str]:
    """The stems to search for: common ones cost time and tell nothing, so the rarest are enough."""
    values: dict[str, float] = {}
    for term in terms:
        for one, value in term.values:
            values[one] = max(values.get(one, 0.0), value)
    return sorted(values, key=lambda one: -values[one])[:_MOST_STEMS]
