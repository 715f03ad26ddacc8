"""What a server with OpenAI's API says of its models, and the vectors that it makes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nix_trinity.engines.definitions import weights_of
from nix_trinity.engines.protocol import InstalledModel


@dataclass(frozen=True, slots=True)
class Served:
    """The models that a server lists, with the longest context of each, in tokens; None where it does not say."""

    models: Mapping[str, int | None]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self.models)

    def has(self, name: str) -> bool:
        """Whether the model is there."""
        return _key(name) in {_key(one) for one in self.models}

    def context_length(self, name: str) -> int | None:
        """The longest context of a model, in tokens; None where it is not said."""
        return next((length for one, length in self.models.items() if _key(one) == _key(name)), None)

    def installed(self, url: str) -> list[InstalledModel]:
        """See :meth:`nix_trinity.engines.protocol.Engine.list_models`: such a server has no digest but the name."""
        return [
            InstalledModel(name, f"sha256:{hashlib.sha256(weights_of(name, url).encode()).hexdigest()}", 0)
            for name in self.models
        ]


def read_served(answer: Mapping[str, Any]) -> Served:
    """Read an answer of ``/v1/models``.

    :raises ValueError: it is not of that form.
    """
    listed = answer.get("data", answer.get("models"))
    if not isinstance(listed, list):
        raise ValueError("a list of models without models")  # noqa: TRY004 (the protocol is at fault)
    models: dict[str, int | None] = {}
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str) or not one["id"]:
            raise ValueError("a model without a name")
        models[one["id"]] = _context_length(one)
    return Served(models)


def _context_length(listed: Mapping[str, Any]) -> int | None:
    """vLLM says max_model_len; others say nothing, or what the weights were made for rather than what they are run with."""
    length = listed.get("max_model_len")
    return length if isinstance(length, int) and length > 0 else None


def read_vectors(answer: Mapping[str, Any], expected: int) -> list[list[float]]:
    """Read an answer of ``/v1/embeddings``; its vectors may come in any order.

    :raises ValueError: it is not of that form, or not one vector of one length for each text.
    """
    listed = answer.get("data")
    if not isinstance(listed, list) or len(listed) != expected:
        raise ValueError(f"not {expected} vectors")
    vectors: dict[int, list[float]] = {}
    for place, one in enumerate(listed):
        vector = one.get("embedding") if isinstance(one, dict) else None
        if not isinstance(vector, list) or not vector or not all(_is_number(number) for number in vector):
            raise ValueError("a vector that is no list of numbers")
        index = one.get("index", place)
        vectors[index if isinstance(index, int) else place] = [float(number) for number in vector]
    if sorted(vectors) != list(range(expected)):
        raise ValueError("vectors of which nobody knows whose they are")
    if len({len(vector) for vector in vectors.values()}) > 1:
        raise ValueError("vectors of different lengths from one model")
    return [vectors[place] for place in range(expected)]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _key(name: str) -> str:
    return name.lower().removesuffix(":latest")
