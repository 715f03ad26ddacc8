"""Texts and option names as words that can be compared.

The index and the questions go through the same functions, so that they agree on what a word is. Stems are
Snowball's English ones (https://snowballstem.org/algorithms/english/stemmer.html).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

_WORD = re.compile(r"[^\W_]+(?:[-_][^\W_]+)*")
# What follows an apostrophe in English carries nothing: doesn't, user's, I'd.
_CONTRACTION = re.compile(r"(?<=[a-z])['’](?:s|t|d|m|ll|re|ve)\b")
_PART = re.compile(r"[^\W_]+")
# allowedTCPPorts: allowed TCP Ports. Digits stay with their word: fail2ban, ipv6.
_CAMEL = re.compile(r"[A-Z]{2,}(?![a-z])[0-9]*|[A-Z]?[^\WA-Z_]+|[A-Z]+")
_LONGEST_WORD = 64


def folded(text: str) -> str:
    """``text`` in lower case and without accents, in the composed compatibility form."""
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFKD", text)
    # Marks are dropped after Latin, Greek and Cyrillic letters only. Elsewhere they are part of the letter, and have to
    # be one with it again: a Japanese or Korean word falls apart at them.
    return unicodedata.normalize("NFC", "".join(c for c in split if not "\u0300" <= c <= "\u036f")).lower()


@functools.cache
def _stem_word() -> Callable[[str], str]:
    import snowballstemmer

    stem_word: Callable[[str], str] = snowballstemmer.stemmer("english").stemWord
    return stem_word


@functools.lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of one folded word; words that are not plain English letters are their own."""
    return _stem_word()(word) if word.isascii() and word.isalpha() and len(word) > 2 else word


def words(text: str) -> list[str]:
    """The folded words of ``text``; a word with hyphens comes whole and in parts."""
    found: list[str] = []
    for match in _WORD.finditer(_CONTRACTION.sub("", folded(text))):
        whole = match[0]
        if len(whole) > _LONGEST_WORD:
            continue
        parts = _PART.findall(whole)
        if len(parts) > 1:
            found.append("".join(parts))
        found.extend(parts)
    return found


def stems(text: str) -> list[str]:
    """The stems of the words of ``text``, in order."""
    return [stem(word) for word in words(text)]


@functools.lru_cache(maxsize=1 << 15)
def attribute_words(attribute: str) -> tuple[str, ...]:
    """The folded words of one attribute of an option's path: ``allowedTCPPorts`` is allowed, tcp, ports.

    A name in several words is there as one too, since people write it so; placeholders have none.
    """
    if attribute.startswith("<") or attribute == "*":
        return ()
    parts = [part.lower() for run in _PART.findall(attribute) for part in _CAMEL.findall(run)]
    if len(parts) > 1:
        parts.append("".join(parts))
    return tuple(folded(part) for part in parts)


def name_stems(path: Sequence[str]) -> list[str]:
    """The stems of all words of an option's path."""
    return [stem(word) for attribute in path for word in attribute_words(attribute)]


def unique(items: Iterable[str]) -> list[str]:
    """``items`` without repetitions, in order."""
    return list(dict.fromkeys(items))
