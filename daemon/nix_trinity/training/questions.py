"""The questions that versions are evaluated on: ``modelfiles/evaluation.toml``, and files of the same form of people's own.

Nothing here does I/O except :func:`load_questions`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from nix_trinity.catalogue import ROLES, modelfiles_dir, read_toml
from nix_trinity.errors import CatalogueError
from nix_trinity.knowledge.option_tree import is_placeholder, split_name
from nix_trinity.knowledge.sameness import same_question

FILE_NAME = "evaluation.toml"

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2}")


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question with what a right answer to it is; patterns are regular expressions, read without case."""

    id: str
    question: str
    lang: str = "en"
    """ISO 639-1."""
    roles: tuple[str, ...] = ROLES
    """The roles that are to know it."""
    options: tuple[str, ...] = ()
    """Any of these is right, as is what is below it; none: the answer is no option."""
    forbidden: tuple[str, ...] = ()
    """What may not be advised; once loaded, with what the file forbids in all answers."""
    facts: tuple[str, ...] = ()
    """What has to be said."""


class Questions(msgspec.Struct, frozen=True):
    """All questions, in the order of their files."""

    asked: tuple[Question, ...]
    forbidden: tuple[str, ...]
    """What our file forbids in all answers."""


def load_questions(further: Sequence[str | Path] = (), *, path: Path | None = None) -> Questions:
    """Read our questions (``path``: from another file) and the ``further`` files.

    :raises CatalogueError: a file cannot be read or is wrong; names file, question, key and the fix.
    """
    path = path or modelfiles_dir() / FILE_NAME
    forbidden, own = _read(path)
    asked = list(own)
    for file in map(Path, further):
        asked.extend(_read(file)[1])
    seen: set[str] = set()
    for question in asked:
        if question.id in seen:
            where = ", ".join(str(file) for file in (path, *further))
            raise CatalogueError(f"Two evaluation questions have the id {question.id!r}: {where}.", "Rename one.")
        seen.add(question.id)
    return Questions(tuple(asked), forbidden)


def sample(questions: Iterable[Question], most: int, role: str) -> list[Question]:
    """Up to ``most`` (0: all) of a role's questions, in their order: always the same ones, whatever is added."""
    own = [question for question in questions if role in question.roles]
    if not 0 < most < len(own):
        return own
    drawn = sorted(own, key=lambda question: hashlib.sha256(question.id.encode()).digest())[:most]
    chosen = {question.id for question in drawn}
    return [question for question in own if question.id in chosen]


def contradicted_by(question: str, answer_names: Sequence[str], questions: Iterable[Question]) -> str | None:
    """The id of an evaluation question that asks nearly the same and has none of its right options in the answer."""
    for known in questions:
        if known.options and not names_any(known.options, answer_names) and same_question(question, known.question):
            return known.id
    return None


def names_any(options: Iterable[str], names: Iterable[str]) -> bool:
    """Whether one of ``names`` is one of the right ``options``, or below it; placeholders stand for any attribute."""
    right = [path for option in options if (path := split_name(option)) is not None]
    named = [path for name in names if (path := split_name(name)) is not None]
    return any(is_or_is_below(path, option) for path in named for option in right)


def is_or_is_below(path: Sequence[str], option: Sequence[str]) -> bool:
    """Whether a path is an option's, or below it; placeholders stand for any attribute."""
    return len(path) >= len(option) and all(
        wanted == given or is_placeholder(wanted) or is_placeholder(given)
        for wanted, given in zip(option, path, strict=False)
    )


def _read(path: Path) -> tuple[tuple[str, ...], list[Question]]:
    """What a file forbids in all answers, and its questions."""
    document = read_toml(path)
    for key in document:
        if key not in ("forbidden", "questions"):
            raise CatalogueError(f"{path} has an unknown key {key!r}.", 'Use forbidden = ["…"] and [[questions]] only.')
    try:
        forbidden = msgspec.convert(document.get("forbidden", []), tuple[str, ...])
    except msgspec.ValidationError as error:
        raise CatalogueError(f"{path}: forbidden: {error}.", "Write it as a list of regular expressions.") from error
    _check_patterns(forbidden, f"{path}: forbidden")
    entries = document.get("questions", [])
    if not isinstance(entries, list):
        raise CatalogueError(f"{path}: questions is not a list of tables.", "Write each one below [[questions]].")
    return forbidden, [_question(entry, number, forbidden, path) for number, entry in enumerate(entries, start=1)]


def _question(entry: Any, number: int, common: tuple[str, ...], path: Path) -> Question:
    named = entry.get("id") if isinstance(entry, dict) else None
    where = f"{path}: question {named if isinstance(named, str) else number}"
    try:
        question = msgspec.convert(entry, Question)
    except msgspec.ValidationError as error:
        what, _, below = str(error).partition(" - at `$")
        key = below.rstrip("`").lstrip(".")
        raise CatalogueError(f"{where}{f': {key}' if key else ''}: {what}.", f"Correct it in {path.name}.") from error
    if not _ID.fullmatch(question.id):
        raise CatalogueError(f"{where}: id: {question.id!r} is no id.", 'Write it as in id = "enable-ssh".')
    if not question.question.strip():
        raise CatalogueError(f"{where}: question: it is empty.", "Write the question, or remove its table.")
    if not _LANGUAGE.fullmatch(question.lang):
        raise CatalogueError(f"{where}: lang: {question.lang!r} is no language.", 'Write it as in lang = "de".')
    for role in question.roles:
        if role not in ROLES:
            raise CatalogueError(f"{where}: roles: there is no role {role!r}.", f"The roles are {', '.join(ROLES)}.")
    if not question.roles:
        raise CatalogueError(f"{where}: roles: it is for nobody.", "Leave roles out where it is for all.")
    for option in question.options:
        if split_name(option) is None:
            raise CatalogueError(f"{where}: options: {option!r} is no option's name.", "Correct the name.")
    _check_patterns(question.forbidden, f"{where}: forbidden")
    _check_patterns(question.facts, f"{where}: facts")
    return msgspec.structs.replace(question, forbidden=(*common, *question.forbidden))


def _check_patterns(patterns: Iterable[str], where: str) -> None:
    for pattern in patterns:
        try:
            matches_nothing = re.compile(pattern, re.IGNORECASE).search("") is not None
        except re.error as error:
            raise CatalogueError(
                f"{where}: {pattern!r} is no regular expression: {error}.",
                "Correct it; in TOML, single quotes keep each backslash.",
            ) from error
        if matches_nothing:
            raise CatalogueError(f"{where}: {pattern!r} fits any text.", "Make it say what is meant.")
