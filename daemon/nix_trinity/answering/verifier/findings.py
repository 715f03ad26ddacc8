"""What a check can find in an answer, and what all of it says about the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nix_trinity.answering.verifier.release import Segment

FindingKind = Literal[
    "unknown_option", "renamed_option", "removed_option", "wrong_value", "syntax_error", "dangerous_command"
]
Verdict = Literal["verified", "flagged", "ungrounded"]

_ABOUT_NAMES: Final = frozenset({"unknown_option", "renamed_option", "removed_option"})
_MOST_REQUESTED: Final = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or dangerous. Texts are one line and hold no control characters."""

    kind: FindingKind
    name: str
    """The option, or the command; '' for a syntax error."""
    message: str
    """A clause for a person: what is wrong with it."""
    suggestions: tuple[str, ...] = ()
    """Real names to use instead, the best first."""
    at: int = 0
    """Where in the segment's text the mark goes: after the name in prose, at the end of its line in code."""

    @property
    def is_error(self) -> bool:
        """Whether the answer is wrong here; a danger is a warning about something that may well be right."""
        return self.kind != "dangerous_command"


@dataclass(frozen=True, slots=True)
class Checked:
    """A segment that was looked at."""

    segment: Segment
    findings: tuple[Finding, ...] = ()
    names_ok: tuple[str, ...] = ()
    """The option names in it that this NixOS has, as written."""
    nix_source: str | None = None
    """Of Nix code: what a Nix program can parse, the block completed; its lines are the block's."""

    @property
    def text(self) -> str:
        """The segment's text, unchanged."""
        return self.segment.text


def verdict(checked: Sequence[Checked]) -> Verdict:
    """Judge an answer by its segments.

    ``ungrounded``: it names options and not one of them exists. ``flagged``: something in it is wrong.
    ``verified``: nothing wrong was found, also when it names no option. Dangers do not count.
    """
    errors = [finding for each in checked for finding in each.findings if finding.is_error]
    if not errors:
        return "verified"
    if any(each.names_ok for each in checked) or not any(finding.kind in _ABOUT_NAMES for finding in errors):
        return "flagged"
    return "ungrounded"


def repair_request(findings: Sequence[Finding], *, goes_on: bool = False) -> str:
    """Tell the model what was wrong in its answer and which names are real; '' when nothing was.

    ``goes_on``: the person has read what came before the fault, so the model is to go on from there.
    """
    lines: dict[str, None] = {}
    for finding in findings:
        if finding.is_error:
            what = f"`{finding.name}`: {finding.message}" if finding.name else finding.message
            use = (
                f" Real names: {', '.join(f'`{name}`' for name in finding.suggestions)}." if finding.suggestions else ""
            )
            lines.setdefault(f"- {what}.{use}")
    if not lines:
        return ""
    shown = list(lines)[:_MOST_REQUESTED]
    return "\n".join(
        (
            "Your answer was checked against the options of this very NixOS. This is wrong in it:",
            *shown,
            (
                "Go on with the answer in place of its last part, corrected, without saying again what stood before it. "
                if goes_on
                else "Write the whole answer again, corrected. "
            )
            + "Use only options that exist here. Where no real option does what is asked, say so. Do not mention this "
            "check.",
        )
    )


def one_line(text: str, most: int = 120) -> str:
    """Make a text from an answer safe to show inside a mark: one line, no backticks, not too long."""
    clean = "".join(" " if character.isspace() or not character.isprintable() else character for character in text)
    clean = clean.replace("`", "'")
    return clean if len(clean) <= most else clean[: most - 1] + "…"
