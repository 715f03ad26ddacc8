"""Judge one option name, or one value, against the tree of options."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from nix_trinity.answering.verifier.findings import Finding, one_line
from nix_trinity.answering.verifier.foreign import HOME_MANAGER_ROOTS, is_foreign, is_hidden
from nix_trinity.answering.verifier.nix_expression import Expression
from nix_trinity.answering.verifier.renamed import Renames, Successor
from nix_trinity.answering.verifier.values import described_type, described_value, may_take, refused_part
from nix_trinity.knowledge.option_tree import Match, OptionTree, is_placeholder, join_name
from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import OptionType
from nix_trinity.knowledge.options import Path

_RECENT: Final = 600
_MOST_BEFORE: Final = 20_000
_HOME_MANAGER = re.compile(r"home[- ]?manager|\bhome\.nix\b|~/\.config/home-manager", re.IGNORECASE)
_DECLARATION = re.compile(r"\boptions\.([A-Za-z_][\w.-]{0,200}[\w-])\s*=?")
# Roots of Home Manager's that NixOS has too.
_SHARED_ROOTS: Final = frozenset({"programs", "services", "systemd", "fonts", "i18n", "nix", "nixpkgs", "launchd"})
# Words that stand for a name of one's own, where the writer gave no brackets.
_STAND_IN = re.compile(
    r"[A-Z][A-Z0-9_-]+|(?:your|my)(?:[-_A-Z]\w*|user|name|host|service|app|program|module|package)\w*"
)

Unchecked = Literal["unchecked"]


@dataclass(frozen=True, slots=True)
class Context:
    """What the text around a segment says about the names in it."""

    home_manager: bool = False
    declared: tuple[Path, ...] = ()
    """Options that the answer itself declares."""

    @staticmethod
    def of(before: str, text: str = "") -> Context:
        """Read it from the answer up to a segment, and the segment itself."""
        recent = before[-_RECENT:] + text
        earlier = before[-_MOST_BEFORE:] + text
        declared = tuple({tuple(found[1].split(".")) for found in _DECLARATION.finditer(earlier)})
        return Context(_HOME_MANAGER.search(recent) is not None, declared)


class Judge:
    """Knows the options, and what became of those that are gone."""

    def __init__(self, tree: OptionTree, renames: Renames, release: str) -> None:
        self.tree = tree
        self.old_roots = renames.roots - tree.roots
        """First attributes of options that are all gone."""
        self._renames = renames
        self._here = f"this NixOS ({release})" if release else "this NixOS"
        self._roots = tree.roots - {"lib", "_module"}
        self._knows_home_manager = "home-manager" in tree.origins

    def is_root(self, attribute: str) -> bool:
        """Whether options, old ones and Home Manager's too, begin with the attribute."""
        return attribute in self._roots or attribute in self.old_roots or is_foreign((attribute,))

    def name(
        self, path: Path, context: Context, *, assigned: bool = False, home: bool = False
    ) -> Finding | Unchecked | None:
        """Judge a name: None when it exists, ``unchecked`` when this list cannot tell, else what is wrong.

        ``home``: it stands in Home Manager code. ``assigned``: it is given a value, not only mentioned.
        """
        match = self.tree.look_up(path)
        if match.status in {"option", "group", "freeform"}:
            return None
        if home and not self._knows_home_manager:
            return "unchecked"
        if match.status == "below_leaf" and not assigned and _is_package(match):
            return None
        written = one_line(join_name(path))
        gone = self._renames.find(path, self.tree)
        if gone is not None:
            return self._gone(written, gone)
        if is_hidden(path) or self._is_elsewhere(path, context):
            return "unchecked"
        if match.status == "below_leaf" and match.option is not None:
            message = f"not an option of {self._here}: nothing is below `{one_line(match.option.name)}`"
            return Finding("unknown_option", written, message, (match.option.name,))
        suggestions = tuple(self.tree.nearest([each for each in path if each]))
        return Finding("unknown_option", written, f"not an option of {self._here}", suggestions)

    def value(self, path: Path, value: Expression) -> Finding | None:
        """Judge what an option that exists is set to."""
        match = self.tree.look_up(path)
        written = one_line(join_name(path))
        if match.status == "group" and value.kind not in {"attributes", "function", "unknown", "apply", "path"}:
            if path[-1] == "*" or is_placeholder(path[-1]) or len(path) < 2:
                return None
            enable = (*path, "enable")
            suggestions = (join_name(enable),) if self.tree.look_up(enable).status == "option" else ()
            message = f"a set of options, which cannot be {described_value(value)}"
            return Finding("wrong_value", written, message, suggestions)
        wanted = _type_of(match, path)
        # With names below it an option takes a set, even where its type's text tells only of what else may be in it.
        if wanted is None or (match.has_children and value.kind == "attributes") or may_take(wanted, value):
            return None
        part_type, part = refused_part(wanted, value)
        each = "each element of it is" if part is not value else "takes"
        message = _printable(f"{each} {described_type(part_type)}, not {described_value(part)}")
        return Finding("wrong_value", written, message)

    def _gone(self, written: str, gone: Successor) -> Finding:
        since = f" in {gone.row.since}" if gone.row.since else ""
        note = f"; {gone.row.note}" if gone.row.note else ""
        if gone.name is not None:
            return Finding("renamed_option", written, f"renamed{since} to `{gone.name}`{note}", (gone.name,))
        there = tuple(
            name for name in gone.row.instead if self.tree.look_up(tuple(name.split("."))).status != "unknown"
        )
        return Finding("removed_option", written, f"removed{since}{note}", there)

    def _is_elsewhere(self, path: Path, context: Context) -> bool:
        """Whether a module that this list does not cover may have the option."""
        if is_foreign(path, self.tree.roots) or any(path[: len(own)] == own[: len(path)] for own in context.declared):
            return True
        if any(_STAND_IN.fullmatch(attribute) for attribute in path[:3]):
            return True
        if self._knows_home_manager:
            return False
        if context.home_manager:
            return path[0] in HOME_MANAGER_ROOTS or path[0] in _SHARED_ROOTS
        # `xdg.configFile` can only be Home Manager's; below `xdg.portal`, which NixOS has, its list decides.
        return path[0] in HOME_MANAGER_ROOTS and self.tree.look_up(path[:2]).status == "unknown"


def _is_package(match: Match) -> bool:
    wanted = parse_type(match.option.type) if match.option else None
    return wanted is not None and "package" in {wanted.kind, *(choice.kind for choice in wanted.alternatives)}


def _type_of(match: Match, path: Path) -> OptionType | None:
    """The type that a value at a path has to have, where the list tells."""
    if match.option is None:
        return None
    wanted = parse_type(match.option.type)
    if match.status == "option":
        return wanted
    if match.status == "freeform" and len(path) == len(match.option.path) + 1 and wanted.kind == "attributes":
        return wanted.element
    return None


def _printable(text: str) -> str:
    """Take line breaks and control characters out of a message that has code spans of its own."""
    return "".join(character if character.isprintable() else " " for character in text)
