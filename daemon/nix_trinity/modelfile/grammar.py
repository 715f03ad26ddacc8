"""A Modelfile as a value, and the words and signs that reading and writing it share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

MessageRole = Literal["system", "user", "assistant"]

KEYWORDS: Final = (
    *("from", "parameter", "template", "system", "adapter", "license", "message"),
    *("renderer", "parser", "requires"),
)
MESSAGE_ROLES: Final = ("system", "user", "assistant")
VERSION: Final = re.compile(r"v?(0|[1-9]\d*)(\.(0|[1-9]\d*)){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
# To Ollama, "PARAMETER system x" is "SYSTEM x", and so with each of its commands (FROM is "model" there).
PARAMETER_NAME: Final = rf"(?!(?:model|{'|'.join(KEYWORDS[2:])})(?![A-Za-z0-9_]))[A-Za-z0-9_]+"
# What Go's unicode.IsSpace holds; Python's str.strip() would also take the separators U+001C to U+001F.
SPACES: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True, slots=True)
class Message:
    """One line of an example conversation."""

    role: MessageRole
    content: str


@dataclass(frozen=True, slots=True)
class Modelfile:
    """A Modelfile's content; ``None`` and the empty tuple mean that the base model's own value stays.

    ``parameters`` keeps names, texts and order as written; ``typed_parameters`` gives them their types.
    """

    base: str | None = None
    further_weights: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    system: str | None = None
    adapters: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None
