"""What an option's type text says: which values it takes.

The texts are those of nixpkgs' ``lib/types.nix`` (``description``), as they stand in ``options.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "boolean",
    "integer",
    "number",
    "string",
    "path",
    "package",
    "enum",
    "list",
    "attributes",
    "submodule",
    "function",
    "null",
    "either",
    "anything",
]


@dataclass(frozen=True, slots=True)
class OptionType:
    """A type, as far as its text says; ``anything`` where it says too little to check a value against it."""

    kind: Kind
    element: OptionType | None = None
    """Of a list, or of an attribute set's values."""
    members: tuple[str | int | float | bool, ...] = ()
    """Of an enum."""
    minimum: float | None = None
    """The least value of a number, inclusive."""
    maximum: float | None = None
    """The greatest value of a number, inclusive."""
    pattern: str | None = None
    """What a string has to match as a whole (POSIX extended, as Nix' ``builtins.match`` takes it)."""
    alternatives: tuple[OptionType, ...] = ()
    """Of ``either``: a value of any of them will do."""
    not_empty: bool = False
    """A string or list of which an empty one is refused."""

    @property
    def is_freeform(self) -> bool:
        """Whether names below the option are the person's own: no list says which of them exist."""
        if self.kind == "either":
            return any(alternative.is_freeform for alternative in self.alternatives)
        return self.kind in {"attributes", "anything"}


def parse_type(text: str) -> OptionType:
    """Read a type text; what is not understood is ``anything``, never an error."""
    raise NotImplementedError
