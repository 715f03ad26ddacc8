"""The options of one NixOS as a tree of attributes: does a written name exist, and which real one is near it?

A written name may hold placeholders (``<name>``, ``*``, ``${name}``), which stand for any attribute, and an
option's path may hold them too, which take any attribute.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import OptionType
from nix_trinity.knowledge.options import Option, Path

Status = Literal["option", "group", "freeform", "below_leaf", "unknown"]

# No real path is longer than 14 attributes; hostile text may be.
_LONGEST_PATH: Final = 64
# Below this a suggestion misleads more often than it helps: measured on misspelt and outdated names.
_LEAST_SCORE: Final = 0.45
_CLOSE: Final = 0.7
# Last attributes that say nothing about where an option belongs, however rare one is below some root.
_GENERAL: Final = frozenset({"enable", "enabled", "name", "type", "path", "port", "host", "user", "group", "url", "x"})
_BEST_FIRST: Final[tuple[Status, ...]] = ("option", "group", "freeform", "below_leaf", "unknown")
_ATTRIBUTE = re.compile(r'"(?:[^"\\\n]|\\.)*"|\$\{[^{}\n]*\}|<[^<>\n]*>|\*|[A-Za-z_][\w\'-]*')
_PLAIN = re.compile(r"[A-Za-z_][\w'-]*|<[^<>]+>|\*|\$\{[^{}]*\}")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Match:
    """What a name is. ``option`` is the option itself, or the one that it is below; None for a group or unknown."""

    status: Status
    option: Option | None = None
    has_children: bool = False
    """Whether the list has names below it."""


class _Node:
    __slots__ = ("children", "generic", "option")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.generic: tuple[_Node, ...] = ()
        """Those of the children that placeholders lead to."""
        self.option: Option | None = None


def is_placeholder(attribute: str) -> bool:
    """Whether an attribute stands for a name of one's own: ``<name>``, ``*``, ``${name}``."""
    return attribute == "*" or attribute.startswith("${") or (attribute.startswith("<") and attribute.endswith(">"))


def split_name(text: str) -> Path | None:
    """Split a written name at the dots outside quotes; None when it is not a name (empty attribute, open quote)."""
    path: list[str] = []
    at = 0
    while found := _ATTRIBUTE.match(text, at):
        attribute = found[0]
        path.append(attribute[1:-1].replace('\\"', '"') if attribute.startswith('"') else attribute)
        at = found.end()
        if at == len(text):
            return tuple(path)
        if text[at] != ".":
            return None
        at += 1
    return None


def join_name(path: Sequence[str]) -> str:
    """Write a path as NixOS does: attributes that are no identifiers get quotes."""
    return ".".join(attribute if _PLAIN.fullmatch(attribute) else f'"{attribute}"' for attribute in path)


class OptionTree:
    """All options, by path. Of two with one path (NixOS and Home Manager) the first is kept."""

    def __init__(self, options: Iterable[Option]) -> None:
        self._root = _Node()
        self._by_last: dict[str, list[Option]] = {}
        origins: set[str] = set()
        for option in options:
            node = self._root
            for attribute in option.path:
                below = node.children.get(attribute)
                if below is None:
                    below = node.children[attribute] = _Node()
                    if is_placeholder(attribute):
                        node.generic = (*node.generic, below)
                node = below
            if node.option is None:
                node.option = option
                self._by_last.setdefault(option.path[-1].lower(), []).append(option)
            origins.add(option.origin)
        self.origins: frozenset[str] = frozenset(origins)
        """Which lists the options came from."""
        self.roots: frozenset[str] = frozenset(self._root.children)
        """The first attributes of all options."""

    def look_up(self, path: Sequence[str]) -> Match:
        """Say what a path is; a real attribute wins over a placeholder, an option over what is below one."""
        best = Match("unknown")
        if not path or len(path) > _LONGEST_PATH:
            return best
        for trail, crossed, depth in self._trails(path):
            match = self._judged(trail, crossed, whole=depth == len(path))
            if match.status == "below_leaf" and any(map(is_placeholder, path[: depth + 1])) and not any(crossed):
                # A stand-in that happens to meet a real option says nothing about what is below that.
                continue
            if _BEST_FIRST.index(match.status) < _BEST_FIRST.index(best.status):
                best = match
                if match.status == "option":
                    break
        return best

    def is_tail(self, path: Sequence[str]) -> bool:
        """Whether some option's path ends so, as in ``settings.PermitRootLogin``."""
        size = len(path)
        return size > 0 and any(
            option.path[-size:] == tuple(path) for option in self._by_last.get(path[-1].lower(), ())
        )

    def nearest(self, path: Sequence[str], limit: int = 3) -> list[str]:
        """Up to ``limit`` real names near an unknown one, the best first."""
        if not path or len(path) > _LONGEST_PATH:
            return []
        scores: dict[str, float] = {}
        for name, score in (*self._siblings(tuple(path), rounds=3), *self._elsewhere(tuple(path))):
            scores[name] = max(score, scores.get(name, 0.0))
        good = [name for name, score in scores.items() if score >= _LEAST_SCORE]
        return sorted(good, key=lambda name: (-scores[name], len(name), name))[:limit]

    def _trails(self, path: Sequence[str]) -> Iterator[tuple[list[_Node], list[bool], int]]:
        """Each way down the tree as far as it goes: its nodes, whether each was a placeholder, its depth."""
        stack: list[tuple[list[_Node], list[bool]]] = [([self._root], [False])]
        while stack:
            trail, crossed = stack.pop()
            depth = len(trail) - 1
            steps = list(_steps(trail[-1], path[depth])) if depth < len(path) else []
            if not steps:
                yield trail, crossed, depth
            # The last one on the stack is followed first: the real attribute.
            stack.extend(([*trail, below], [*crossed, generic]) for below, generic in reversed(steps))

    def _judged(self, trail: list[_Node], crossed: list[bool], *, whole: bool) -> Match:
        if whole:
            option = trail[-1].option
            return Match("option" if option else "group", option, bool(trail[-1].children))
        peeled = 0
        for at in range(len(trail) - 1, 0, -1):
            node = trail[at]
            if node.option is not None:
                inner = _inside(parse_type(node.option.type), peeled)
                if any(_takes_any_name(each, documented=bool(node.children)) for each in inner):
                    return Match("freeform", node.option)
                return Match("unknown") if node.children else Match("below_leaf", node.option)
            # A set of submodules takes any name, but each submodule has a list of options of its own.
            peeled += crossed[at]
        return Match("unknown")

    def _siblings(self, path: Path, rounds: int) -> Iterator[tuple[str, float]]:
        """Names that differ from ``path`` in the first attribute that is not there, and perhaps below it."""
        trail = max((trail for trail, _, _ in self._trails(path)), key=len, default=[self._root])
        depth = len(trail) - 1
        if depth >= len(path) or rounds == 0:
            return
        children = trail[-1].children
        if not children:
            if trail[-1].option is not None:
                yield trail[-1].option.name, 0.5
            return
        for sibling, score in _alike(path[depth], children):
            changed = (*path[:depth], sibling, *path[depth + 1 :])
            match = self.look_up(changed)
            if match.status == "option" and match.option is not None:
                yield match.option.name, score + 0.3
            elif match.status in {"group", "freeform"}:
                yield join_name(changed), score + 0.2
            else:
                deeper = list(self._siblings(changed, rounds - 1))
                yield from ((name, score * below) for name, below in deeper)
                if not deeper:
                    yield join_name(changed[: depth + 1]), score * 0.5

    def _elsewhere(self, path: Path) -> Iterator[tuple[str, float]]:
        """Options with the same last attributes and words in common with the rest."""
        same_last = self._by_last.get(path[-1].lower(), [])
        wanted = {word for attribute in path[1:-1] for word in _words(attribute)}
        few = path[-1] not in _GENERAL and sum(option.path[0] == path[0] for option in same_last) <= 4
        for option in same_last:
            if len(path) > 1 and option.path[-2:] == path[-2:]:
                yield option.name, 1.0 - 0.02 * abs(len(option.path) - len(path))
            elif option.path[0] == path[0]:
                words = {word for attribute in option.path[1:-1] for word in _words(attribute)}
                shared = len(wanted & words) / (len(wanted | words) or 1)
                if shared > 0.4 or few:
                    yield option.name, 0.5 + shared / 2


