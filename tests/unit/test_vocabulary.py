"""modelfiles/vocabulary.toml: its form, its languages, and that its words are words of the real options."""

from __future__ import annotations

import copy
import json
import lzma
import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.catalogue import modelfiles_dir

Vocabulary = dict[str, Any]

SECTIONS = {"weak_words", "synonyms", "languages", "stop_words", "turn_on", "turn_off"}
LARGE = ("de", "fr", "es", "it", "nl", "pl", "pt", "ru", "zh", "ja")
SMALL = ("tr", "uk", "sv", "cs", "ko")
WITHOUT_SPACES = ("zh", "ja", "ko")
STEM_MIN = 5
# Words of one language's politeness or grammar that name a program elsewhere; nobody means the program by them.
ALSO_NAMES = {("fr", "bonjour"), ("en", "please"), ("pt", "isso")}

VOCABULARY: Vocabulary = tomllib.loads((modelfiles_dir() / "vocabulary.toml").read_text(encoding="utf-8"))


def wrong_key(key: str, *, stems: bool) -> str | None:
    """What is wrong with a word or phrase as it stands in the file, or None."""
    bare = key.removesuffix("*") if stems else key
    if key != key.lower() or unicodedata.normalize("NFC", key) != key:
        return "not lower case in composed form"
    if not bare or " ".join(bare.split()) != bare or "*" in bare:
        return "empty, spaced oddly, or with a * that is not at the end"
    if bare != key and len(bare) < STEM_MIN:
        return f"a stem of fewer than {STEM_MIN} letters"
    return None


def covers(key: str, word: str) -> bool:
    """Whether a key (a stem when it ends in *) stands for the word."""
    return word.startswith(key[:-1]) if key.endswith("*") else word == key


def complaints(vocabulary: Vocabulary) -> Iterable[str]:
    """Everything that breaks the file's own rules, as far as it can be told without the options."""
    if set(vocabulary) != SECTIONS:
        yield f"the sections are {sorted(vocabulary)}"
        return
    synonyms = vocabulary["synonyms"]
    tables = {"synonyms": synonyms} | {f"languages.{name}": table for name, table in vocabulary["languages"].items()}
    for title, table in tables.items():
        for key, words in table.items():
            if problem := wrong_key(key, stems=title != "synonyms"):
                yield f"{title}: {key!r} is {problem}"
            if not words or len(set(words)) != len(words) or not all(words):
                yield f"{title}: {key!r} has an empty list, an empty word or a word twice"
            if title == "synonyms" and key in words:
                yield f"{title}: {key!r} repeats itself"
    weak = vocabulary["weak_words"]
    if len(set(weak)) != len(weak) or any(wrong_key(word, stems=False) for word in weak):
        yield "weak_words: a word twice, or one that is not lower case"
    for section in ("stop_words", "turn_on", "turn_off"):
        expected = {"en", *LARGE, *SMALL}
        if set(vocabulary[section]) != expected:
            yield f"{section}: other languages than {sorted(expected)}"
        for language, words in vocabulary[section].items():
            if len(set(words)) != len(words):
                yield f"{section}.{language}: a word twice"
            for word in words:
                if problem := wrong_key(word, stems=section != "stop_words"):
                    yield f"{section}.{language}: {word!r} is {problem}"
    for language, stop in vocabulary["stop_words"].items():
        own = vocabulary["languages"].get(language, {})
        for word in stop:
            if (word in synonyms and (language, word) not in ALSO_NAMES) or any(covers(key, word) for key in own):
                yield f"stop_words.{language}: {word!r} would hide a word that identifies options"
        on, off = (set(vocabulary[section].get(language, ())) for section in ("turn_on", "turn_off"))
        if (both := on & off) or (both := (on | off) & set(stop)):
            yield f"{language}: {sorted(both)} say two things"


def broken(change: Callable[[Vocabulary], object]) -> list[str]:
    """The complaints about our own file after one change."""
    vocabulary = copy.deepcopy(VOCABULARY)
    change(vocabulary)
    return list(complaints(vocabulary))


def options_of(data_dir: Path) -> dict[str, dict[str, Any]]:
    """The real options by name."""
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        options: dict[str, dict[str, Any]] = json.load(file)
    return options


def option_words(data_dir: Path) -> tuple[set[str], set[str]]:
    """The words of all option names, and of names and descriptions: whole, lower-cased and taken apart."""
    names, texts = set[str](), set[str]()
    for name, option in options_of(data_dir).items():
        for part in re.findall(r'"[^"]*"|[^."]+', name):
            bare = part.strip('"')
            names.update((bare, bare.lower()))
            names.update(word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])|[A-Za-z0-9]+", bare))
        texts.update(re.findall(r"[a-z0-9]+", str(option.get("description", "")).lower()))
        texts.update(re.findall(r"[A-Za-z0-9_-]+", str(option.get("description", ""))))
    return names, names | texts


def widened(question: str, language: str) -> set[str]:
    """The option words that the file's own rules, as its head states them, lead a question to."""
    english = [question.lower()]
    table: dict[str, list[str]] = VOCABULARY["languages"].get(language, {})
    for key, words in table.items():
        if key in english[0] if language in WITHOUT_SPACES else stands_in(key, english[0]):
            english += words
    found = set(english)
    for key, words in VOCABULARY["synonyms"].items():
        if any(stands_in(key, text) for text in english):
            found.update(words)
    return found


