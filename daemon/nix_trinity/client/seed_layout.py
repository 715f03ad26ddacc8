"""Questions and answers that were collected in other ways, as records that can be imported.

Read is the layout of the scripts that came before NixTrinity (``questions/q_<time>.txt``, ``answers/a_<time>.txt``,
``meta/m_<time>.txt`` with ``model:…,score:…,category:…``) and text with a ``question|answer`` a line. Pure functions:
the caller reads the files. A record is what one line of an import is made of, see :mod:`nix_trinity.knowledge.portable`.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_QUESTION = re.compile(r"q_(.+)\.txt", re.DOTALL)
_UNIX_SECONDS = re.compile(r"([0-9]{9,10})(?![0-9])")
_UNIX_MILLISECONDS = re.compile(r"([0-9]{12,13})(?![0-9])")
_KEY = re.compile(r"(?:^|,)\s*(model|score|category)\s*:", re.IGNORECASE)
_WORDS = {
    **dict.fromkeys(("good", "yes", "true", "ok", "up", "helpful", "correct"), "good"),
    **dict.fromkeys(("bad", "no", "false", "down", "wrong", "unhelpful", "incorrect"), "bad"),
}
_ROLES = ("expert", "empathy", "coder", "quick")


def pairs_from_files(
    questions: Mapping[str, str],
    answers: Mapping[str, str],
    meta: Mapping[str, str],
    *,
    good_from: float | None = None,
) -> tuple[list[dict[str, Any]], list[str]]:
    """The pairs of the layout, in the order of their names, and what is wrong with the rest, in words.

    The mappings go from file names (``q_1753500000.txt``) to contents. A pair without meta is whole. A time in Unix
    seconds or milliseconds at the start of the suffix is when it was asked. A score in words (good, bad) is what was
    thought of the answer; a number is so only with ``good_from``, since its scale is known to who wrote it alone:
    from that score on it was good, below it nothing is said. Numbers are kept in any case.
    """
    records: list[dict[str, Any]] = []
    problems: list[str] = []
    used: set[str] = set()
    for name in sorted(questions):
        found = _QUESTION.fullmatch(name)
        if found is None:
            problems.append(f"{name}: not named q_<time>.txt")
            continue
        suffix = found[1]
        answer_name, meta_name = f"a_{suffix}.txt", f"m_{suffix}.txt"
        used |= {answer_name, meta_name}
        question, answer = questions[name].strip(), answers.get(answer_name)
        if answer is None:
            problems.append(f"{name}: there is no {answer_name}")
        elif not question:
            problems.append(f"{name}: empty")
        elif not answer.strip():
            problems.append(f"{answer_name}: empty")
        else:
            record: dict[str, Any] = {"question": question, "answer": answer.strip()}
            if (asked := _asked_at_ms(suffix)) is not None:
                record["asked_at_ms"] = asked
            if meta_name in meta:
                record.update(_described(meta[meta_name], meta_name, good_from, problems))
            records.append(record)
    problems += [f"{name}: there is no q_{name[2:]}" for name in sorted({*answers, *meta} - used)]
    return records, problems


def pairs_from_lines(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The pairs of ``question|answer`` lines, and what is wrong with the others, in words.

    The first ``|`` separates; those after it belong to the answer. Blank lines and lines that begin with ``#`` are
    left out.
    """
    records: list[dict[str, Any]] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip("\ufeff").lstrip().startswith("#"):
            continue
        question, separator, answer = (part.strip() for part in line.lstrip("\ufeff").partition("|"))
        if not separator:
            problems.append(f"line {number}: there is no | between question and answer")
        elif not question or not answer:
            problems.append(f"line {number}: the {'answer' if question else 'question'} is empty")
        else:
            records.append({"question": question, "answer": answer})
    return records, problems


def _asked_at_ms(suffix: str) -> int | None:
    if found := _UNIX_SECONDS.match(suffix):
        return int(found[1]) * 1000
    if found := _UNIX_MILLISECONDS.match(suffix):
        return int(found[1])
    return None


def _described(text: str, name: str, good_from: float | None, problems: list[str]) -> dict[str, Any]:
    """What the meta file says; what cannot be read of it is reported and left out, the pair stays."""
    pieces = _KEY.split(text.strip())
    said = {key.lower(): value.strip() for key, value in zip(pieces[1::2], pieces[2::2], strict=True)}
    if pieces[0].strip(" ,") or not said:
        problems.append(f"{name}: not of the form model:…,score:…,category:…; what cannot be read is left out")
    record: dict[str, Any] = {}
    if model := said.get("model"):
        record["model"] = model
        role = model.removeprefix("nix-").split("-")[0].split(":")[0]
        if role in _ROLES:
            record["role"] = role
    if category := said.get("category"):
        record["category"] = category
        if category in _ROLES:
            record.setdefault("role", category)
    score = said.get("score", "").lower()
    if score in _WORDS:
        record["word"] = _WORDS[score]
    elif score:
        number = _number(score)
        if number is None:
            problems.append(f"{name}: the score {score[:40]!r} is neither a number nor good or bad, and is left out")
        else:
            record["score"] = number
            if good_from is not None and number >= good_from:
                record["word"] = "good"
    return record


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None
