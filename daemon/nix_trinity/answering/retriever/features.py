"""What speaks for an option as the answer, in numbers that a person can check.

Each feature lies between 0 and about 1. How much each counts is fitted on labelled questions and kept in
``modelfiles/ranking.toml``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nix_trinity.answering.retriever.query import Query
from nix_trinity.knowledge.corpus.search import Candidate
from nix_trinity.knowledge.corpus.words import attribute_words, stem

# Words that nearly every name has: they tell nothing of what an option is about.
_EMPTY = frozenset(
    stem(word) for word in ("services", "programs", "enable", "settings", "config", "extra", "options", "name")
)
# What most services have and a question rarely means unless it says so.
_PLUMBING = frozenset(
    ("package", "user", "group", "dataDir", "stateDir", "configFile", "environmentFile", "extraOptions", "extraArgs")
)
_CORE = frozenset(
    "boot console documentation environment fileSystems fonts hardware i18n networking nix nixpkgs powerManagement"
    " programs qt security swapDevices system systemd time users virtualisation xdg zramSwap location".split()
)


@dataclass(frozen=True, slots=True)
class Hints:
    """What the searches say of one option; ranks count from 0, None where it was not among the finds."""

    text_rank: int | None = None
    group_rank: int | None = None
    vector_rank: int | None = None
    note: float = 0.0
    """How well a note that names it fits, from 0 to 1."""
    manual: float = 0.0
    past: float = 0.0
    named: float = 0.0
    """1 when the question has its very name, less for one that is near."""


def features(query: Query, weights: Mapping[str, float], candidate: Candidate, hints: Hints) -> dict[str, float]:
    """The features of one candidate. ``weights`` are the terms' own: how rare each is in the index."""
    path = candidate.option.path
    name = set(candidate.name_stems)
    last = {stem(word) for word in attribute_words(path[-1])}
    set_words = _stems(path[:-1]) - _EMPTY
    matched = {term.stem: term.match(name) for term in query.terms}
    summary = {term.stem: term.match(candidate.summary_stems) for term in query.terms}
    own = name - _EMPTY
    whole = sum(weights.get(term.stem, 0.0) for term in query.terms) or 1.0

    def covered(by: Mapping[str, float]) -> float:
        return sum(weights.get(one, 0.0) * share for one, share in by.items()) / whole

    asked = {one for term in query.terms for one in term.stems}
    direct = {term.stem for term in query.terms}
    explained = len(own & asked) / len(own) if own else 0.0
    rarest = max(query.terms, key=lambda term: weights.get(term.stem, 0.0), default=None)
    core = path[0] in _CORE
    is_enable = path[-1] == "enable"
    return {
        "name": covered(matched),
        "name_said": covered({one: float(one in name) for one in direct}),
        "last": covered({term.stem: term.match(last) for term in query.terms}),
        "set": covered({term.stem: term.match(set_words) for term in query.terms}),
        "summary": covered(summary),
        "either": covered({one: max(matched[one], summary[one]) for one in matched}),
        "explained": explained,
        "set_whole": float(bool(set_words) and set_words <= asked),
        "set_said": float(bool(set_words) and set_words <= direct),
        "rarest": max(matched[rarest.stem], 0.5 * summary[rarest.stem]) if rarest is not None else 0.0,
        "depth": min(max(len(path) - 2, 0), 5) / 5,
        "placeholder": float(any(part.startswith("<") or part == "*" for part in path)),
        "enable": float(is_enable),
        "enable_asked": float(is_enable and query.turns_on),
        "enable_whole": float(is_enable and bool(set_words) and set_words <= asked),
        "core": float(core),
        "program": float(path[0] == "programs"),
        "plumbing": float(path[-1] in _PLUMBING and not last & direct),
        "mentions": min(math.log1p(candidate.mentions) / 4, 1.0),
        "text": _reciprocal(hints.text_rank),
        "group": _reciprocal(hints.group_rank),
        "vector": _reciprocal(hints.vector_rank),
        "note": hints.note,
        "manual": hints.manual,
        "past": hints.past,
        "named": hints.named,
    }


def _reciprocal(rank: int | None) -> float:
    # As in reciprocal rank fusion, with a small constant, since only the first few finds say much.
    return 0.0 if rank is None else 5 / (5 + rank)


def _stems(path: Sequence[str]) -> set[str]:
    return {stem(word) for attribute in path for word in attribute_words(attribute)}
