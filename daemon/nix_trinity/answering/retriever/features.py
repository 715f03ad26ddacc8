"""What speaks for an option as the answer, in numbers that a person can check.

Each feature lies between 0 and about 1. How much each counts is fitted on labelled questions and kept in
``modelfiles/ranking.toml``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from nix_trinity.answering.retriever.query import Query
from nix_trinity.knowledge.corpus.finds import Candidate
from nix_trinity.knowledge.options import Option

# Stems that nearly every name has: they tell nothing of what an option is about.
_EMPTY = frozenset(("servic", "program", "enabl", "set", "config", "extra", "option", "name"))
# What most services have and a question rarely means unless it says so.
_PLUMBING = frozenset(
    ("package", "user", "group", "dataDir", "stateDir", "configFile", "environmentFile", "extraOptions", "extraArgs")
)
_CORE = frozenset(
    [
        "boot",
        "console",
        "documentation",
        "environment",
        "fileSystems",
        "fonts",
        "hardware",
        "i18n",
        "networking",
        "nix",
        "nixpkgs",
        "powerManagement",
        "programs",
        "qt",
        "security",
        "swapDevices",
        "system",
        "systemd",
        "time",
        "users",
        "virtualisation",
        "xdg",
        "zramSwap",
        "location",
    ]
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """An option, how well it fits, and why."""

    option: Option
    score: float
    features: Mapping[str, float]


@dataclass(slots=True)
class Hints:
    """What the searches say of one option; ranks count from 0, None where it was not among the finds."""

    text_rank: int | None = None
    main_rank: int | None = None
    group_rank: int | None = None
    vector_rank: int | None = None
    note: float = 0.0
    """How well a note that names it fits, from 0 to 1."""
    manual: float = 0.0
    past: float = 0.0
    named: float = 0.0
    """1 when the question has its very name, less for one that is near."""


@dataclass(frozen=True, slots=True)
class WeighedTerm:
    """A term with what each of its stems is worth where it is found, the most first."""

    stem: str
    importance: float
    values: tuple[tuple[str, float], ...]
    stems: frozenset[str]

    def found_in(self, stems: Set[str]) -> float:
        """What the best of its stems among ``stems`` is worth."""
        if self.stems.isdisjoint(stems):
            return 0.0
        for one, value in self.values:
            if one in stems:
                return value
        return 0.0


@functools.lru_cache(maxsize=1 << 14)
def _of_path(path: tuple[str, ...]) -> dict[str, float]:
    """What an option's path alone says."""
    return {
        "depth": min(max(len(path) - 2, 0), 5) / 5,
        "placeholder": float(any(part.startswith("<") or part == "*" for part in path)),
        "enable": float(path[-1] == "enable"),
        "core": float(path[0] in _CORE),
        "program": float(path[0] == "programs"),
        "plumbing": float(path[-1] in _PLUMBING),
    }


class Judge:
    """Judges the candidates for one question."""

    def __init__(self, query: Query, terms: Sequence[WeighedTerm]) -> None:
        self._terms = terms
        self._turns_on = query.turns_on
        self._said = frozenset(term.stem for term in terms)
        self._meant = frozenset(one for term in terms for one in term.stems)
        self._whole = sum(term.importance for term in terms) or 1.0
        self._rarest = max((term.importance for term in terms), default=0.0)

    def features(self, candidate: Candidate, hints: Hints) -> dict[str, float]:
        """What speaks for one candidate."""
        said, meant, whole = self._said, self._meant, self._whole
        name, last = candidate.name_stems, candidate.last_stems
        set_words = candidate.set_stems - _EMPTY
        own = name - _EMPTY
        in_name = name_said = in_last = in_set = in_summary = in_either = name_best = rarest = 0.0
        for term in self._terms:
            there = term.found_in(name)
            described = term.found_in(candidate.summary_stems)
            if there:
                in_name += there
                in_last += term.found_in(last)
                in_set += term.found_in(set_words)
                name_best = max(name_best, there)
                name_said += term.importance if term.stem in name else 0.0
            if there or described:
                in_summary += described
                in_either += max(there, described)
                if term.importance == self._rarest:
                    rarest = max(rarest, there, 0.5 * described)
        of_path = _of_path(candidate.option.path)
        enable = of_path["enable"]
        set_whole = bool(set_words) and set_words <= meant
        explained = len(own & meant) / len(own) if own else 0.0
        return {
            **of_path,
            "name": in_name / whole,
            "name_said": name_said / whole,
            "name_best": name_best,
            "last": in_last / whole,
            "set": in_set / whole,
            "summary": in_summary / whole,
            "either": in_either / whole,
            "explained": explained,
            "explained_said": len(own & said) / len(own) if explained else 0.0,
            "set_whole": float(set_whole),
            "set_said": float(set_whole and set_words <= said),
            "rarest": rarest,
            "enable_asked": enable * self._turns_on,
            "enable_whole": enable * set_whole,
            "plumbing": 0.0 if last & said else of_path["plumbing"],
            "mentions": min(math.log1p(candidate.mentions) / 4, 1.0),
            "text": _reciprocal(hints.text_rank),
            "main_text": _reciprocal(hints.main_rank),
            "group": _reciprocal(hints.group_rank),
            "vector": _reciprocal(hints.vector_rank),
            "note": hints.note,
            "manual": hints.manual,
            "past": hints.past,
            "named": hints.named,
        }


_CONFIDENCE = ("rarest", "name_best", "explained", "note", "mentions", "set_whole", "text")


def confidence_features(query: Query, ranked: Sequence[Ranked]) -> dict[str, float]:
    """What speaks for the best options answering the question at all; nothing of how long or in what style it is."""
    if not ranked:
        return {}
    best = ranked[0]
    shares = {name: best.features[name] for name in _CONFIDENCE}
    return {"score": best.score / 10, "asks_what": float(query.asks_what), **shares}


def _reciprocal(rank: int | None) -> float:
    # As in reciprocal rank fusion, with a small constant, since only the first few finds say much.
    return 0.0 if rank is None else 5 / (5 + rank)
