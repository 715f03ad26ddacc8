"""The words that people use for what option names call otherwise: ``modelfiles/vocabulary.toml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nix_trinity.catalogue import read_toml
from nix_trinity.errors import CatalogueError
from nix_trinity.knowledge.corpus.words import folded, stem, words

FILE_NAME = "vocabulary.toml"
_Phrase = tuple[str, ...]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    synonyms: dict[str, list[str]]
    languages: dict[str, dict[str, list[str]]]
    stop_words: dict[str, list[str]]
    turn_on: dict[str, list[str]]
    turn_off: dict[str, list[str]]
    weak_words: list[str] = []


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's words and their English ones: whole words, beginnings of words, and phrases in words."""

    whole: Mapping[str, Sequence[str]]
    beginnings: Mapping[str, Sequence[str]]
    phrases: Mapping[_Phrase, Sequence[str]]
    parts: frozenset[str]
    """Whole words and those of phrases: what a text without spaces is cut into."""
    longest: int
    longest_phrase: int

    def translate(self, word: str, *, least: int = 3) -> Sequence[str]:
        """The English words for ``word``, by itself or its beginning of ``least`` letters; none when not known."""
        if word in self.whole:
            return self.whole[word]
        for length in range(min(len(word), self.longest), least - 1, -1):
            if word[:length] in self.beginnings:
                return self.beginnings[word[:length]]
        return ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All of the file, folded and stemmed as the index is."""

    synonyms: Mapping[_Phrase, Sequence[str]]
    """A word or phrase, as stems, and the stems that stand for it in option names."""
    lexicons: Mapping[str, Lexicon]
    stop_words: Mapping[str, frozenset[str]]
    turn_on: frozenset[str]
    turn_off: frozenset[str]
    weak_words: frozenset[str]
    """Everyday English words: rare in descriptions of options, and telling nothing all the same."""
    longest_phrase: int


def load_vocabulary(path: Path) -> Vocabulary:
    """Read the vocabulary.

    :raises CatalogueError: the file is not there or does not have its form.
    """
    try:
        file = msgspec.convert(read_toml(path), _File)
    except msgspec.ValidationError as error:
        raise CatalogueError(
            f"{path}: the vocabulary cannot be used: {error}.", "Install NixTrinity anew: this file is part of it."
        ) from error
    synonyms = {
        tuple(stem(word) for word in words(phrase)): tuple(stem(word) for text in meant for word in words(text))
        for phrase, meant in file.synonyms.items()
    }
    return Vocabulary(
        synonyms=synonyms,
        lexicons={language: _lexicon(entries) for language, entries in file.languages.items()},
        stop_words={
            language: frozenset(part for word in entries for part in (folded(word), *words(word)[:1]))
            for language, entries in file.stop_words.items()
        },
        turn_on=_phrases(file.turn_on),
        turn_off=_phrases(file.turn_off),
        weak_words=frozenset(folded(word) for word in file.weak_words),
        longest_phrase=max((len(phrase) for phrase in synonyms), default=1),
    )


def _lexicon(entries: Mapping[str, Sequence[str]]) -> Lexicon:
    whole: dict[str, Sequence[str]] = {}
    beginnings: dict[str, Sequence[str]] = {}
    phrases: dict[_Phrase, Sequence[str]] = {}
    for key, meant in entries.items():
        # A question is split by the same function, so that a word with a hyphen is a phrase in it too.
        said = tuple(words(key.removesuffix("*")))
        if len(said) == 1:
            (beginnings if key.endswith("*") else whole)[said[0]] = tuple(meant)
        elif said and key.endswith("*") and " " not in key:
            beginnings[said[0]] = tuple(meant)
        elif said:
            phrases[said] = tuple(meant)
    parts = frozenset(whole).union(*phrases)
    return Lexicon(
        whole,
        beginnings,
        phrases,
        parts,
        longest=max((len(word) for word in (*parts, *beginnings)), default=0),
        longest_phrase=max((len(phrase) for phrase in phrases), default=1),
    )


def _phrases(by_language: Mapping[str, Sequence[str]]) -> frozenset[str]:
    return frozenset(folded(phrase) for phrases in by_language.values() for phrase in phrases)
