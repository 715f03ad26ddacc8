"""A pasted error that says that an option does not exist: which one was meant is told at once, whatever a model says."""

from __future__ import annotations

import re
from typing import Final

from nix_trinity.knowledge.option_tree import OptionTree, split_name

# As lib/modules.nix of nixpkgs words it; terminals and people exchange the quotation marks.
_MISSING: Final = re.compile(r"""The option ["'`‘“]([^\s"'`’”]{3,200})["'`’”] does not exist""")
_MOST: Final = 5


def missing_options(text: str, tree: OptionTree | None) -> tuple[str, ...]:
    """A line for each option that ``text`` says is missing, with the real names near it; none where none is near.

    What exists here by now (an old error, another machine's) is not told again.
    """
    if tree is None:
        return ()
    names = dict.fromkeys(_MISSING.findall(text))
    return tuple(line for name in list(names)[:_MOST] if (line := _line(name, tree)))


def _line(name: str, tree: OptionTree) -> str:
    path = split_name(name)
    if path is None or tree.look_up(path).status != "unknown":
        return ""
    near = tree.nearest(path)
    return f"{name} is not an option of this system; perhaps {' or '.join(near)}." if near else ""
