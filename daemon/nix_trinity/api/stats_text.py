"""The figures in words for a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nix_trinity.knowledge.statistics import Measures, Row, Spread, Statistics

_TOPICS = 10
_VERSION_CHARACTERS = 12
_HEAD = ("", "asked", "answered", "accuracy", "helpful", "corrected", "first token", "whole")


def stats_text(found: Statistics) -> str:
    """What ``nix-trinity stats`` shows."""
    since, until = (time.strftime("%Y-%m-%d", time.localtime(at / 1000)) for at in (found.since_ms, found.until_ms))
    lines = [f"Questions from {since} to {until}", ""]
    if not found.whole.exchanges:
        return "\n".join([*lines[:1], "None were asked.", ""])
    lines += _table([("all", found.whole), *((_name(row.role), row.measures) for row in found.roles)])
    lines += ["", "By version", *_table([(_version(row), row.measures) for row in found.versions])]
    lines += ["", "By week", *_table([(f"{row.week} {_name(row.role)}", row.measures) for row in found.weeks])]
    lines += ["", "accuracy: of judged answers, those confirmed; helpful: of all good and bad words, the good ones;"]
    lines += ["corrected: of all answers; times are medians of answers that a model gave."]
    if found.topics:
        lines += ["", "Asked most: " + ", ".join(f"{one.topic} ({one.asked})" for one in found.topics[:_TOPICS])]
    lessons = found.lessons
    lines += [
        "",
        f"Of these {lessons.eligible} may be learned, {lessons.held_out} are kept for evaluation, {lessons.review} wait"
        f" for a review, {lessons.duplicate} say what another one says, {lessons.excluded} are not learned.",
    ]
    return "\n".join(lines) + "\n"


def _name(role: str | None) -> str:
    return role or "no role"


def _version(row: Row) -> str:
    return f"{row.model or 'the search alone'} {(row.model_version or '')[:_VERSION_CHARACTERS]}".rstrip()


def _table(rows: Sequence[tuple[str, Measures]]) -> list[str]:
    cells = [_HEAD, *((name, *_cells(measures)) for name, measures in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEAD))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[at].rjust(widths[at]) for at in range(1, len(row)))]).rstrip()
        for row in cells
    ]


def _cells(one: Measures) -> tuple[str, ...]:
    return (
        str(one.exchanges),
        str(one.answered),
        _share(one.accuracy),
        _share(one.helpfulness),
        _share(one.corrections),
        _time(one.first_token_ms),
        _time(one.total_ms),
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _time(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    return f"{spread.median:.0f} ms" if spread.median < 10_000 else f"{spread.median / 1000:.0f} s"
