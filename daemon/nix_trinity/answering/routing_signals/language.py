"""Guess which language a question is written in."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    # Kana first: Japanese text contains Chinese characters too.
    ("Japanese", re.compile(r"[\u3040-\u30ff]")),
    ("Chinese", re.compile(r"[\u4e00-\u9fff]")),
    ("Korean", re.compile(r"[\uac00-\ud7af]")),
    ("Russian or a neighbour of it", re.compile(r"[\u0400-\u04ff]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
    ("Hebrew", re.compile(r"[\u0590-\u05ff]")),
    ("Arabic or Persian", re.compile(r"[\u0600-\u06ff]")),
    ("Hindi", re.compile(r"[\u0900-\u097f]")),
    ("Thai", re.compile(r"[\u0e00-\u0e7f]")),
)

_FUNCTION_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "English": "the is are a an and or of to in it my i do does how what which that this with for not you can on",
        "German": "der die das ist sind ein eine und oder nicht ich wie was mein meine mit für auf kann den dem zu mir",
        "French": "le la les est un une et ou ne pas je comment quelle quel mon ma avec pour sur des du dans que moi",
        "Spanish": "el la los las es un una y o no yo cómo qué cuál mi con para en del que por tengo puedo se",
        "Portuguese": "o a os as é um uma e ou não eu como qual meu minha com para em do da que por sou se no na",
        "Italian": "il lo la gli è un una e o non io come quale mio mia con per in del della che sono di uno",
        "Dutch": "de het een is en of niet ik hoe wat mijn met voor op kan dat van naar werkt",
        "Polish": "jest i nie jak co mój moja z na do w się czy mam to dla",
        "Swedish": "är en ett och eller inte jag hur vad min med för på kan att det som",
        "Turkish": "bir ve bu nasıl ne için ile mi çok yok değil ben benim",
    }.items()
}


def language_of(text: str) -> str:
    """Guess the language ``text`` is written in, by its script or else by its function words."""
    for language, script in _SCRIPTS:
        # Two characters, so that a single foreign name or symbol in an English question does not count.
        if len(script.findall(text)) >= 2:
            return language
    words = _WORD.findall(text)
    counts = {language: sum(word in known for word in words) for language, known in _FUNCTION_WORDS.items()}
    # English stands first in the table and so wins a tie.
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] >= 2 else "English"
