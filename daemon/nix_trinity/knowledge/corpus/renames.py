"""Tell which of the options that a new release lacks live on under another name.

nixpkgs' list of options leaves renamed ones out, so this goes by likeness: the same last attributes, type and
description; and where a whole set moved, what else stood in it moved along. What is not clearly one option's
successor is nobody's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from nix_trinity.knowledge.options import Option

# Of the points below; a same last attribute and a same description together pass, a same type alone does not.
_ENOUGH = 4.0
_OPENING = 60
_LEAST_OPENING = 20
# So many of a set have to have moved until the others are taken to have moved along.
_LEAST_MOVED = 2


def successors(gone: Sequence[Option], came: Sequence[Option]) -> dict[str, str]:
    """The new name for each old one that has one clear successor among ``came``."""
    by_last: dict[str, list[Option]] = defaultdict(list)
    for option in came:
        by_last[option.path[-1]].append(option)
    found = {}
    for old in gone:
        scored = sorted(((_likeness(old, new), new.name) for new in by_last[old.path[-1]]), reverse=True)
        if scored and scored[0][0] >= _ENOUGH and (len(scored) == 1 or scored[0][0] > scored[1][0]):
            found[old.name] = scored[0][1]
    return found | _moved_along(gone, came, found)


def _moved_along(gone: Sequence[Option], came: Sequence[Option], found: Mapping[str, str]) -> dict[str, str]:
    """Those that the sets they stood in took along: all of a set's known successors stand in one other set."""
    moved: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for was, now in found.items():
        moved[_set_of(was)].add(_set_of(now))
        counts[_set_of(was)] += 1
    there = {option.name: option for option in came if option.name not in found.values()}
    along = {}
    for old in gone:
        sets = moved.get(_set_of(old.name), set())
        if old.name in found or len(sets) != 1 or counts[_set_of(old.name)] < _LEAST_MOVED:
            continue
        new = there.get(f"{next(iter(sets))}.{old.path[-1]}")
        if new is not None:
            along[old.name] = new.name
    return along


def _set_of(name: str) -> str:
    return name.rpartition(".")[0]


def _likeness(old: Option, new: Option) -> float:
    common = 0
    for left, right in zip(reversed(old.path), reversed(new.path), strict=False):
        if left != right:
            break
        common += 1
    shared = len(set(old.path) & set(new.path))
    same_text = _same_opening(old.description, new.description)
    same_type = _plain(old.type) == _plain(new.type)
    other_depth = abs(len(old.path) - len(new.path))
    return common + 0.25 * shared + 2.0 * same_text + 1.0 * same_type - 0.1 * other_depth


def _same_opening(one: str, other: str) -> bool:
    """Whether two descriptions begin alike: of one that is long enough, the other may go on."""
    left, right = _plain(one), _plain(other)
    length = min(len(left), len(right), _OPENING)
    return left == right != "" or (length >= _LEAST_OPENING and left[:length] == right[:length])


def _plain(text: str) -> str:
    # Quotation marks and code marks are what editors change first.
    return "".join(character for character in text.casefold() if character.isalnum())
