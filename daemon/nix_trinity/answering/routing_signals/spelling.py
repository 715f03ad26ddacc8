"""Put right what was mistyped, where it is one letter away from a word that is listened for."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
# Words worth understanding when they are misspelt by one letter. Signal words and words close enough to one
# of them to be mistaken for it ("sample" for "simple") both belong here: a known word is never corrected.
_CORRECTABLE: frozenset[str] = frozenset(
    """option options command commands setting settings enable disable package packages default renamed
    beginner explain simple simply sample please scared worried screen sound printer scanner keyboard bluetooth
    wallpaper install script scripts example examples overlay overlays module modules derivation function
    snippet generate write white devshell python service services server serves systemd wireguard nvidia kernel
    kernels infinite recursion evaluation security hibernate suspend migrate migration security secrets
    difference different firewall""".split()  # noqa: SIM905 - a list of fifty quoted words is harder to read
)


def corrected(prose: str) -> str:
    """Return ``prose`` with words that are one slip away from a word we listen for put right."""
    return _WORD.sub(lambda found: _corrected_word(found.group()), prose)


def _corrected_word(word: str) -> str:
    # Short words are left alone: "white" is no misspelt "write". First letters are rarely mistyped.
    if len(word) < 5 or word in _CORRECTABLE:
        return word
    near = sorted(known for known in _CORRECTABLE if known[0] == word[0] and _one_slip(word, known))
    # "enabled" is no slip of "enable": endings are left to the patterns.
    return next((known for known in near if not word.startswith(known)), word)


def _one_slip(typed: str, meant: str) -> bool:
    """Tell whether one letter was left out, added, mistaken, or swapped with its neighbour."""
    if abs(len(typed) - len(meant)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(typed, meant, strict=False)) if a != b), min(len(typed), len(meant)))
    left, right = typed[start:], meant[start:]
    return (
        left[1:] == right
        or left == right[1:]
        or left[1:] == right[1:]
        or (left[:2] == right[1::-1] and left[2:] == right[2:])
    )
