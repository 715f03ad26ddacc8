"""The fitted weights of the features, and the score they give."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nix_trinity.errors import CatalogueError

FILE_NAME = "ranking.toml"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    threshold: float
    weights: dict[str, float]


@dataclass(frozen=True, slots=True)
class Ranking:
    """``threshold``: an option that scores less is not said to answer the question."""

    weights: Mapping[str, float]
    threshold: float

    def score(self, features: Mapping[str, float]) -> float:
        """The sum of the features, each times its weight; a feature without one counts nothing."""
        weights = self.weights
        return sum([weights.get(name, 0.0) * value for name, value in features.items() if value])


def load_ranking(path: Path) -> Ranking:
    """Read the weights.

    :raises CatalogueError: the file is not there or does not have its form.
    """
    try:
        file = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogueError(
            f"{path}: the ranking cannot be used: {error}.", "Install NixTrinity anew: this file is part of it."
        ) from error
    return Ranking(file.weights, file.threshold)
