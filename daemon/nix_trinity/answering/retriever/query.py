"""A question as the index is asked it: option names, terms with what else they may be called, and intent."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from nix_trinity.answering.retriever.pasted import looks_pasted, reduced, telling_lines
from nix_trinity.answering.retriever.vocabulary import Vocabulary
from nix_trinity.knowledge.corpus.words import attribute_words, folded, stem, unique, words

# A name as options have it: at least one dot, attributes of letters or in quotes or placeholders.
_NAME = re.compile(r"(?<![\w./@-])[a-z][A-Za-z0-9_-]*(?:\.(?:[A-Za-z_][\w'-]*|\"[^\"\s]+\"|<[\w-]+>|\*))+")
_FILE_ENDING = re.compile(r"\.(?:nix|lock|conf|service|socket|timer|toml|json|ya?ml|sh|py|md|txt|org|com|net|io|so)$")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u9fff]")),
    ("uk", re.compile(r"[іїєґ]", re.IGNORECASE)),
    ("ru", re.compile(r"[а-яё]", re.IGNORECASE)),
)
_ASKS_WHAT = re.compile(
    r"^\W*(?:what(?:'s| is| are| does| do| did)|why|when|who|explain|difference|is it|is there a difference)\b"
    r"|\bwhat(?:'s| is) the difference\b|\bdifference between\b|\bwhat does .{1,40} (?:mean|do)\b|\bexplain\b"
)
_LONGEST_JOINED = 2
_VARIANT_WEIGHT = 0.7
_TRANSLATED_WEIGHT = 0.9
_CORRECTED_WEIGHT = 0.8
_PHRASE_WEIGHT = 0.9
_NEXT_SYNONYM = 0.9
_WEAK_FACTOR = 0.35
_MOST_TERMS = 24
_LEAST_BEGINNING = 5
# What is read of a question: the rest of a longer one is hardly its subject, and each unknown word costs a search.
_MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Term:
    """A word or phrase of the question: its stem, and others that may stand for it, each with a share up to 1."""

    stem: str
    variants: tuple[tuple[str, float], ...] = ()
    factor: float = 1.0
    """How much it counts: less for an everyday word, and for one whose phrase is a term already."""

    @property
    def stems(self) -> list[str]:
        """What to search for: the stem, unless it is a phrase, and its variants."""
        own = [] if " " in self.stem else [self.stem]
        return [*own, *(variant for variant, _ in self.variants)]


@dataclass(frozen=True, slots=True)
class Query:
    """What the retriever looks for."""

    terms: tuple[Term, ...]
    names: tuple[str, ...]
    """What looks like an option's name in the question or the pasted text."""
    turns_on: bool
    asks_what: bool
    """It asks what something is or why, rather than how to have it."""
    language: str
    pasted: str
    """The pasted error, whole, for the notes' triggers; '' when nothing was pasted."""

    @property
    def stems(self) -> list[str]:
        """All stems to search for."""
        return unique(one for term in self.terms for one in term.stems)


Known = Callable[[Sequence[str]], Mapping[str, int]]
"""Says in how many documents each stem occurs."""
Nearest = Callable[[str], Sequence[str]]
"""Says which words of the index a word may be a misspelling of."""


def analyse(
    question: str,
    attachment: str,
    *,
    vocabulary: Vocabulary,
    known: Known,
    nearest: Nearest,
    is_error: bool = False,
) -> Query:
    """Read a question. ``attachment`` is what was piped in; errors may stand in the question too.

    ``is_error`` says that the question has a known error in it, whatever it looks like.
    """
    is_error = is_error or looks_pasted(question)
    pasted = attachment if attachment.strip() else question if is_error else ""
    asked = _asked(question) if is_error else question
    error = " ".join(reduced(line) for line in telling_lines(pasted)[:4]) if pasted else ""
    language = language_of(asked, vocabulary)
    names = tuple(unique(_names(question) + _names("\n".join(telling_lines(pasted)))))[:8]
    terms = _terms(_NAME.sub(_as_words, asked), language, vocabulary, known, nearest)
    if error:
        have = {term.stem for term in terms}
        extra = _terms(_NAME.sub(_as_words, error), "en", vocabulary, known, lambda _: ())
        terms = [*terms, *(term for term in extra if term.stem not in have)]
    lowered = folded(question)
    return Query(
        terms=tuple(terms[:_MOST_TERMS]),
        names=names,
        turns_on=_any_phrase(vocabulary.turn_on).search(lowered) is not None,
        asks_what=_ASKS_WHAT.search(lowered) is not None,
        language=language,
        pasted=pasted,
    )


