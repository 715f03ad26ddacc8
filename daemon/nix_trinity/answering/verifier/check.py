"""Check one segment of an answer against the options of this NixOS."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from nix_trinity.answering.verifier.code_check import CodeChecker
from nix_trinity.answering.verifier.dangers import dangers_in
from nix_trinity.answering.verifier.findings import Checked, Finding, one_line
from nix_trinity.answering.verifier.judge import Context, Judge
from nix_trinity.answering.verifier.names import NameInText, find_names
from nix_trinity.answering.verifier.nix_code import SyntaxProblem
from nix_trinity.answering.verifier.release import Segment
from nix_trinity.answering.verifier.renamed import Renames
from nix_trinity.knowledge.option_tree import OptionTree, join_name

_CODE_SPAN = re.compile(r"(?<!`)(`{1,3})(?!`)([^`\n]{1,400})\1(?!`)")
_AFTER_NAME: Final = re.compile(r"[`*_]*")
# Prose that says itself that a name is gone needs no mark.
_DENIED_BEFORE = re.compile(
    r"\b(?:no(?: such)?|not an?|nonexistent|non-existent|old|former|obsolete|deprecated|removed)\s+(?:\w+\s+){0,2}?"
    r"(?:options?|names?|settings?|attributes?)?(?:\s+(?:called|named|like))?\s*[`*\"']*\Z",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[`*\"']*\s+(?:option\s+|setting\s+)?(?:does not|doesn't|do not|did not|no longer)\s+exists?\b"
    r"|[`*\"']*\s+(?:option\s+|setting\s+)?(?:is|was|are|were|has been|have been)\s+(?:n't|not an? (?:\w+ )?option|no(?: longer an?)?"
    r" (?:\w+ )?option|removed|renamed|deprecated|gone|replaced|obsolete|superseded|nonexistent|not available)",
    re.IGNORECASE,
)


class Verifier:
    """Checks the segments of answers; holds the options and nothing of any answer."""

    def __init__(self, tree: OptionTree, renames: Renames, release: str = "") -> None:
        self._tree = tree
        self._judge = Judge(tree, renames, release)
        self._code = CodeChecker(self._judge)

    def check(self, segment: Segment, before: str = "") -> Checked:
        """Say what is wrong in a segment. ``before`` is the answer up to it: it tells Home Manager from NixOS."""
        context = Context.of(before, segment.text if segment.kind == "prose" else "")
        if segment.kind == "code":
            return self._code.check(segment, context)
        return self._check_prose(segment, context)

    def with_problems(self, checked: Checked, problems: Iterable[SyntaxProblem] | None) -> Checked:
        """Let a real Nix have the last word on the syntax; None leaves the check as it is."""
        return checked if problems is None else self._code.with_problems(checked, tuple(problems))

    def _check_prose(self, segment: Segment, context: Context) -> Checked:
        text = segment.text
        findings: dict[tuple[str, str], Finding] = {}
        known: dict[str, None] = {}
        for found in find_names(text, self._tree, self._judge.old_roots):
            name = join_name(found.path)
            judged = self._judge.name(found.path, context)
            if judged is None:
                known.setdefault(name)
            elif isinstance(judged, Finding) and not _is_denied(text, found, judged):
                at = _end_of_markup(text, found.end)
                findings.setdefault((judged.kind, name), replace(judged, at=at))
        for span in _CODE_SPAN.finditer(text):
            if "=" in span[2]:
                for finding in self._code.check_values(span[2], context):
                    findings.setdefault((finding.kind, finding.name), replace(finding, at=span.end()))
        for danger in dangers_in(text, nix=True):
            at = _end_of_markup(text, _end_of_span(text, danger.end))
            finding = Finding("dangerous_command", one_line(danger.what), danger.warning, (), at)
            findings.setdefault((finding.kind, finding.message), finding)
        return Checked(segment, tuple(findings.values()), tuple(known))


def _is_denied(text: str, found: NameInText, finding: Finding) -> bool:
    if _DENIED_BEFORE.search(text[max(0, found.start - 80) : found.start]):
        return True
    if _DENIED_AFTER.match(text, found.end):
        return True
    # "`hardware.opengl` was, since 24.11, renamed to `hardware.graphics`": old and new side by side.
    explained = re.search(r"\b(?:renamed|replaced|became|moved|formerly|instead of|called)\b", text, re.IGNORECASE)
    return (
        finding.kind == "renamed_option" and explained is not None and any(new in text for new in finding.suggestions)
    )


def _end_of_markup(text: str, at: int) -> int:
    """Where the code span or bold type that a name ends in is over."""
    after = _AFTER_NAME.match(text, at)
    if after and after.end() > at:
        return after.end()
    return _end_of_span(text, at)


def _end_of_span(text: str, at: int) -> int:
    for span in _CODE_SPAN.finditer(text):
        if span.start() < at <= span.end():
            return span.end()
    return at
