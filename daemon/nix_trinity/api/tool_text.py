"""Checks, options and changes in words for a terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nix_trinity.answering.option_changes import Changes, KnownChange, Upgrade
    from nix_trinity.answering.option_facts import Check, ExplainedOption, Names, Problem

_NAMES_SHOWN = 40


def check_text(check: Check) -> str:
    """What ``nix-trinity check`` shows: a line for each problem, and what it comes to."""
    here = f"the options of NixOS {check.release}" if check.release else "the options of this NixOS"
    errors = sum(problem.is_error for problem in check.problems)
    count = len(check.options)
    named = f"{count} {'option' if count == 1 else 'options'} in it exist{'s' if count == 1 else ''}"
    what = "nothing wrong was found" if not errors else f"{errors} {'thing is' if errors == 1 else 'things are'} wrong"
    return "".join(_problem(problem) for problem in check.problems) + f"{check.verdict}: {what} by {here}; {named}\n"


def option_text(option: ExplainedOption) -> str:
    """What ``nix-trinity option`` shows."""
    lines = [option.name]
    if option.asked != option.name:
        lines.append(f"  asked for    {option.asked}")
    lines.append(f"  type         {option.type}{', read-only' if option.read_only else ''}")
    for what, code in (("default", option.default), ("example", option.example)):
        if code:
            first, *more = code.split("\n")
            lines += [f"  {what:<12} {first}", *(f"{'':15}{line}" for line in more)]
    lines += [f"  declared in  {declaration}" for declaration in option.declarations]
    lines.append(f"  of           {_list(option)}")
    return "\n".join([*lines, "", option.description.strip() or "(no description)", "", option.snippet]) + "\n"


def names_text(names: Names) -> str:
    """Names, a line each."""
    return "".join(f"{name}\n" for name in names.names) + ("…\n" if names.has_more else "")


def changes_text(changes: Changes) -> str:
    """What ``nix-trinity changes`` shows."""
    parts = [_upgrade(upgrade) for upgrade in changes.upgrades]
    if not parts:
        parts.append(f"No change of the options of NixOS {changes.release or '(release unknown)'} was seen here.\n")
    if changes.known:
        parts.append("What NixOS itself says that it renamed and removed, as it holds here:\n")
        parts += [_known(row) for row in changes.known]
    return "".join(parts)


def _problem(problem: Problem) -> str:
    name = f"{problem.name}: " if problem.name else ""
    perhaps = f"; perhaps {' or '.join(problem.suggestions)}" if problem.suggestions else ""
    # A renamed one's message has its new name already.
    perhaps = "" if problem.kind == "renamed_option" else perhaps
    return f"line {problem.line}: {'' if problem.is_error else 'careful: '}{name}{problem.message}{perhaps}\n"


def _list(option: ExplainedOption) -> str:
    if option.origin != "nixos":
        return "Home Manager" if option.origin == "home-manager" else option.origin
    return f"NixOS {option.release}" if option.release else "this NixOS"


def _upgrade(upgrade: Upgrade) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(upgrade.seen_at_ms / 1000))
    before, after = upgrade.from_release or "an earlier list", upgrade.to_release or "this one"
    head = f"From {before} to {after}, seen {when}:"
    counts = f"{len(upgrade.came)} came, {len(upgrade.went)} went, {len(upgrade.renamed)} were renamed"
    renamed = [f"{one.old} -> {one.new}" for one in upgrade.renamed]
    named = (("renamed", renamed), ("went", upgrade.went), ("came", upgrade.came))
    return f"{head} {counts}\n" + "".join(_names(what, names) for what, names in named)


def _names(what: str, names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    lines = [f"  {what:<8} {name}\n" for name in names[:_NAMES_SHOWN]]
    return "".join(lines) + (f"  {'':<8} and {more} more: see --under NAME, or --json\n" if more > 0 else "")


def _known(row: KnownChange) -> str:
    what = f"{row.old} -> {row.new}" if row.new is not None else f"{row.old} is gone"
    return f"  {row.since:<8} {what}{f': {row.note}' if row.note else ''}\n"