def _steps(node: _Node, attribute: str) -> Iterator[tuple[_Node, bool]]:
    """The children that an attribute may mean, and whether each is a placeholder; the real one first."""
    if is_placeholder(attribute):
        yield from ((below, is_placeholder(name)) for name, below in node.children.items())
        return
    exact = node.children.get(attribute)
    if exact is not None:
        yield exact, False
    yield from ((below, True) for below in node.generic)


def _inside(option_type: OptionType, levels: int) -> list[OptionType]:
    """The types that the elements have, so many levels down in sets and lists."""
    types = [option_type]
    for _ in range(levels):
        flat = [choice for each in types for choice in (each.alternatives if each.kind == "either" else (each,))]
        types = [each.element for each in flat if each.element is not None]
    return types


def _takes_any_name(option_type: OptionType, *, documented: bool) -> bool:
    """Whether a type takes names of one's own; a submodule whose options are not listed is taken to.

    A scalar with names below it is a submodule with a freeform type: its text is the freeform type's alone.
    """
    match option_type.kind:
        case "either":
            return any(_takes_any_name(choice, documented=documented) for choice in option_type.alternatives)
        case "list":
            return option_type.element is None or _takes_any_name(option_type.element, documented=documented)
        case "submodule":
            return not documented
        case "attributes" | "anything":
            return True
        case _:
            return documented


def _alike(attribute: str, names: Iterable[str], most: int = 5) -> list[tuple[str, float]]:
    """The names most like an attribute, with a likeness between 0 and 1."""
    lowered = {name.lower(): name for name in names if not is_placeholder(name)}
    wanted = attribute.lower()
    words = _words(attribute)
    # One letter of a short word makes another word; one of a long word is a slip.
    trust = 0.9 if len(wanted) <= 4 else 1.0
    scores = {
        name: trust * difflib.SequenceMatcher(None, wanted, name).ratio()
        for name in difflib.get_close_matches(wanted, lowered, n=most, cutoff=_CLOSE)
    }
    for name, original in lowered.items():
        if len(wanted) >= 3 and (wanted in name or (len(name) >= 3 and name in wanted)):
            short, long = sorted((len(name), len(wanted)))
            scores[name] = max(scores.get(name, 0.0), 0.65 + 0.3 * short / long)
        elif shared := words & _words(original):
            likeness = len(shared) / len(words | _words(original))
            scores[name] = max(scores.get(name, 0.0), 0.4 + likeness / 2)
    best = sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [(lowered[name], score) for name, score in best]


@lru_cache(maxsize=4096)
def _words(attribute: str) -> frozenset[str]:
    """The words of an attribute in camelCase or with dashes, in lower case, without short ones."""
    return frozenset(word.lower() for word in _WORD.findall(attribute) if len(word) > 2)
