"""A question taken apart: how it asks, which way, and about what."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nix_trinity.knowledge.corpus.words import folded
from nix_trinity.knowledge.question_words import (
    BEFORE_INFINITIVES,
    COURTESY,
    DIRECTIONS,
    HERE,
    ON_OR_OFF,
    TURNING,
    is_everyday,
    language_of,
    polarity_of,
    subject_stem,
)

# What is read of a question; the rest of a longer one has to be the same letter by letter.
_LONGEST_READ = 8_000
_NAME = re.compile(
    r"https?://[^\s<>\"]*[^\s<>\".,;:!?)]"  # addresses
    r"|(?<![\w/.])(?:~|\.{1,2})?/[\w.@~+-]*\w(?:/[\w.@~+-]*\w)*"  # paths
    r"|(?<![\w-])--?[a-z][\w-]*(?:=\S+)?"  # flags
    r"|(?<![\w.])[a-z_][\w'-]*(?:\.(?:[a-z_][\w'-]*|\"[^\"\s]+\"|<[\w-]+>|\*))+"  # options and files
)
_QUOTED = re.compile(
    r"\"([^\"\n]{1,300})\"|`([^`\n]{1,300})`|“([^”\n]{1,300})”|«([^»\n]{1,300})»|„([^“”\n]{1,300})[“”]"
)
_ELISION = re.compile(r"\b(?:[ldjnscmt]|qu)['’](?=\w)")
_NOT = re.compile(r"\b(?:do|does|did|is|are|was|were|would|could|should|has|have|had|wo|ca)n['’]?t\b")
_CONTRACTION = re.compile(r"(?<=[a-z])['’](?:s|d|m|ll|re|ve)\b")
_SET_UP = re.compile(r"\bset(?:ting)?[ -]?up\b")
_WORD = re.compile(r"[^\W_]*\d[^\W_]*(?:[.:,/][^\W_]*\d[^\W_]*)*|[^\W_]+(?:\+\+|#)?")
_KINDS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "why",
            r"\b(?:why|how come|what (?:causes|is causing|makes)|what(?: i|['’])s the (?:reason|cause)|warum|wieso|weshalb"
            r"|woran liegt|pourquoi|por que)\b",
        ),
        (
            "how much",
            r"\b(?:how (?:much|many|long|often|big|large|fast|old)|wie (?:viele?|lange|oft|gro(?:ss|ß))|combien|cuant[oa]s?)\b",
        ),
        (
            "how",
            r"\b(?:what(?: i|['’])?s|what are|which(?: is)?|was ist|quelle? est|cual es) (?:the|an?|die|der|das|l['’]|la|el|le)? ?"
            r"(?:\w+ )?(?:options?|commands?|settings?|lines?|names? of the option|way|syntax|befehl|einstellung|commande|opcion|comando)\b"
            r"|\bwhat (?:do|should|must|can|would) (?:i|we|one)\b.*\bto\b|\bwhat to do\b",
        ),
        (
            "what",
            r"\b(?:what(?: i|['’])?s|what are|what does|what do|what did|explain|describe|differences? between|meaning of|define"
            r"|how (?:do|does) (?!i\b|we\b|you\b|one\b|people\b)[\w .-]{1,60} work|was (?:ist|sind|bedeutet|heisst|macht)|erklar\w*"
            r"|unterschied|qu['’]?est|c['’]est quoi|que (?:signifie|fait)|expli\w+|difference entre|que (?:es|son|significa|hace)"
            r"|diferencia)\b|^\W*what\b",
        ),
        (
            "whether it is wise",
            r"\b(?:should (?:i|we|one)|do (?:i|we) (?:need|have) to|must (?:i|we)|is it (?:\w+ )?(?:safe|ok|okay|good|bad|wise|worth|better"
            r"|recommended|necessary)|soll(?:te)? (?:ich|man)|muss (?:ich|man)|dois[- ]je|faut[- ]il|deberia|debo)\b",
        ),
        (
            "which",
            r"^\W*(?:which|welche\w*|quel(?:le)?s?|cual(?:es)?)\b(?! (?:options?|commands?|settings?|lines?|commande|opcion|comando|befehl))",
        ),
        (
            "where",
            r"\b(?:where (?:is|are|does|do(?! i\b| we\b))|wo (?:ist|sind|liegt|liegen|steht)|ou (?:est|sont|se trouve)|donde esta\w*)\b",
        ),
        ("when", r"^\W*(?:when|wann|quand|cuando) "),
        ("who", r"^\W*(?:who|whose|wer|qui est|quien) "),
        ("whether", r"^\W*(?:is|are|does|has|was|were|did)\b(?! (?:there|it possible))"),
    )
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a question says. All words are folded."""

    kind: str
    """What it asks: how, why, what, where, …"""
    language: str
    polarity: frozenset[str]
    """The ways in which it turns things: off, remove, negation, …; the plain positive is none."""
    numbers: tuple[str, ...]
    """Numbers and versions in order: 80 to 8080 is not 8080 to 80."""
    names: frozenset[str]
    """Options, files, paths, addresses, flags and quoted phrases."""
    rare: frozenset[str]
    """The stems that say what it is about."""
    everyday: frozenset[str]
    """The stems that hardly do: server, machine, option."""
    written: Mapping[str, str]
    """How each stem was written: a slip in an ending hides from the stemmer."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it says what it is about."""
        return not (self.numbers or self.names or self.rare or self.everyday)

    @property
    def subject(self) -> frozenset[str]:
        """What has to agree: a question of nothing but general words is about these."""
        return self.rare if self.rare or self.names else self.everyday


