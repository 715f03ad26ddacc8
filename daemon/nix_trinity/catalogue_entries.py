"""The entries of ``modelfiles/catalogue.toml`` and what is made of them, with their units.

``download_gb`` is in 10^9 bytes, as Ollama's library shows it; everything called GiB is 2^30 bytes; ``num_ctx`` and
``max_ctx`` are tokens. Where the figures come from is written in the catalogue itself.
"""

from __future__ import annotations

from typing import Final

import msgspec

_GIB: Final = 2**30
_BATCH: Final = 512


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the four roles; ``modelfile`` is a file name beside the catalogue."""

    name: str
    description: str
    modelfile: str


class Architecture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model's key-value cache and compute graph depend on; ``kv_heads`` is 0 for embedding models."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    embedding_length: int


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of Ollama's library. ``memory_gib`` is its need at ``num_ctx``."""

    name: str
    parameters: str
    quantization: str
    family: str
    licence: str
    purpose: str
    download_gb: float
    memory_gib: float
    num_ctx: int
    max_ctx: int
    architecture: Architecture
    embedding: bool = False

    def memory_at(self, num_ctx: int) -> float:
        """GiB that one loaded copy needs at ``num_ctx`` tokens, by the formula in the catalogue's head."""
        a = self.architecture
        kv_cache = num_ctx * a.layers * a.kv_heads * a.head_dim * 2 * 2
        graph = 0 if self.embedding else 4 * _BATCH * (1 + 4 * a.embedding_length + num_ctx * (1 + a.heads))
        fixed = 0.1 if self.embedding else 0.5
        return (self.download_gb * 1e9 + kv_cache + graph) / _GIB + fixed


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model plays which role from ``ram_gib_min`` GiB of memory (as sold, not as reported) upwards."""

    name: str
    description: str
    ram_gib_min: float
    roles: dict[str, str]
    modern: dict[str, str]
    selectable: tuple[str, ...]
    embedding: str | None = None


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How reported memory compares with memory as sold, and how much is left to the system."""

    slack_ratio: float
    system_gib: float


class RoleOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person's configuration says about a role; ``None`` leaves the tier's choice."""

    model: str | None = None
    num_ctx: int | None = None
    elsewhere: bool = False
    """Whether another server than Ollama has the model, which sets its context itself."""


class RoleModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model that plays a role. ``memory_gib`` and ``download_gb`` are ``None`` for an unknown model."""

    role: str
    base: str
    num_ctx: int
    modelfile: str
    memory_gib: float | None = None
    download_gb: float | None = None
