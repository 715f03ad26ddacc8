"""Check a code block: Nix as options and values, everything for dangerous commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from nix_trinity.answering.verifier.dangers import dangerous_settings, dangers_in
from nix_trinity.answering.verifier.findings import Checked, Finding, one_line
from nix_trinity.answering.verifier.judge import Context, Judge
from nix_trinity.answering.verifier.names import find_names, near_root
from nix_trinity.answering.verifier.nix_code import NixCode, SyntaxProblem, read_nix
from nix_trinity.answering.verifier.nix_module import Assignment, Configuration, configuration_of
from nix_trinity.answering.verifier.release import Segment
from nix_trinity.knowledge.option_tree import join_name
from nix_trinity.knowledge.options import Path

_NIX: Final = frozenset({"nix", "nixos", "nixlang"})
_UNMARKED: Final = frozenset({"", "text", "txt", "plaintext", "conf", "config", "code"})
_NIX_LINE = re.compile(r"[A-Za-z_][\w-]*\.[\w.\"-]+\s*=[^=].*[;{(\[]$")
_PROMPT = re.compile(r"^[ \t]*(?:nix-repl>|\$ )", re.MULTILINE)
# Commands that a model put into a block that it called Nix.
_COMMAND = re.compile(
    r"(?:[ \t]*(?:#[^\n]*)?\n)*+[ \t]*(?:sudo[ \t]+)?(?:nix(?:-[a-z-]+)?|nixos-[a-z-]+|home-manager|git|cd|curl|cp|mv|rm"
    r"|mkdir|echo|cat|nano|vim|systemctl|journalctl|export)[ \t]+[^=\s{]"
)
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)


class CodeChecker:
    """Checks code with the help of a :class:`Judge`."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def check(self, segment: Segment, context: Context) -> Checked:
        """Check a code block, or a piece of one."""
        body, start = body_of(segment)
        # What nobody called Nix, and does not parse, may hold more than Nix: then only names are certain.
        is_marked = segment.language in _NIX
        code = read_nix(body) if is_marked or segment.language in _UNMARKED else None
        if code is not None and (_PROMPT.search(body) or (code.has_broken_tree and _COMMAND.match(body))):
            code = None
        if code is not None and not is_marked and not self._was_meant_as_nix(code, body):
            code = None
        findings: list[tuple[Finding, int]] = []
        names: dict[str, None] = {}
        if code is not None and segment.opened and (segment.closed or segment.closing):
            findings.extend(self._nix(code, body, context, names, is_marked=is_marked, cut=not segment.closed))
        elif code is not None:
            # A piece of a block that is too long has no syntax of its own.
            findings.extend(self._names_alone(body, context, names))
            code = None
        for danger in dangers_in(body, nix=code is not None):
            finding = Finding("dangerous_command", one_line(danger.what), danger.warning)
            findings.append((finding, body.count("\n", 0, danger.end)))
        ends = _line_ends(body, start)
        placed = {
            (finding.kind, finding.name, finding.message): replace(finding, at=ends[min(line, len(ends) - 1)])
            for finding, line in reversed(findings)
        }
        return Checked(
            segment,
            tuple(sorted(placed.values(), key=lambda finding: finding.at)),
            tuple(names),
            code.source if code is not None else None,
        )

    def check_values(self, code: str, context: Context) -> list[Finding]:
        """What is wrong with the values in an inline ``a.b = c;``; names are found as prose."""
        read = read_nix(code if code.rstrip().endswith((";", "}")) else f"{code};")
        if read.problems:
            return []
        configuration = self._configuration(read, context)
        return [finding for finding, _ in self._assigned(configuration, context, {}) if finding.kind == "wrong_value"]

    def with_problems(self, checked: Checked, problems: tuple[SyntaxProblem, ...]) -> Checked:
        """Replace what the own parser says about the syntax by what Nix says."""
        if checked.nix_source is None:
            return checked
        kept = [finding for finding in checked.findings if finding.kind != "syntax_error"]
        own = [finding for finding in checked.findings if finding.kind == "syntax_error"]
        if problems and own:
            return checked  # both see a fault; the own words say it for a person
        ends = _line_ends(*body_of(checked.segment))
        kept.extend(replace(_syntax(problem), at=ends[min(problem.line, len(ends) - 1)]) for problem in problems)
        kept.sort(key=lambda finding: finding.at)
        return Checked(checked.segment, tuple(kept), checked.names_ok, checked.nix_source)

    def _was_meant_as_nix(self, code: NixCode, body: str) -> bool:
        if not code.problems:
            return bool(self._configuration(code, Context()).assignments)
        lines = (line.strip() for line in body.split("\n"))
        return any(_NIX_LINE.match(line) and self._judge.is_root(line.split(".")[0]) for line in lines)

    def _configuration(self, code: NixCode, context: Context) -> Configuration:
        def is_root(attribute: str) -> bool:
            return self._judge.is_root(attribute) or near_root(attribute, self._judge.tree.roots) is not None

        return configuration_of(code.expression, is_root, home_manager=context.home_manager)

    def _nix(
        self, code: NixCode, body: str, context: Context, names: dict[str, None], *, is_marked: bool, cut: bool
    ) -> Iterator[tuple[Finding, int]]:
        if is_marked or not code.has_broken_tree:
            for problem in code.problems:
                message = f"{problem.message} (the answer ended inside the block)" if cut else problem.message
                yield _syntax(SyntaxProblem(problem.line, message)), problem.line
        if code.has_broken_tree:
            yield from self._names_alone(body, context, names)
            return
        configuration = self._configuration(code, context)
        yield from self._assigned(configuration, context, names)
        is_home = any(assignment.home_manager for assignment in configuration.assignments)
        for path, line in code.references:
            if len(path) > 1 and path[0] in self._judge.tree.roots and not configuration.declares(path):
                judged = self._judge.name(path, context, home=is_home)
                if isinstance(judged, Finding):
                    yield judged, line
                elif judged is None:
                    names.setdefault(join_name(path))

    def _assigned(
        self, configuration: Configuration, context: Context, names: dict[str, None]
    ) -> Iterator[tuple[Finding, int]]:
        wrong: list[Path] = []
        for assignment in configuration.assignments:
            path = assignment.path
            if any(path[: len(above)] == above for above in wrong) or configuration.declares(path):
                continue
            finding = self._one(assignment, context, names)
            if finding is not None:
                wrong.append(path)
                yield finding, assignment.line
        for assignment, warning in dangerous_settings(configuration.assignments):
            yield Finding("dangerous_command", join_name(assignment.path), warning), assignment.line

    def _one(self, assignment: Assignment, context: Context, names: dict[str, None]) -> Finding | None:
        path, value = assignment.path, assignment.value
        judged = self._judge.name(path, context, assigned=True, home=assignment.home_manager)
        if isinstance(judged, Finding):
            # A set is judged by what is in it, which says more exactly what is wrong.
            return None if value.bindings and self._judge.tree.look_up(path[:1]).status != "unknown" else judged
        if judged == "unchecked":
            return None
        names.setdefault(one_line(join_name(path)))
        return None if assignment.home_manager else self._judge.value(path, value)

    def _names_alone(self, body: str, context: Context, names: dict[str, None]) -> Iterator[tuple[Finding, int]]:
        """Judge the names in code that does not parse, as if they stood in prose."""
        for found in find_names(body, self._judge.tree, self._judge.old_roots):
            judged = self._judge.name(found.path, context)
            if isinstance(judged, Finding):
                yield judged, body.count("\n", 0, found.start)
            elif judged is None:
                names.setdefault(one_line(join_name(found.path)))


def body_of(segment: Segment) -> tuple[str, int]:
    """The code of a block without its fences, and where in the segment's text it begins.

    In a quotation the signs at the beginnings of the lines are blanked, so that all places stay as they are.
    """
    text = segment.text
    start = text.find("\n") + 1 if segment.opened else 0
    end = text.rstrip("\n").rfind("\n") + 1 if segment.closed else len(text)
    return without_quotation(text[start : max(start, end)]), start


def without_quotation(body: str) -> str:
    """Blank the ``>`` at the beginning of every line, where every line has one."""
    if not body.lstrip().startswith(">") or not all(line.lstrip()[:1] in {">", ""} for line in body.split("\n")):
        return body
    return _QUOTE.sub(lambda found: " " * len(found[0]), body)


def _line_ends(body: str, start: int) -> list[int]:
    ends: list[int] = []
    for line in body.split("\n"):
        start += len(line)
        ends.append(start)
        start += 1
    return ends[:-1] if len(ends) > 1 and body.endswith("\n") else ends


def _syntax(problem: SyntaxProblem) -> Finding:
    message = problem.message.replace("\n", " ")
    return Finding("syntax_error", "", f"line {problem.line + 1}: {message}")
