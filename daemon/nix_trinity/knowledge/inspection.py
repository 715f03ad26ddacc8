"""What was made of a text, and of a version that was tried out: the values that pass between check and learn line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the options of this NixOS say of a question and an answer to it."""

    release: str | None
    check: str
    """What the verifier makes of the answer: verified, flagged or ungrounded."""
    types: Mapping[str, str] = field(default_factory=dict)
    """The options that the answer names and that are there, with their types as the list of options has them."""
    problems: tuple[str, ...] = ()
    """What is wrong in it, in words: names that do not exist, values of the wrong type, code that does not parse."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Options that it names by their old name, with the new one."""
    orders: bool = False
    """Whether question or answer read like orders to the model."""
    relevant: bool | None = None
    """Whether an option that it names is among those that the search finds for the question; None: it names none."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How a version answered one question. ``error`` is there when it did not."""

    text: str
    verdict: str
    names: tuple[str, ...]
    """The real options that the answer names, in order."""
    wrong: tuple[str, ...]
    """What the verifier found wrong in it."""
    parses: bool
    """Whether all Nix code in it parses."""
    first_token_ms: float | None
    tokens_per_second: float | None
    error: str | None = None
