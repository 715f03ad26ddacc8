"""The text of a monthly report, in Markdown: a pure function of the figures."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Sequence

from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.statistics import Measures, Spread, Statistics
from nix_trinity.training.plots import MEASURES
from nix_trinity.training.version import Manifest

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~&^$-])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_LONGEST = 200
_HEAD = ("asked", "answered", "accuracy", "helpfulness", "corrections", "first token", "whole answer")


def report_text(
    month: str,
    statistics: Statistics,
    builds: Sequence[Build],
    manifests: Sequence[Manifest],
    plots: Collection[str] | None,
) -> str:
    """The report; ``plots`` names those that lie in the folder ``<month>`` beside it (None: they cannot be drawn)."""
    parts = [
        f"# NixTrinity, {month}",
        "Times are UTC. How each measure is counted stands at the end.",
        *_measures(month, statistics, plots),
        *_topics(statistics),
        *_bad(statistics),
        *_notes(statistics),
        *_versions(statistics, manifests),
        *_builds(statistics, builds),
        "## How it is counted",
        "- Accuracy: of the answers that anybody judged, the share of which the newest word is *good*.\n"
        "- Speed: median (95th percentile) of answers that a model gave.\n"
        "- Helpfulness: of what all people said, each one's newest word on each answer counting once, the share of *good*"
        " among *good* and *bad*.\n"
        "- Corrections: the share of all answers that were corrected.\n\n"
        "Imported exchanges are not counted. A word counts in the week in which the question was asked.",
    ]
    return "\n\n".join(parts) + "\n"


def _measures(month: str, found: Statistics, plots: Collection[str] | None) -> list[str]:
    whole = found.whole
    if not whole.exchanges:
        return ["## Measures", "Nothing was asked."]
    rows = [("all", *_cells(whole)), *((row.role or "no role", *_cells(row.measures)) for row in found.roles)]
    weeks = [(row.week or "", row.role or "no role", *_cells(row.measures)) for row in found.weeks]
    parts = [
        "## Measures",
        _table(("role", *_HEAD), rows),
        f"{whole.failed} failed and {whole.cancelled} were broken off. {whole.known} were answered from a known answer."
        f" The check found {whole.verified} verified, repaired {whole.repaired}, flagged {whole.flagged};"
        f" {whole.ungrounded} rested on nothing.",
        "### By week",
    ]
    if plots is None:
        parts.append(
            "Plots need Matplotlib, the optional extra `report` of NixTrinity; with it, write the report again."
        )
    else:
        parts += [f"![{MEASURES[name][0]}]({month}/{name}.svg)" for name in MEASURES if name in plots]
    parts.append(_table(("week", "role", *_HEAD), weeks))
    names = [
        (_code(row.model or "the search alone"), _code((row.model_version or "").removeprefix("sha256:")[:12]))
        for row in found.versions
    ]
    versions = [
        (row.role or "no role", *name, *_cells(row.measures)) for row, name in zip(found.versions, names, strict=True)
    ]
    return [*parts, "### By version", _table(("role", "model", "digest", *_HEAD), versions)]


def _topics(found: Statistics) -> list[str]:
    if not found.topics:
        return []
    rows = [
        (_plain(one.topic), str(one.asked), str(one.good), str(one.bad), str(one.corrected), str(one.ungrounded))
        for one in found.topics
    ]
    return ["## Topics asked", _table(("topic", "asked", "good", "bad", "corrected", "ungrounded"), rows)]


def _bad(found: Statistics) -> list[str]:
    if not found.bad_answers and not found.bad_answers_withheld:
        return []
    parts = ["## Questions answered badly"]
    if found.bad_answers:
        parts.append(
            "\n".join(
                f"- `{one.id}` ({one.role or 'no role'}, {one.word}): {_plain(one.question)}"
                for one in found.bad_answers
            )
        )
    if found.bad_answers_withheld:
        parts.append(
            f"{found.bad_answers_withheld} more are not shown: their askers did not consent to it, or they are too many."
        )
    return parts


def _notes(found: Statistics) -> list[str]:
    if not found.notes:
        return []
    lines = [
        f"- {_plain(one.topic)}: asked {one.asked} times, went wrong {one.troubled} times"
        + (f", such as: {_plain(one.question)}" if one.question is not None else "")
        for one in found.notes
    ]
    return [
        "## Notes worth writing",
        "What came again and mostly went wrong. A note answers it for every model.",
        "\n".join(lines),
    ]


def _versions(found: Statistics, manifests: Sequence[Manifest]) -> list[str]:
    new = sorted(
        (one for one in manifests if _within(found, one.built_at_ms) or _within(found, one.deployed_at_ms)),
        key=lambda one: (one.built_at_ms, one.name),
    )
    if not new:
        return ["## Versions", "None was built."]
    rows = []
    for one in new:
        scores = one.scores
        results = (
            (
                str(scores.questions),
                _share(scores.right_option),
                _share(scores.valid),
                _share(scores.facts),
                _share(scores.corrections),
                _time(scores.first_token_ms),
                "-" if scores.tokens_per_second is None else f"{scores.tokens_per_second:.1f}",
            )
            if scores is not None
            else ("-",) * 7
        )
        rows.append((_code(one.name), one.kind, one.state, str(len(one.learned)), *results, _plain(one.why)))
    head = (
        "version",
        "kind",
        "state",
        "learned",
        "questions",
        "right option",
        "valid",
        "facts",
        "corrections",
        "first token",
        "tokens/s",
        "why",
    )
    return ["## Versions", _table(head, rows)]


def _builds(found: Statistics, builds: Sequence[Build]) -> list[str]:
    begun = sorted(
        (one for one in builds if _within(found, one.started_at_ms)), key=lambda one: (one.started_at_ms, one.id)
    )
    if not begun:
        return []
    rows = [
        (
            _moment(one.started_at_ms),
            one.kind,
            one.state.replace("_", " "),
            ", ".join(one.roles),
            "-" if one.ended_at_ms is None else f"{(one.ended_at_ms - one.started_at_ms) / 60_000:.1f}",
            _plain(one.error or one.reason),
        )
        for one in begun
    ]
    return ["## Builds", _table(("begun", "kind", "state", "roles", "minutes", "why"), rows)]


def _cells(one: Measures) -> tuple[str, ...]:
    return (
        str(one.exchanges),
        str(one.answered),
        _share(one.accuracy),
        _share(one.helpfulness),
        _share(one.corrections),
        _spread(one.first_token_ms),
        _spread(one.total_ms),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _time(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def _spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{_time(spread.median)} ({_time(spread.p95)})"


def _within(found: Statistics, at_ms: int | None) -> bool:
    return at_ms is not None and found.since_ms <= at_ms < found.until_ms


def _moment(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def _plain(text: str) -> str:
    """What a person wrote, as one line in which nothing is Markdown."""
    line = " ".join(_CONTROL.sub(" ", text).split())
    short = line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
    return _MARKDOWN.sub(r"\\\1", short)


def _code(text: str) -> str:
    """A name as code; of ours, and of models, which have neither backticks nor bars."""
    line = " ".join(_CONTROL.sub(" ", text).replace("`", "'").replace("|", "/").split())
    return f"`{line[:_LONGEST]}`" if line else "-"
