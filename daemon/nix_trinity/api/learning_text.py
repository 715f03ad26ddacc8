"""The learn line in words for a terminal, made here so that the thin client need not."""

from __future__ import annotations

import time
from typing import Any

from nix_trinity.api.learning_messages import (
    BuildEntry,
    BuildsReply,
    CandidatesReply,
    ConsentReply,
    ReviewReply,
    VersionsReply,
)
from nix_trinity.knowledge.learning import Lesson
from nix_trinity.knowledge.portable import ImportReport
from nix_trinity.training.learning import Difference, Pruned, WrittenReport
from nix_trinity.training.version import Learned, Manifest, Scores

_SHOWN = 90
_MOST_SKIPPED = 20


def builds_text(reply: BuildsReply) -> str:
    """What ``nix-trinity builds`` shows: newest first."""
    if not reply.builds:
        return "There was no build yet. Start one with: nix-trinity build\n"
    return "".join(f"{line}\n" for build in reply.builds for line in _build(build))


def _build(build: BuildEntry) -> list[str]:
    took = f", {_span((build.ended_at_ms - build.started_at_ms) / 1000)}" if build.ended_at_ms is not None else ""
    head = f"{build.id}  {_when(build.started_at_ms)}  {build.kind:<9} {build.state.replace('_', ' ')}{took}"
    lines = [head + (f"  ({_short(build.reason)})" if build.reason else "")]
    lines += [f"    {_result(one)}" for one in build.results]
    if build.error:
        lines.append(f"    {build.error_code}: {_short(build.error)}")
    return lines


def _result(one: dict[str, Any]) -> str:
    named = f" {one['version']}" if one.get("version") else ""
    why = f": {_short(str(one['why']))}" if one.get("why") else ""
    return f"{one.get('role', '-'):<8} {str(one.get('result', '-')).replace('_', ' ')}{named}{why}"


def versions_text(reply: VersionsReply) -> str:
    """What ``nix-trinity versions`` shows: newest first."""
    if not reply.versions:
        return "No version was built yet: the roles' models are made from their Modelfiles alone.\n"
    return "".join(f"{line}\n" for one in reply.versions for line in _version(one))


def _version(one: Manifest) -> list[str]:
    marks = [one.state, *(["checkpoint"] if one.checkpoint else []), *(["model removed"] if one.removed else [])]
    head = (
        f"{one.name:<24} {_when(one.built_at_ms)}  {one.kind:<9} {', '.join(marks)}; "
        f"{_many(len(one.learned), 'learned example')}, {one.tokens} of {one.token_budget} tokens"
    )
    lines = [head]
    if one.scores is not None:
        lines.append(f"    {_scores(one.scores)}")
    if one.why:
        lines.append(f"    {_short(one.why)}")
    return lines


def _scores(scores: Scores) -> str:
    shares = {
        "right option": scores.right_option,
        "valid": scores.valid,
        "facts": scores.facts,
        "corrections": scores.corrections,
    }
    said = [f"{name} {share:.0%}" for name, share in shares.items() if share is not None]
    if scores.first_token_ms is not None:
        said.append(f"first token {scores.first_token_ms:.0f} ms")
    if scores.tokens_per_second is not None:
        said.append(f"{scores.tokens_per_second:.0f} tokens/s")
    return f"{_many(scores.questions, 'question')}: {', '.join(said)}"


def difference_text(found: Difference) -> str:
    """What ``nix-trinity diff`` shows."""
    lines = [f"{found.older} → {found.newer}: {_many(found.kept, 'example')} kept"]
    for sign, title, several in (("+", "learned", found.learned), ("-", "dropped", found.dropped)):
        lines.append(f"{title}: {len(several) or 'nothing'}")
        for one in several:
            lines += _learned(sign, one)
    return "\n".join(lines) + "\n"


def _learned(sign: str, one: Learned) -> list[str]:
    by = "an operator" if one.by_operator else f"user id {one.judged_by}" if one.judged_by is not None else "nobody"
    of = f", NixOS {one.options_release}" if one.options_release else ""
    return [
        f"{sign} {one.id}  {one.kind} by {by} on {_when(one.judged_at_ms)}{of}",
        f"    Q: {_short(one.question)}",
        f"    A: {_short(one.answer)}",
    ]


def rollback_text(deployed: Manifest) -> str:
    """What ``nix-trinity rollback`` shows."""
    return (
        f"nix-{deployed.role} is {deployed.name} again, built {_when(deployed.built_at_ms)} "
        f"with {_many(len(deployed.learned), 'learned example')}.\n"
    )


def pruned_text(pruned: Pruned) -> str:
    """What ``nix-trinity prune`` shows."""
    would = "would be " if pruned.dry_run else ""
    lines = [f"{would}removed  {name}: {why}" for name, why in pruned.versions]
    lines += [f"kept     {name}: {why}" for name, why in pruned.kept]
    lines.append(
        f"{_many(len(pruned.versions), 'version')} and {_many(pruned.exchanges, 'exchange')} {would}removed"
        + (" (a dry run: nothing was)" if pruned.dry_run else f"; {_size(pruned.freed_bytes)} of disk freed")
        + "."
    )
    return "\n".join(lines) + "\n"


def candidates_text(reply: CandidatesReply) -> str:
    """What ``nix-trinity review`` lists."""
    if not reply.candidates:
        return "Nothing waits for a review.\n"
    lines = []
    for one in reply.candidates:
        lines += [
            f"{one.exchange_id}  {one.role}, {one.topic}  {one.kind}: {one.reason}",
            f"    Q: {_short(one.question)}",
            f"    A: {_short(one.answer)}",
        ]
    lines.append("Say what you think of one: nix-trinity review --accept|--reject|--edit ID")
    return "\n".join(lines) + "\n"


def reviewed_text(reply: ReviewReply) -> str:
    """What ``nix-trinity review --accept`` shows."""
    return "".join([f"{lesson_line(reply.lesson)}\n", *(f"note: {notice}\n" for notice in reply.notices)])


def lesson_line(lesson: Lesson) -> str:
    """What became of a lesson, in a line."""
    became = {
        "eligible": "may be learned",
        "held_out": "is kept for evaluation",
        "duplicate": "says what another one says already",
        "excluded": "will not be learned",
        "review": "still waits for a review",
    }[lesson.state]
    why = f": {lesson.reason.removesuffix('.')}" if lesson.reason else ""
    return f"{lesson.exchange_id} {became}{why}."


def consent_text(reply: ConsentReply) -> str:
    """What ``nix-trinity consent`` shows."""
    by_default = "yes" if reply.by_default else "no"
    if reply.allows is None:
        return (
            f"You have not said whether models may learn from your exchanges; the default here is {by_default}.\n"
            "Say so with: nix-trinity consent yes, or: nix-trinity consent no\n"
        )
    return f"Models {'may' if reply.allows else 'may not'} learn from your exchanges: you said so.\n"


def report_text(report: WrittenReport) -> str:
    """What ``nix-trinity report`` shows."""
    return f"{report.text.rstrip()}\n\nWrote {report.path}.\n"


def imported_text(reply: ImportReport) -> str:
    """What became of an import."""
    lines = [f"{_many(reply.imported, 'exchange')} imported, {reply.already_there} known already."]
    lines += [f"line {number} skipped: {reason}" for number, reason in reply.skipped[:_MOST_SKIPPED]]
    if reply.skipped_count > len(lines) - 1:
        lines.append(f"and {_many(reply.skipped_count - len(lines) + 1, 'more line')} skipped")
    return "\n".join(lines) + "\n"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _when(milliseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
