"""The fitted weights of the features, and the score they give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nix_trinity.catalogue import read_toml
from nix_trinity.errors import CatalogueError

FILE_NAME = "ranking.toml"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    weights: dict[str, float]
    confidence: dict[str, float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """``weights`` rank the options; ``confidence`` says whether the best of them answer the question at all."""

    weights: Mapping[str, float]
    confidence: Mapping[str, float]

    def likelihood(self, features: Mapping[str, float]) -> float:
        """How likely an option that answers is among the first five, from 0 to 1 (logistic regression)."""
        return 1 / (1 + math.exp(-self.confidence.get("bias", 0.0) - _sum(self.confidence, features)))

    def score(self, features: Mapping[str, float]) -> float:
        """The sum of the features, each times its weight; a feature without one counts nothing."""
        return _sum(self.weights, features)


def load_ranking(path: Path) -> Ranking:
    """Read the weights.

    :raises CatalogueError: the file is not there or does not have its form.
    """
    try:
        file = msgspec.convert(read_toml(path), _File)
    except msgspec.ValidationError as error:
        raise CatalogueError(
            f"{path}: the ranking cannot be used: {error}.", "Install NixTrinity anew: this file is part of it."
        ) from error
    return Ranking(file.weights, file.confidence)


def _sum(weights: Mapping[str, float], features: Mapping[str, float]) -> float:
    return sum([weights.get(name, 0.0) * value for name, value in features.items() if value])
