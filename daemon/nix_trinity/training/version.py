"""A version of a role's model: its name, and the manifest that says what it is made of."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from nix_trinity.catalogue import ROLES
from nix_trinity.engines.protocol import ChatMessage, ParameterValue
from nix_trinity.knowledge.learning import BuildKind

VersionState = Literal["candidate", "deployed", "previous", "retired", "rejected"]
"""``previous`` was deployed just before the one that is; ``retired`` was deployed before that."""

_NAME = re.compile(rf"nix-({'|'.join(ROLES)})-([0-9]{{8}})(?:-([1-9][0-9]*))?")


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """One learned example of a version: what it teaches, and who stands for it."""

    id: str
    """The exchange."""
    question: str
    answer: str
    kind: Literal["corrected", "confirmed"]
    topic: str
    judged_by: int | None = None
    by_operator: bool
    judged_at_ms: int
    options_release: str | None = None


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation came to, as shares of its questions; times are medians."""

    questions: int
    right_option: float | None = None
    valid: float
    """No invented option, code that parses, no forbidden advice."""
    facts: float | None = None
    corrections: float | None = None
    first_token_ms: float | None = None
    tokens_per_second: float | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """``versions/<name>.toml``: enough to understand a version, compare it, and build it again.

    Tokens are over-estimates (nix_trinity.tokens). ``checkpoint``: the month's last one, kept by its own rule.
    """

    name: str
    role: str
    kind: BuildKind
    state: VersionState
    built_at_ms: int
    base: str
    num_ctx: int
    content: str
    """SHA-256 of all that the model is made of, so that the same inputs are known to be the same."""
    token_budget: int
    tokens: int
    digest: str | None = None
    """The engine's digest of the model."""
    weights: str | None = None
    parent: str | None = None
    """The version that it was made from; None when it was made from the base."""
    adapter: str | None = None
    nixos_release: str | None = None
    deployed_at_ms: int | None = None
    replaced_at_ms: int | None = None
    checkpoint: bool = False
    went_back: bool = False
    """An operator went back from it to an earlier one: no build deploys the same examples again by itself."""
    removed: bool = False
    """The model was pruned from the engine; the manifest stays, and it can be built again."""
    why: str = ""
    """Why it is in its state, in words."""
    scores: Scores | None = None
    learned: tuple[Learned, ...] = ()

    @property
    def example_ids(self) -> tuple[str, ...]:
        """The exchanges that its learned examples come from, in order."""
        return tuple(one.id for one in self.learned)


def content_hash(
    *,
    weights: str,
    system: str,
    template: str,
    parameters: Mapping[str, ParameterValue],
    messages: Sequence[ChatMessage],
    adapter: str | None,
    num_ctx: int,
) -> str:
    """SHA-256 (hexadecimal) of all that a version is made of; equal exactly when the same model would come of it.

    ``weights`` and ``adapter`` are what the engine or the file's content knows them by, not their names.
    """
    parts = {
        "weights": weights,
        "system": system,
        "template": template,
        "parameters": dict(parameters),
        "messages": [[message.role, message.content] for message in messages],
        "adapter": adapter,
        "num_ctx": num_ctx,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def role_of(name: str) -> str | None:
    """The role whose version has this name; None for any other name, however alike."""
    found = _NAME.fullmatch(name)
    return found[1] if found else None


def version_name(role: str, day: datetime.date, taken: frozenset[str] | set[str]) -> str:
    """``nix-<role>-YYYYMMDD``, with ``-2``, ``-3``, … where the day has one already; ``taken`` in any case."""
    used = {name.lower().removesuffix(":latest") for name in taken}
    first = f"nix-{role}-{day:%Y%m%d}"
    number = 1
    while (name := first if number == 1 else f"{first}-{number}") in used:
        number += 1
    return name


def deployed_name(role: str) -> str:
    """The name under which the role's model answers."""
    return f"nix-{role}"
