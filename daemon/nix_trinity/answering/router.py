"""Choose which of the four role models answers a question, and say why in words.

The choice is a sum: every signal that is heard (``routing_signals``) adds its weights to the roles, and the role
with the largest sum answers. A model could choose more cleverly, but it would cost a second of the person's time,
and nobody could say why it chose. The strongest one or two signals become the reason, with the words that
were matched (after typing errors were corrected, so ``optoin`` is quoted as ``option``).

Everything here is pure, and looks only at the two ends of what it was given, so ten megabytes of
log cost what ten kilobytes do. The end matters since that is where a log says what failed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nix_trinity.answering.routing_signals.coder import CODER
from nix_trinity.answering.routing_signals.empathy import EMPATHY
from nix_trinity.answering.routing_signals.expert import EXPERT
from nix_trinity.answering.routing_signals.language import language_of
from nix_trinity.answering.routing_signals.quick import QUICK
from nix_trinity.answering.routing_signals.spelling import corrected
from nix_trinity.errors import RequestError

# Also the order that breaks a tie. A kind, full answer disappoints fewest people when two roles fit equally;
# then the one that can do the most; `quick` comes last, since it answers whatever nothing else claims.
ROLES: tuple[str, ...] = ("empathy", "expert", "coder", "quick")

_SIGNALS = (*EMPATHY, *QUICK, *CODER, *EXPERT)

WINDOW_HEAD = 3000
WINDOW_TAIL = 3000
_QUOTE_LENGTH = 40

# Where nothing is heard, the cheapest model answers.
_BASE: Mapping[str, float] = {"quick": 1.0, "empathy": 0.0, "coder": 0.0, "expert": 0.0}

_LEVELS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "beginner": ("comes from a beginner", {"empathy": 3.0, "expert": -0.5}),
    "expert": ("comes from an expert", {"empathy": -3.0, "expert": 0.5}),
}

_TROUBLES = frozenset(
    {"worry", "symptom", "error", "deep_error", "first_timer_error", "nix_language_error", "names_fix"}
)
_WORDS_OF_A_WISH = 6
_QUESTION_MARK = re.compile("[?？؟]")

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LOOKS_LIKE_CODE = re.compile(
    r"^#!/|^\s*\{[^{}]{0,200}\}\s*:|\bwith (?:pkgs|lib);|\bmk(?:if|option|derivation)\b|^(?:services|version):\s",
    re.MULTILINE,
)
_STRAIGHT_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"'})


@dataclass(frozen=True, slots=True)
class RoutingContext:
    """What is known besides the question: the person's level, what was pasted, a role chosen by hand."""

    level: str | None = None
    attachment: str = ""
    forced_role: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The role that answers, why, whether a person forced it, and every role's score (highest first)."""

    role: str
    reason: str
    forced: bool
    scores: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A signal that was heard: its name, its words for a person, what it adds, and what was matched."""

    name: str
    phrase: str
    weights: Mapping[str, float]
    count: int = 1
    matched: tuple[str, ...] = ()

    def adds(self, role: str) -> float:
        """Return what this adds to ``role``, all matches together."""
        return self.weights.get(role, 0.0) * self.count

    def explained(self) -> str:
        """Return the phrase with the matched words, e.g. ``is about code ("script")``."""
        quotes = ", ".join(f'"{_shortened(words)}"' for words in self.matched[:2])
        return f"{self.phrase} ({quotes})" if quotes else self.phrase


def route(question: str, context: RoutingContext) -> Route:
    """Choose the role that answers ``question``; raise ``RequestError`` if the forced role does not exist."""
    if context.forced_role is not None:
        if context.forced_role not in ROLES:
            raise RequestError(
                f"There is no role called {_shortened(context.forced_role)!r}.",
                f"The roles are {', '.join(sorted(ROLES))}; leave the role out to have one chosen.",
                code="unknown_role",
            )
        return Route(context.forced_role, f"{context.forced_role} was asked for by name", True, ())
    heard = listen(question, context)
    totals = {role: _BASE[role] + sum(signal.adds(role) for signal in heard) for role in ROLES}
    # sorted() is stable, so equal scores stay in the order of ROLES.
    scores = tuple(sorted(totals.items(), key=lambda item: -item[1]))
    role = scores[0][0]
    return Route(role, _reason(role, heard), False, scores)


def listen(question: str, context: RoutingContext) -> tuple[Heard, ...]:
    """Return every signal heard in the question and its surroundings, in a fixed order."""
    heard = tuple(_listen(question, context))
    # Who wants something done, and neither asks nor is in trouble, needs no gentle explanation.
    in_trouble = any(signal.name in _TROUBLES for signal in heard) or context.attachment.strip()
    if in_trouble or len(question.split()) < _WORDS_OF_A_WISH or _QUESTION_MARK.search(_window(question)):
        return heard
    return (*heard, Heard("wish", "says what is wanted", {"empathy": -1.0}))


def _listen(question: str, context: RoutingContext) -> Iterator[Heard]:
    asked = _window(question)
    pasted = _window(context.attachment)
    prose = corrected(_FENCE.sub(" ", asked))
    for signal in _SIGNALS:
        text = prose if signal.where == "prose" else f"{asked}\n{pasted}"
        matched = tuple(dict.fromkeys(" ".join(hit.group().split()) for hit in signal.pattern.finditer(text)))
        if matched:
            count = min(len(matched), signal.cap)
            yield Heard(signal.name, signal.phrase, signal.weights, count, matched)
    if _LOOKS_LIKE_CODE.search(pasted):
        yield Heard("pasted_code", "comes with code", {"coder": 1.5})
    if context.level is not None and context.level in _LEVELS:
        phrase, weights = _LEVELS[context.level]
        yield Heard("level", phrase, weights)
    language = language_of(prose)
    if language != "English":
        # The smallest model is the weakest in other languages, and so are its quick facts.
        yield Heard("language", f"is written in {language}", {"empathy": 1.0})
    yield from _lengths(prose, has_attachment=bool(pasted.strip()))


def _lengths(prose: str, *, has_attachment: bool) -> Iterator[Heard]:
    words = len(prose.split())
    if 0 < words <= 9 and not has_attachment:
        yield Heard("short", "is short", {"quick": 0.5})
    if words > 25:
        yield Heard("long", "is long", {"expert": 1.0, "quick": -0.5}, count=2 if words > 45 else 1)


def _window(text: str) -> str:
    """Return the two ends of ``text``, lower-cased and in one spelling of quotes and accents."""
    if len(text) > WINDOW_HEAD + WINDOW_TAIL:
        text = f"{text[:WINDOW_HEAD]}\n{text[-WINDOW_TAIL:]}"
    return unicodedata.normalize("NFC", text).lower().translate(_STRAIGHT_QUOTES)


def _reason(role: str, heard: tuple[Heard, ...]) -> str:
    strongest = sorted((s for s in heard if s.adds(role) > 0), key=lambda s: -s.adds(role))[:2]
    if not strongest:
        return "nothing in the question stands out, so the default answers"
    return " and ".join(signal.explained() for signal in strongest)


def _shortened(words: str) -> str:
    return words if len(words) <= _QUOTE_LENGTH else f"{words[: _QUOTE_LENGTH - 1]}…"
