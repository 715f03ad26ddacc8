"""Write what was found into the text, where it is, without breaking prose or code."""

from __future__ import annotations

import re
from typing import Final

from nix_trinity.answering.verifier.code_check import body_of, without_quotation
from nix_trinity.answering.verifier.findings import Checked, Finding
from nix_trinity.answering.verifier.nix_code import read_nix

_INDENT = re.compile(r"[ \t]*")
SIGN: Final = "⚠"


def marked(checked: Checked) -> str:
    """The segment's text with a visible mark at everything that was found; unchanged when nothing was."""
    if checked.segment.kind == "prose":
        return _insert(checked.text, [(finding.at, f" ({SIGN} {_said(finding)})") for finding in checked.findings])
    return _marked_code(checked)


def _marked_code(checked: Checked) -> str:
    segment, text = checked.segment, checked.text
    dangers = [finding for finding in checked.findings if not finding.is_error]
    errors = [finding for finding in checked.findings if finding.is_error]
    after: list[Finding] = []
    if errors and checked.nix_source is not None:
        text, after = _commented(checked, errors)
    elif errors:
        after = errors
    indent = _INDENT.match(text)
    margin = indent[0] if indent and segment.opened else ""
    text += segment.closing
    if dangers:
        warnings = dict.fromkeys(
            f"{margin}> {SIGN} **Careful:** `{danger.name}`: {danger.message}.\n" for danger in dangers
        )
        text = "".join(warnings) + "\n" + text if segment.opened else text
        if not segment.opened and (segment.closed or segment.closing):
            text = _ended(text) + "\n" + "".join(warnings) + "\n"
    if after and (segment.closed or segment.closing):
        text = _ended(text) + "\n" + "".join(f"{margin}> {SIGN} {_said(each, named=True)}.\n" for each in after) + "\n"
    return text


def _commented(checked: Checked, errors: list[Finding]) -> tuple[str, list[Finding]]:
    """Put the findings into comments at the ends of their lines; give back those for which there is no place."""
    body, start = body_of(checked.segment)
    code = read_nix(body)
    line_ends = [start + end for end in _ends(body)]
    by_place: dict[int, list[str]] = {}
    elsewhere: list[Finding] = []
    for finding in errors:
        line = body.count("\n", 0, max(0, finding.at - start))
        # Inside a string of several lines there is no place; where it ends there is.
        free = next((each for each in range(line, len(line_ends)) if each in code.commentable), None)
        if free is None or (free != line and code.has_broken_tree):
            elsewhere.append(finding)
        else:
            by_place.setdefault(line_ends[free], []).append(_said(finding, named=True).replace("`", ""))
    text = _insert(checked.text, [(at, f" # {SIGN} {'; '.join(said)}") for at, said in by_place.items()])
    again = read_nix(without_quotation(text[start : start + len(body) + len(text) - len(checked.text)]))
    # Code that is wrong already can still be made worse: then the marks go below it.
    if again.expression != code.expression or len(again.problems) != len(code.problems):
        return checked.text, errors
    return text, elsewhere


def _ends(body: str) -> list[int]:
    ends = [found.start() for found in re.finditer(r"\n", body)]
    return ends if body.endswith("\n") else [*ends, len(body)]


def _said(finding: Finding, *, named: bool = False) -> str:
    name = f"`{finding.name}`: " if named and finding.name else ""
    if finding.kind in {"renamed_option"} or not finding.suggestions:
        return name + finding.message
    *most, last = (f"`{suggestion}`" for suggestion in finding.suggestions)
    perhaps = f"{', '.join(most)} or {last}" if most else last
    return f"{name}{finding.message}; perhaps {perhaps}"


def _insert(text: str, marks: list[tuple[int, str]]) -> str:
    parts: list[str] = []
    done = 0
    for at, mark in sorted(marks, key=lambda each: each[0]):
        parts.extend((text[done:at], mark))
        done = at
    return "".join((*parts, text[done:]))


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"
