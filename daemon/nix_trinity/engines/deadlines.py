"""How long an engine is waited for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each kind of wait may take, in seconds."""

    connect: float = 5.0
    first_token: float = 300.0
    token_gap: float = 60.0
    short_call: float = 10.0
    create: float = 600.0
