"""How many tokens a text may have, without asking a tokenizer: each base model has its own."""

from __future__ import annotations

import math
import re
from typing import Final

# What a chat template puts around a message.
TOKENS_A_MESSAGE: Final = 8
# Words in letters of one case; whatever has digits in it (hashes, keys), which has a token for almost each
# character; white space, but for the blank before a word, which is part of the word's token; signs.
_PIECE = re.compile(
    r"[A-Za-z0-9]*[0-9][A-Za-z0-9]*|[a-z]+|[A-Z]+|\s\s+| (?![A-Za-z])|[^\S ]|[!-~]|[^\x00-\x7f]+|[\x00-\x1f\x7f]"
)
_RUN = re.compile(r"(.)\1{3,}|\s+", re.DOTALL)


def most_tokens(text: str) -> int:
    """Over-estimate the tokens of ``text``: tests hold it above the real tokenizer's count."""
    return sum(_most_tokens_of(piece[0]) for piece in _PIECE.finditer(text))


def _most_tokens_of(piece: str) -> int:
    if not piece.isascii():
        return len(piece.encode("utf-8", "replace"))
    if piece.isalpha():
        return math.ceil(len(piece) / (3 if piece.islower() else 1.5))
    return math.ceil(len(piece) / 1.5) if piece.isspace() else len(piece)


def expected_tokens(text: str) -> int:
    """Estimate on the low side the tokens of ``text``, for noticing that the engine has not seen all of it."""
    short = _RUN.sub(" ", text)
    plain = sum(1 for character in short if character.isascii())
    return int(plain / 6 + (len(short) - plain) * 0.5)