def stands_in(key: str, text: str) -> bool:
    """Whether the key, a stem when it ends in *, stands in the text at the edges of words."""
    bare = key.removesuffix("*")
    end = "" if bare != key else r"(?!\w)"
    return bare in text and re.search(rf"(?<!\w){re.escape(bare)}{end}", text) is not None


def test_the_file_keeps_its_own_rules() -> None:
    assert list(complaints(VOCABULARY)) == []


def test_it_covers_english_and_fifteen_languages() -> None:
    languages = VOCABULARY["languages"]
    assert set(languages) == {*LARGE, *SMALL}
    assert len(VOCABULARY["synonyms"]) >= 250
    assert {name for name in LARGE if len(languages[name]) < 60} == set()
    assert {name for name in SMALL if len(languages[name]) < 40} == set()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda v: v.pop("turn_off"), "the sections are"),
        (lambda v: v["weak_words"].append(v["weak_words"][0]), "weak_words: a word twice"),
        (lambda v: v["synonyms"].update({"WiFi": ["wireless"]}), "not lower case"),
        (lambda v: v["synonyms"].update({"wifi*": ["wireless"]}), "not at the end"),
        (lambda v: v["synonyms"].update({"wifi": []}), "an empty list"),
        (lambda v: v["synonyms"].update({"wifi": ["wireless", "wireless"]}), "a word twice"),
        (lambda v: v["synonyms"].update({"wifi": ["wifi"]}), "repeats itself"),
        (lambda v: v["languages"]["de"].update({"ton*": ["sound"]}), "fewer than 5 letters"),
        (lambda v: v["languages"]["de"].update({"a  b": ["sound"]}), "spaced oddly"),
        (lambda v: v["languages"]["fr"].update({"cle\u0301": ["key"]}), "composed form"),
        (lambda v: v["turn_on"].pop("ja"), "other languages"),
        (lambda v: v["stop_words"]["en"].append("boot menu"), "would hide"),
        (lambda v: v["stop_words"]["de"].append("druckertreiber"), "would hide"),
        (lambda v: v["stop_words"]["ru"].append("и"), "a word twice"),
        (lambda v: v["turn_off"]["en"].append("enable"), "say two things"),
        (lambda v: v["stop_words"]["en"].append("enable"), "say two things"),
    ],
)
def test_a_slip_in_the_file_is_seen(change: Callable[[Vocabulary], object], complaint: str) -> None:
    assert any(complaint in found for found in broken(change))


def test_every_expansion_is_a_word_of_the_real_options(data_dir: Path) -> None:
    names, texts = option_words(data_dir)
    words = {word for expansion in VOCABULARY["synonyms"].values() for word in expansion}
    assert sorted(words - texts) == []
    assert len(words & names) >= 0.97 * len(words), "expansions have to stand in names, not only in descriptions"


def test_every_foreign_word_leads_to_an_english_word_that_means_something(data_dir: Path) -> None:
    known = option_words(data_dir)[1] | set(VOCABULARY["synonyms"])
    lost = {word for table in VOCABULARY["languages"].values() for words in table.values() for word in words} - known
    assert lost == set()


def test_no_stop_word_hides_the_name_of_an_option(data_dir: Path) -> None:
    named = {part.lower() for name in options_of(data_dir) for part in name.split(".")[:2]} - {"nixos"}
    hidden = {(language, word) for language, stop in VOCABULARY["stop_words"].items() for word in named & set(stop)}
    assert hidden <= ALSO_NAMES


@pytest.mark.parametrize(
    ("language", "question", "word"),
    [
        ("en", "my laptop fans are loud", "thinkfan"),
        ("en", "Run a script every night", "timers"),
        ("en", "what is my hostname", "hostName"),
        ("en", "WiFi does not come up", "networkmanager"),
        ("de", "Mein Netzwerkdrucker druckt nichts", "printing"),
        ("de", "Die Lüfter sind laut", "thinkfan"),
        ("fr", "L'imprimante ne marche pas", "printing"),
        ("es", "No hay sonido en los altavoces", "pipewire"),
        ("pt", "Meu teclado está errado", "keyMap"),
        ("it", "Come cambio il fuso orario?", "timeZone"),
        ("nl", "Elke nacht een reservekopie maken", "restic"),
        ("pl", "Jak otworzyć port w zaporze?", "allowedTCPPorts"),
        ("ru", "Ноутбук не засыпает при закрытии крышки", "lidSwitch"),
        ("uk", "Як налаштувати принтери?", "printing"),
        ("zh", "声音没有了怎么办", "pipewire"),
        ("ja", "プリンターが見つかりません", "printing"),
        ("ko", "방화벽에서 포트를 열고 싶어요", "allowedTCPPorts"),
        ("tr", "Saat dilimi yanlış", "timeZone"),
        ("sv", "Vilket tangentbord ska jag välja", "xkb"),
        ("cs", "Tiskárna netiskne", "printing"),
    ],
)
def test_a_question_in_plain_words_reaches_the_words_of_its_options(language: str, question: str, word: str) -> None:
    assert word in widened(question, language)


@pytest.mark.parametrize("question", ["", "   ", "(((", "[a-z]*", "\x00", "a" * 50_000, "İ", "𝕎𝕚𝔽𝕚"])
@pytest.mark.parametrize("language", ["en", "de", "ja", "xx"])
def test_a_strange_question_reaches_nothing(language: str, question: str) -> None:
    assert widened(question, language) == {question.lower()}
