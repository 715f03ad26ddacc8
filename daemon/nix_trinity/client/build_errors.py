"""What of a build's output tells why it failed. Pure functions over text."""

from __future__ import annotations

import re

MOST_CHARACTERS = 16_000
_GAP = "\n[…]\n"
_LINES_BEFORE = 12
_LINES_OF_TAIL = 60

# Colours, titles and the like, with which a terminal is told how to show a text.
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_OTHER_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Nix' own, at the beginning of a line. What it says that it ignored is none.
_ERROR = re.compile(r"(?:fatal )?error(?:\[\w+\])?:")
# What else tells of a failure: the switch after the build, and nixos-rebuild itself.
_FAILURE = re.compile(
    r"warning: error\(s\) occurred while switching to the new configuration|(?:warning: )?the following units failed:"
    r"|Activation script snippet '[^']*' failed|Failed to (?:install|run) .*boot ?loader|.*\breturned non-zero exit status \d"
)
# After these, whatever an earlier line of a build's log called an error, the rebuild went on well.
_SUCCESS = re.compile(r"activating the configuration|Done\. The new configuration is|/nix/store/\S+\Z")
# What a person stopped is nothing to explain.
_INTERRUPTED = re.compile(r"error: interrupted by the user")
# What Nix does all the time, which explains nothing.
_ROUTINE = re.compile(
    r"copying path |building '|these \d+ |this (?:derivation|path) will be |  /nix/store/|querying |downloading |unpacking '"
    r"|building the system configuration|updating (?:GRUB|lock file)|evaluation warning: |trace: |\s*% Total |\s*\d+ .*--:--:--"
)
# What follows from an error that was told already. A small model's window has room for causes alone.
_CONSEQUENCE = re.compile(
    r"error: \d+ dependenc(?:y|ies) of derivation .* failed|error: build of .* failed|Command '.*\breturned non-zero exit status"
    r"|\s*\(stack trace truncated"
)
_HAS_OWN_LOG = re.compile(r"last \d+ log lines:")


def failure_in(output: str) -> str | None:
    """What tells why a build failed, at most :data:`MOST_CHARACTERS` of it; None where nothing in it failed."""
    lines = plain(output)
    first = _first_failure(lines)
    if first is None or _is_interrupted(lines[first:]):
        return None
    failure = lines[first:]
    causes = [line for line in failure if not _CONSEQUENCE.match(line)]
    before = [line for line in lines[:first] if line.strip() and not _ROUTINE.match(line)][-_LINES_BEFORE:]
    if any(map(_HAS_OWN_LOG.search, failure)):
        before = []
    return _bounded([*before, *(causes if any(line.strip() for line in causes) else failure)])


def was_interrupted(output: str) -> bool:
    """Whether Nix says that a person stopped it; it may end with 1 all the same."""
    lines = plain(output)
    first = _first_failure(lines)
    return first is not None and _is_interrupted(lines[first:])


def tail_of(output: str) -> str:
    """The last lines, for a command that failed without saying so in a form that is known."""
    return _bounded(plain(output)[-_LINES_OF_TAIL:])


def plain(output: str) -> list[str]:
    """The lines as a terminal shows them in the end, without colours; a line that was written over is gone."""
    lines = []
    for line in _TERMINAL.sub("", output).replace("\r\n", "\n").split("\n"):
        shown = [part for part in line.split("\r") if part.strip()]
        lines.append(_OTHER_CONTROLS.sub("", shown[-1]).rstrip() if shown else "")
    return lines


def _is_interrupted(lines: list[str]) -> bool:
    return any(_INTERRUPTED.match(line) for line in lines)


def _first_failure(lines: list[str]) -> int | None:
    """The line at which what failed begins, after all that went well."""
    done = max((number for number, line in enumerate(lines) if _SUCCESS.match(line)), default=-1)
    for number, line in enumerate(lines[done + 1 :], done + 1):
        if _ERROR.match(line) or _FAILURE.match(line):
            return number
    return None


def _bounded(lines: list[str]) -> str:
    text = "\n".join(lines).strip("\n")
    if len(text) <= MOST_CHARACTERS:
        return text
    # The first error is the one that the others follow from; Nix puts the cause of an evaluation's at its end.
    head = MOST_CHARACTERS // 3
    return text[:head] + _GAP + text[-(MOST_CHARACTERS - head - len(_GAP)) :]