@functools.lru_cache(maxsize=1 << 12)
def read(question: str) -> Reading:
    """Take a question apart."""
    names: set[str] = set()
    if len(question) > _LONGEST_READ:
        names.add(hashlib.sha256(question[_LONGEST_READ:].encode("utf-8", "replace")).hexdigest())
    text = COURTESY.sub(" ", " ".join(folded(question[:_LONGEST_READ]).replace("’", "'").split()))
    text = _NOT.sub(" not ", text)
    kind = next((kind for kind, pattern in _KINDS if pattern.search(text)), "how")

    def unquote(match: re.Match[str]) -> str:
        quoted = next(group for group in match.groups() if group is not None).strip()
        if len(quoted.split()) < 2:
            return f" {quoted} "
        names.add(quoted)
        return " "

    def take(match: re.Match[str]) -> str:
        names.add(match[0])
        return " "

    text = _NAME.sub(take, _QUOTED.sub(unquote, text))
    text = _SET_UP.sub(" ", _CONTRACTION.sub("", _ELISION.sub(" ", text)))
    polarity: set[str] = set()
    numbers: list[str] = []
    stems: dict[str, str] = {}
    found = _WORD.findall(text)
    for word, direction in _directed(found):
        if word[0].isdigit():
            numbers.append(word)
        elif way := polarity_of(word):
            polarity.add(way)
        elif one := subject_stem(word):
            stems[f"{direction}>{one}" if direction else one] = f"{direction}>{word}" if direction else word
    everyday = frozenset(one for one in stems if is_everyday(one))
    rare = frozenset(stems) - everyday
    if rare or names:
        everyday -= HERE  # where one asks about NixOS, it goes without saying
    return Reading(
        kind=kind,
        language=language_of(found),
        polarity=frozenset(polarity - {"on"}),
        numbers=tuple(numbers),
        names=frozenset(names),
        rare=rare,
        everyday=everyday,
        written=stems,
    )


def _directed(found: list[str]) -> Iterator[tuple[str, str]]:
    """The words that may count, each with the preposition that gives it its part in the question, or ''."""
    turns = any(word in ON_OR_OFF for word in found)
    direction, before = "", ""
    for word in found:
        if word in DIRECTIONS:
            direction = "" if word == "to" and (not before or before in BEFORE_INFINITIVES) else word
        elif not (turns and word in TURNING):
            yield word, direction
            if subject_stem(word):
                direction = ""
        before = word
