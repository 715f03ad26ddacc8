"""Whether two questions ask (nearly) the same, so that the answer to one is the answer to the other.

Taking two questions for one is the costly mistake: the second person gets a wrong answer. So everything that could
make an answer wrong has to agree (which way, numbers, names, what is asked about, and how it is asked about), and only
courtesies, function words, the most general words and slips of the pen may differ.
"""

from __future__ import annotations

import hashlib

from rapidfuzz.distance import OSA

from nix_trinity.knowledge.corpus.words import folded
from nix_trinity.knowledge.question_reading import Reading, read
from nix_trinity.knowledge.question_words import POLARITY_IN_WORDS

_VOWELS = frozenset("aeiou")


def cluster_key(question: str) -> str:
    """SHA-256, in hexadecimal, of what ``question`` asks: equal when only case, signs, order or courtesies differ."""
    reading = read(question)
    if reading.is_empty:
        return _digest("text", " ".join(folded(question).split()))
    return _digest(*_frame(reading), " ".join(sorted(reading.rare)), " ".join(sorted(reading.everyday)))


def same_question(left: str, right: str) -> bool:
    """Whether two questions ask nearly the same: no difference in kind, and at most one general word apart."""
    one, other = read(left), read(right)
    if one.is_empty or other.is_empty:
        return cluster_key(left) == cluster_key(right)
    return len(one.everyday ^ other.everyday) <= 1 and not _difference(one, other)


def differs_in_kind(left: str, right: str) -> str:
    """Why the answer to one question is none to the other, in words; '' when nothing speaks against it.

    General words (server, machine, option) may still differ: use it as a guard beside a measure of likeness, or
    same_question.
    """
    one, other = read(left), read(right)
    if (one.is_empty or other.is_empty) and cluster_key(left) != cluster_key(right):
        return "One of them does not say what it is about."
    return _difference(one, other)


def likeness_block(question: str) -> str:
    """Equal for all questions that same_question may take for the same: compare only within a block.

    Questions in a block are mostly, not always, the same.
    """
    reading = read(question)
    if reading.is_empty:
        return cluster_key(question)
    # A slip of the pen keeps the first letter, and how many words there are.
    return _digest(*_frame(reading), " ".join(sorted(f"{word[0]}{'>' in word}" for word in reading.rare)))


def _frame(reading: Reading) -> tuple[str, ...]:
    """What has to be equal to the letter."""
    return (
        reading.kind,
        reading.language,
        " ".join(sorted(reading.polarity)),
        " ".join(reading.numbers),
        "\n".join(sorted(reading.names)),
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def _difference(one: Reading, other: Reading) -> str:
    if one.kind != other.kind:
        return f"One asks {one.kind}, the other {other.kind}."
    if one.language != other.language:
        return "They are in different languages."
    if turned := one.polarity ^ other.polarity:
        return f"Only one of them is about {POLARITY_IN_WORDS[min(turned)]}."
    if one.numbers != other.numbers:
        return f"Their numbers differ: {', '.join(one.numbers) or 'none'} and {', '.join(other.numbers) or 'none'}."
    if names := one.names ^ other.names:
        return f"Only one of them names {min(names)}."
    left, right = one.subject - other.subject, other.subject - one.subject
    if left or right:
        for word in sorted(left):
            written_so = next((two for two in sorted(right) if _is_slip_of(one, word, other, two)), None)
            if written_so is None:
                return f"Only one of them is about {word.replace('>', ' ')}."
            left, right = left - {word}, right - {written_so}
        if right:
            return f"Only one of them is about {min(right).replace('>', ' ')}."
    return ""


def _is_slip_of(one: Reading, left: str, other: Reading, right: str) -> bool:
    return _is_slip(left, right) or _is_slip(one.written[left], other.written[right])


def _is_slip(left: str, right: str) -> bool:
    """Whether two stems are one word typed with a slip.

    Not every small distance is one: systemd and system, locale and locate, networkd and network are different things.
    """
    if (
        min(len(left), len(right)) < 6
        or left[0] != right[0]
        or not (left + right).isascii()
        or not (left + right).isalpha()
    ):
        return False
    if OSA.distance(left, right, score_cutoff=1) > 1:
        return False
    if len(left) == len(right):
        apart = [at for at, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        swapped = len(apart) == 2
        return swapped or (apart[0] < len(left) - 1 and {left[apart[0]], right[apart[0]]} <= _VOWELS)
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    at = next((i for i, (a, b) in enumerate(zip(longer, shorter, strict=False)) if a != b), len(shorter))
    doubled = longer[at] == longer[at - 1]
    return doubled or (len(shorter) >= 8 and at < len(shorter))
