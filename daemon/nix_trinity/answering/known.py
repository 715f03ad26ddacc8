"""Whether a question is one that was answered before: not much the same, but the same.

A past answer given in place of a new one is a lie when it is the answer to something else, so this is strict. Two
questions are the same when all words that carry meaning are the same and stand in the same order; only how one asks
("how do I", "please tell me how to"), the sentence's small words and slips of the keyboard may differ. A part such as
"on my laptop" may stand first or last. ``make bench-known`` measures it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from nix_trinity.answering.known_words import said
from nix_trinity.answering.past import likeness
from nix_trinity.answering.retriever.query import language_of
from nix_trinity.answering.retriever.vocabulary import Vocabulary
from nix_trinity.knowledge.corpus.words import folded, stem
from nix_trinity.knowledge.sameness import differs_in_kind

LEAST_LIKENESS = 0.9
"""Below it, two questions differ in more small words than a question has by chance. None of the pairs of
tests/data/known_pairs.jsonl is mistaken at any threshold from 0.5: the order of the words decides, not this."""
_LONGEST_MENDED = 2_000
_FLAG = re.compile(r"(?<!\S)-[A-Za-z]+\b")

# Words of six plain letters or more: a slip makes other words of shorter ones that are no part of a name.
_PLAIN_WORD = re.compile(r"(?<![\w./@=-])[A-Za-z]{6,30}(?![\w/@=-]|\.\w)")
_PLACES = frozenset({"on", "in", "at", "for", "with", "under", "when", "while", "after", "before", "during", "if"})
# Words that people mistype and that are no program's name: what is nearly one of these is meant to be it.
_OFTEN_TYPED_WORDS = """
enable disable install uninstall configure configuration server service services firewall bluetooth keyboard layout
password automatic automatically update updates upgrade upgrades garbage collection printer printing printers screen
desktop environment default timezone package packages kernel virtual machine wireless hostname address static remote
access scanner battery hibernate suspend graphics driver drivers graphical permission permissions database backup
backups partition encrypted encryption memory option options without loader generation generations delete remove
channel language touchpad scrolling natural brightness
"""
_OFTEN_TYPED = frozenset(_OFTEN_TYPED_WORDS.split())

Known = Callable[[Sequence[str]], Mapping[str, int]]
"""Says in how many options each stem occurs; what occurs in none is left out."""


def sameness(left: str, right: str, vocabulary: Vocabulary, known: Known, *, least: float = LEAST_LIKENESS) -> float:
    """How surely two questions are the same, from ``least`` to 1; 0 when they are not, or not surely."""
    if " ".join(left.split()) == " ".join(right.split()):
        return 1.0
    # Words are compared without regard to case; -l and -L are different flags.
    if _FLAG.findall(left) != _FLAG.findall(right):
        return 0.0
    left, right = (mended(text, vocabulary, known) for text in (left, right))
    one, other = said(left, vocabulary), said(right, vocabulary)
    # Two readings by two hands have to agree; differs_in_kind looks at more, and forgives more.
    if not one.words or not _in_the_same_order(one.words, other.words) or differs_in_kind(left, right):
        return 0.0
    how_much = likeness(one.worth(), other.worth())
    return how_much if how_much >= least else 0.0


def mended(question: str, vocabulary: Vocabulary, known: Known) -> str:
    """The question with slips of the keyboard in everyday words taken back; words that any option has are none."""
    if language_of(question, vocabulary) != "en":
        return question
    strange = [
        word for word in _PLAIN_WORD.findall(folded(question)[:_LONGEST_MENDED]) if _is_strange(word, vocabulary)
    ]
    there = known([stem(word) for word in strange]) if strange else {}
    meant = {word: _meant(word) for word in strange if stem(word) not in there}
    return _PLAIN_WORD.sub(lambda found: meant.get(found[0].lower(), found[0]), question) if meant else question


def _in_the_same_order(left: Sequence[str], right: Sequence[str]) -> bool:
    """Whether the words are the same in the same order, a part that a preposition begins being free to move."""
    if tuple(left) == tuple(right):
        return True
    if sorted(left) != sorted(right):
        return False
    return any(
        tuple(mine) == (*yours[at:], *yours[:at])
        for mine, yours in ((left, right), (right, left))
        for at, word in enumerate(yours)
        if word in _PLACES
    )


def _is_strange(word: str, vocabulary: Vocabulary) -> bool:
    return not (word in _OFTEN_TYPED or word in vocabulary.weak_words or word in vocabulary.stop_words.get("en", ()))


def _meant(token: str) -> str:
    near = {word for word in _OFTEN_TYPED if word[0] == token[0] and _one_slip(token, word)}
    return near.pop() if len(near) == 1 else token


def _one_slip(left: str, right: str) -> bool:
    """Whether one letter is missing, too many, wrong, or two neighbours are swapped."""
    if abs(len(left) - len(right)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    if len(left) == len(right):
        swapped = left[start + 1 : start + 2] + left[start : start + 1] + left[start + 2 :]
        return left[start + 1 :] == right[start + 1 :] or swapped == right[start:]
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[start + 1 :] == shorter[start:]