def language_of(text: str, vocabulary: Vocabulary) -> str:
    """The language of ``text``, by its script, or by whose function words it has most of; ``en`` in doubt."""
    for language, script in _SCRIPTS:
        if len(script.findall(text)) >= 2:
            return language
    found = re.findall(r"[^\W\d_]+", folded(text))
    counts = {
        language: sum(word in stop_words for word in found) for language, stop_words in vocabulary.stop_words.items()
    }
    best = max(counts, key=lambda language: (counts[language], language == "en"), default="en")
    return best if counts.get(best, 0) > counts.get("en", 0) else "en"


def _asked(question: str) -> str:
    """The question without the lines of an error that was pasted into it."""
    lines = question.splitlines()
    telling = set(telling_lines(question))
    kept = [line for line in lines if line.strip() not in telling]
    return "\n".join(kept) if any("?" in line or len(line.split()) > 3 for line in kept) else question


def _names(text: str) -> list[str]:
    found = [match[0].removeprefix("config.") for match in _NAME.finditer(text)]
    return [name for name in found if not _FILE_ENDING.search(name) and not name.startswith(("pkgs.", "lib."))]


def _as_words(match: re.Match[str]) -> str:
    return " ".join(word for attribute in match[0].split(".") for word in attribute_words(attribute))


def _terms(text: str, language: str, vocabulary: Vocabulary, known: Known, nearest: Nearest) -> list[Term]:
    found = _split(text, language, vocabulary)
    stems = [stem(word) for word in found]
    stop = vocabulary.stop_words.get(language, frozenset()) | vocabulary.stop_words.get("en", frozenset())
    said = [at for at, word in enumerate(found) if word not in stop and len(word) > 1]
    frequencies = known(unique([*stems, *(_joined(stems, at) for at in range(len(stems) - 1))]))
    terms: dict[str, Term] = {}
    in_phrase = set[int]()
    for at, length in _phrases(stems, vocabulary):
        variants: dict[str, float] = {}
        _add_synonyms(variants, tuple(stems[at : at + length]), vocabulary, _PHRASE_WEIGHT)
        terms[" ".join(stems[at : at + length])] = Term(" ".join(stems[at : at + length]), tuple(variants.items()))
        in_phrase.update(range(at, at + length))
    translated = set[int]()
    for at, length, meant in _foreign_phrases(found, language, vocabulary):
        variants = {}
        _add_translations(variants, meant, vocabulary)
        terms[" ".join(found[at : at + length])] = Term(" ".join(found[at : at + length]), tuple(variants.items()))
        translated.update(range(at, at + length))
    for at in said or range(len(found)):
        if at in translated:
            continue
        word, one = found[at], stems[at]
        guessed = False
        variants = {}
        _add_translations(variants, _translated(word, language, vocabulary), vocabulary)
        if at not in in_phrase:
            _add_synonyms(variants, (one,), vocabulary, _VARIANT_WEIGHT)
        for start in (at - 1, at):
            if 0 <= start < len(stems) - 1 and frequencies.get(_joined(stems, start)):
                variants.setdefault(_joined(stems, start), 1.0)
        if not frequencies.get(one) and not variants:
            _add_translations(variants, _translated_from_any(word, vocabulary), vocabulary)
        if not frequencies.get(one) and not variants and not _is_joined(found, at):
            for near in nearest(word):
                variants.setdefault(stem(near), _CORRECTED_WEIGHT)
                _add_synonyms(variants, (stem(near),), vocabulary, _CORRECTED_WEIGHT * _VARIANT_WEIGHT)
                # Words of another language that the lexicon lacks resemble English ones by chance.
                guessed = language != "en"
        variants.pop(one, None)
        weak = at in in_phrase or word in vocabulary.weak_words or guessed
        terms.setdefault(one, Term(one, tuple(variants.items()), _WEAK_FACTOR if weak else 1.0))
    return list(terms.values())


