"""Takes secrets out of text before it is stored, logged, sent to a model or learned from.

Two kinds of evidence are used: *shapes* that are secret wherever they stand (a private key block, ``ghp_…``,
``$6$…``), and *names* that make the value beside them secret (``password = "…"``, ``--token …``). A name
alone proves little when people talk about NixOS, so a value is kept when it only points at a secret (a path,
``$VAR``, ``config.sops…``), is a plain setting (``false``, a port), or is prose ("token: expected ;").

Text comes from anyone and may be large, so no pattern may backtrack far: each repetition is bounded, is
possessive, or consumes what it has read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nix_trinity.knowledge.named_secrets import redact_named
from nix_trinity.knowledge.secret_shapes import SHAPES
from nix_trinity.knowledge.secret_values import MARK, points_elsewhere

# One replacement can uncover another (a URL inside a quoted value), so the rules run until nothing changes.
# Real text settles in two or three passes; what has not settled by then was built to resist, and goes whole.
_MAX_PASSES: Final = 8
_UNSETTLED: Final = "text that would not settle"


@dataclass(frozen=True, slots=True)
class Redacted:
    """Text without its secrets, how many values were replaced, and of which kinds, in order of appearance."""

    text: str
    count: int
    kinds: tuple[str, ...]


def redact(text: str) -> Redacted:
    """Replace every secret in ``text`` by a placeholder such as ``[redacted: private key]``.

    Pure, linear in the length of the text, idempotent, and without errors on any string.
    """
    found: list[str] = []
    for _ in range(_MAX_PASSES):
        before = text
        for kind, pattern in SHAPES:
            text = pattern.sub(_replacer(kind, found), text)
        text = redact_named(text, found)
        if text == before:
            break
    else:
        return Redacted(f"[redacted: {_UNSETTLED}]", len(found), (_UNSETTLED,))
    new = set(found)
    kinds = dict.fromkeys(mark[11:-1] for mark in re.findall(MARK, text) if mark[11:-1] in new)
    return Redacted(text, len(found), tuple(kinds))


def _replacer(kind: str, found: list[str]) -> Callable[[re.Match[str]], str]:
    """Replace only group ``s`` of a match, so that what makes a line readable stays."""

    def replace(match: re.Match[str]) -> str:
        start, end = match.span("s")
        if start < 0:
            return match[0]
        if start == end:  # an empty group marks the whole match
            start, end = match.span()
        elif points_elsewhere(match["s"].strip("\"'")):
            return match[0]
        found.append(kind)
        base, whole = match.start(), match[0]
        return f"{whole[: start - base]}[redacted: {kind}]{whole[end - base :]}"

    return replace
