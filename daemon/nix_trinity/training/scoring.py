"""How well one answer does what was asked of it: right option, validity, facts, a correction that it honours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nix_trinity.knowledge.learning import Lesson
from nix_trinity.knowledge.option_tree import split_name
from nix_trinity.knowledge.options import Path
from nix_trinity.training.advice import advised
from nix_trinity.training.ports import Trial
from nix_trinity.training.questions import Question, is_or_is_below, names_any
from nix_trinity.training.settings_text import settings_in
from nix_trinity.training.version import Learned

ItemKind = Literal["question", "held_out", "correction"]

# A wrong answer that looks right does more harm than one that misses the point.
_VALIDITY: Final = 3.0
_RIGHT_OPTION: Final = 2.0
_CORRECTION: Final = 2.0
_FACTS: Final = 1.0
# How much of a correction's commands, or of its longer words where it has none, an answer has to say.
_SAME_COMMANDS: Final = 0.6
_SAME_WORDS: Final = 0.5
_CODE = re.compile(r"`([^`\n]{2,200})`")
_BLOCK = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t>]*(?:`{3,}|~{3,})|\Z)", re.MULTILINE | re.DOTALL)
_WORD = re.compile(r"\w{5,}")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a version is evaluated on."""

    id: str
    kind: ItemKind
    question: str
    options: tuple[str, ...]
    """Of a correction: those that it names, all of which have to be named. Else: any of them is right."""
    forbidden: tuple[str, ...]
    facts: tuple[str, ...] = ()
    correction: str = ""
    """Of a correction: what it says."""


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one item; None is what does not apply to it."""

    right_option: bool | None
    valid: bool
    """The three that follow at once."""
    no_invented: bool
    """No name that this NixOS lacks and no value that it refuses."""
    parses: bool
    no_forbidden: bool
    facts: float | None
    """The share of the facts that are said."""
    correction: bool | None
    total: float
    """The weighted mean of those that apply, from 0 to 1; validity counts most."""
    first_token_ms: float | None
    tokens_per_second: float | None
    answered: bool = True


def of_question(question: Question) -> Item:
    """An evaluation question as an item."""
    return Item(question.id, "question", question.question, question.options, question.forbidden, facts=question.facts)


def of_held_out(lesson: Lesson, forbidden: Sequence[str]) -> Item:
    """A confirmed exchange as an item: any option that its answer names is right."""
    return Item(lesson.exchange_id, "held_out", lesson.question, tuple(lesson.option_types), tuple(forbidden))


def of_correction(learned: Learned, options: Sequence[str], forbidden: Sequence[str]) -> Item:
    """A correction as an item; ``options`` are the real ones that it names."""
    return Item(learned.id, "correction", learned.question, tuple(options), tuple(forbidden), correction=learned.answer)


def score(item: Item, trial: Trial) -> Score:
    """Judge an answer. No answer is an invalid one, and right in nothing."""
    answered = trial.error is None
    no_invented, parses = answered and not trial.wrong, answered and trial.parses
    no_forbidden = answered and not advised(trial.text, item.forbidden)
    valid = no_invented and parses and no_forbidden
    right_option = correction = facts = None
    if item.kind == "correction":
        correction = honours(item.correction, item.options, trial)
    elif item.options:
        right_option = answered and names_any(item.options, trial.names)
    if item.facts:
        said = sum(re.search(fact, trial.text, re.IGNORECASE) is not None for fact in item.facts)
        facts = said / len(item.facts) if answered else 0.0
    parts = ((_VALIDITY, valid), (_RIGHT_OPTION, right_option), (_CORRECTION, correction), (_FACTS, facts))
    apply = [(weight, float(value)) for weight, value in parts if value is not None]
    return Score(
        right_option=right_option,
        valid=valid,
        no_invented=no_invented,
        parses=parses,
        no_forbidden=no_forbidden,
        facts=facts,
        correction=correction,
        total=sum(weight * value for weight, value in apply) / sum(weight for weight, _ in apply),
        first_token_ms=trial.first_token_ms,
        tokens_per_second=trial.tokens_per_second,
        answered=answered,
    )


def honours(correction: str, options: Sequence[str], trial: Trial) -> bool | None:
    """Whether an answer says what a correction says; None when the correction says nothing that can be looked for.

    With options: the answer names all of them, and gives each that the correction sets in Nix code the same value
    (in code of its own, or in its words where it sets the option in none). Without: it has most of the correction's
    commands; of one that has none, half of its longer words.
    """
    if trial.error is not None:
        return False
    if options:
        return all(names_any([option], trial.names) for option in options) and _same_values(
            options, correction, trial.text
        )
    text = " ".join(trial.text.casefold().split())
    commands = _commands(correction)
    if commands:
        return sum(command in text for command in commands) / len(commands) >= _SAME_COMMANDS
    words = set(_WORD.findall(correction.casefold()))
    return len(words & set(_WORD.findall(text))) / len(words) >= _SAME_WORDS if words else None


def _same_values(options: Sequence[str], correction: str, answer: str) -> bool:
    given = _values(options, answer)
    said = " ".join(answer.split())
    return all(
        wanted <= given[path]
        if path in given
        else all(re.search(rf"(?<![\w.]){re.escape(value)}(?!\w)", said) for value in wanted)
        for path, wanted in _values(options, correction).items()
    )


def _values(options: Sequence[str], text: str) -> dict[Path, set[str]]:
    """What code in a text gives each option, by the option's own path, and what is below it where it takes any name."""
    known = sorted((path for option in options if (path := split_name(option)) is not None), key=len, reverse=True)
    values: dict[Path, set[str]] = {}
    for path, value in settings_in(text):
        option = next((one for one in known if is_or_is_below(path, one)), None)
        if option is not None:
            values.setdefault((*option, *path[len(option) :]), set()).add(value)
    return values


def _commands(text: str) -> list[str]:
    blocks = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    found = [*blocks, *_CODE.findall(_BLOCK.sub("", text))]
    return [" ".join(one.casefold().split()).removeprefix("$ ") for one in found if one.strip()]