def _phrases(stems: Sequence[str], vocabulary: Vocabulary) -> list[tuple[int, int]]:
    """Where phrases of two words and more with synonyms stand, the longest first at each place."""
    found, at = [], 0
    while at < len(stems):
        longest = min(vocabulary.longest_phrase, len(stems) - at)
        length = next((n for n in range(longest, 1, -1) if tuple(stems[at : at + n]) in vocabulary.synonyms), 0)
        if length:
            found.append((at, length))
        at += length or 1
    return found


def _is_joined(found: Sequence[str], at: int) -> bool:
    """Whether a word is what follows it, joined: ``sshserver`` before ``ssh``, ``server``. Its parts are searched."""
    return any(found[at] == "".join(found[at + 1 : at + 1 + n]) for n in (2, 3, 4))


def _joined(stems: Sequence[str], at: int) -> str:
    return "".join(stems[at : at + _LONGEST_JOINED])


def _add_synonyms(into: dict[str, float], phrase: tuple[str, ...], vocabulary: Vocabulary, weight: float) -> None:
    # The more telling word comes first in the vocabulary.
    for place, meant in enumerate(vocabulary.synonyms.get(phrase, ())):
        into.setdefault(meant, weight * _NEXT_SYNONYM**place)


def _add_translations(into: dict[str, float], translations: Sequence[str], vocabulary: Vocabulary) -> None:
    for meant in translations:
        parts = tuple(stem(part) for part in words(meant))
        for part in parts:
            into.setdefault(part, _TRANSLATED_WEIGHT)
        for phrase in {parts, *((part,) for part in parts)}:
            _add_synonyms(into, phrase, vocabulary, _TRANSLATED_WEIGHT * _VARIANT_WEIGHT)


def _foreign_phrases(
    found: Sequence[str], language: str, vocabulary: Vocabulary
) -> list[tuple[int, int, Sequence[str]]]:
    """Where phrases of the question's language stand, the longest first at each place, and their English words."""
    lexicon = vocabulary.lexicons.get(language)
    hits: list[tuple[int, int, Sequence[str]]] = []
    at = 0
    while lexicon is not None and at < len(found):
        longest = min(lexicon.longest_phrase, len(found) - at)
        length = next((n for n in range(longest, 1, -1) if tuple(found[at : at + n]) in lexicon.phrases), 0)
        if length:
            hits.append((at, length, lexicon.phrases[tuple(found[at : at + length])]))
        at += length or 1
    return hits


def _translated_from_any(word: str, vocabulary: Vocabulary) -> Sequence[str]:
    """The translation of a word that no option has, from whichever language knows it: two words tell none yet."""
    for lexicon in vocabulary.lexicons.values():
        if found := lexicon.translate(word, least=_LEAST_BEGINNING):
            return found
    return ()


def _translated(word: str, language: str, vocabulary: Vocabulary) -> Sequence[str]:
    lexicon = vocabulary.lexicons.get(language)
    return lexicon.translate(word) if lexicon is not None else ()


def _split(text: str, language: str, vocabulary: Vocabulary) -> list[str]:
    """The words of ``text``; what is written without spaces is cut by the longest known words."""
    found: list[str] = []
    lexicon = vocabulary.lexicons.get(language)
    for word in words(text):
        if lexicon is None or not _CJK.search(word):
            found.append(word)
            continue
        for run in re.findall(r"[a-z0-9]+|[^a-z0-9]+", word):
            found.extend([run] if run.isascii() else _cut(run, lexicon.parts, lexicon.longest))
    return found[:_MOST_WORDS]


def _cut(run: str, known: Set[str], longest: int) -> list[str]:
    found, at = [], 0
    while at < len(run):
        length = next((n for n in range(min(longest, len(run) - at), 0, -1) if run[at : at + n] in known), 0)
        if length:
            found.append(run[at : at + length])
        at += length or 1
    return found


@functools.cache
def _any_phrase(phrases: frozenset[str]) -> re.Pattern[str]:
    # In scripts without spaces a phrase stands inside the text; elsewhere it is whole words.
    whole = [re.escape(phrase) for phrase in sorted(phrases) if phrase.isascii()]
    inside = [re.escape(phrase) for phrase in sorted(phrases) if not phrase.isascii()]
    parts = [rf"(?<!\w)(?:{'|'.join(whole)})(?!\w)"] if whole else []
    return re.compile("|".join(parts + inside) or r"(?!)")
