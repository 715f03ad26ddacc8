"""Settings below freeform options: no list has ``nix.settings.experimental-features``, but notes and people name it."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

import msgspec

from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.knowledge.option_tree import split_name
from nix_trinity.knowledge.option_type_text import parse_type

_ELEMENT = re.compile(r"(?:null or )?(?:lazy )?attribute set of (.+)", re.DOTALL)


def with_children(ranked: Sequence[Ranked], children: Mapping[str, str], said: Container[str]) -> list[Ranked]:
    """``ranked`` with each named child beside the freeform option that it stands below.

    ``children`` has the child's name by the option's. One that the person ``said`` goes first; one that only a note
    names may be another than is meant, so it goes after the option.
    """
    found: list[Ranked] = []
    for one in ranked:
        child = _child(one, children.get(one.option.name, ""))
        if child is None:
            found.append(one)
        else:
            found.extend([child, one] if child.option.name in said else [one, child])
    return found


def _child(parent: Ranked, name: str) -> Ranked | None:
    path = split_name(name)
    if path is None or len(path) <= len(parent.option.path) or not parse_type(parent.option.type).is_freeform:
        return None
    element = _ELEMENT.fullmatch(parent.option.type)
    option = msgspec.structs.replace(
        parent.option,
        name=name,
        path=path,
        type=element[1] if element is not None and len(path) == len(parent.option.path) + 1 else "anything",
        default="",
        example="",
        description=f"A setting of {parent.option.name}. {parent.option.description}",
    )
    return Ranked(option, parent.score, parent.features)
