"""The table that says which real parts a run had, and why it did without the others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

WITHOUT_OLLAMA = "NIX_TRINITY_WITHOUT_OLLAMA"


class State(StrEnum):
    """What became of a part."""

    READY = "ready"
    RAN = "ran"
    SKIPPED = "SKIPPED"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class Part:
    """One real part and what became of it."""

    name: str
    state: State
    detail: str


def table(parts: Sequence[Part]) -> str:
    """Lay out the parts, one a line."""
    width = max((len(part.name) for part in parts), default=0)
    return "\n".join(f"{part.name:<{width}}  {part.state:<7}  {part.detail}" for part in parts)


def without_ollama() -> bool:
    """Tell whether the person asked for a run without Ollama; nothing else makes its tests skip."""
    return os.environ.get(WITHOUT_OLLAMA) == "1"
