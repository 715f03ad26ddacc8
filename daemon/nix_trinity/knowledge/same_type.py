"""Whether an option kept its type, though the list of options may word it otherwise."""

from __future__ import annotations

from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import OptionType


def same_type(left: str, right: str) -> bool:
    """Whether two texts are of one type: the same text, or two that are read as the same and leave nothing unread."""
    if left == right:
        return True
    one, other = parse_type(left), parse_type(right)
    return one == other and _says_all(one)


def _says_all(one: OptionType) -> bool:
    """Whether a type says which values it takes; of two that were not understood it is not known."""
    inner = (*one.alternatives, *((one.element,) if one.element is not None else ()))
    return one.kind not in {"anything", "submodule", "function"} and all(map(_says_all, inner))
