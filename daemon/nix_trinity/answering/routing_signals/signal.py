"""What a signal is, and the patterns that they are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing to listen for; ``cap`` is how many different matches may count, each with the full weight."""

    name: str
    phrase: str
    pattern: re.Pattern[str]
    weights: Mapping[str, float]
    where: Literal["prose", "all"] = "prose"
    cap: int = field(default=1)


def words(*alternatives: str, anywhere: str = "") -> re.Pattern[str]:
    """Compile whole-word alternatives; ``anywhere`` is for scripts that put no spaces between words.

    A dot or slash next to a word makes it part of a name (``systemd.services.x.script``, ``bin/code``), and
    the end of a sentence does not. A hyphen before it does too, but not after it (``NVIDIA-Karte``).
    """
    whole = rf"(?<![\w./-])(?:{'|'.join(alternatives)})(?![\w/]|\.\w)"
    return re.compile(f"{whole}|{anywhere}" if anywhere else whole)
