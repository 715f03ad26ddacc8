"""Tell which of the options that a new release lacks live on under another name.

nixpkgs' list of options leaves renamed ones out, so this goes by likeness: the same last attributes, type and
description. What is not clearly one option's successor is nobody's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nix_trinity.knowledge.options import Option

# Of the points below; a same last attribute and a same description together pass, a same type alone does not.
_ENOUGH = 4.0


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
    return found


def _likeness(old: Option, new: Option) -> float:
    common = 0
    for left, right in zip(reversed(old.path), reversed(new.path), strict=False):
        if left != right:
            break
        common += 1
    shared = len(set(old.path) & set(new.path))
    same_text = bool(old.description.strip()) and _opening(old) == _opening(new)
    same_type = old.type == new.type
    return common + 0.25 * shared + 2.0 * same_text + 1.0 * same_type


def _opening(option: Option) -> str:
    return " ".join(option.description.split())[:60]
