"""tests/data/retrieval.jsonl: its form, its variety, and that every expected option is an option of the real data."""

from __future__ import annotations

import json
import lzma
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

Row = dict[str, Any]

FILE = Path(__file__).resolve().parents[1] / "data" / "retrieval.jsonl"
FIELDS = ["id", "question", "kind", "lang", "role", "difficulty", "expected_options", "accept_also"]
ALLOWED = {
    "kind": {"howto", "error", "concept", "lookup"},
    "lang": {"en", "de", "fr", "es", "pt", "it", "nl", "pl", "ru", "zh", "ja", "tr"},
    "role": {"expert", "empathy", "coder", "quick"},
    "difficulty": {"easy", "medium", "hard"},
}
ROWS: list[Row] = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]

# What an option list shows of a parent below which any name may be set: it holds values, not a submodule's options.
FREEFORM = re.compile(r"(lazy )?attribute set( of (?!.*\(submodule\)).*)?$|(JSON|YAML|TOML) value$|nixpkgs config$")


def complaints(rows: Iterable[Row]) -> Iterable[str]:
    """Everything about the rows that breaks the form which tests/data/README.md describes."""
    seen = set[str]()
    for number, row in enumerate(rows, 1):
        name = f"r{number:03d}"
        if list(row) != FIELDS:
            yield f"{name}: the fields are {list(row)}"
            continue
        if row["id"] != name:
            yield f"{name}: its id is {row['id']!r}"
        for field, allowed in ALLOWED.items():
            if row[field] not in allowed:
                yield f"{name}: {field} is {row[field]!r}"
        question = row["question"]
        if not isinstance(question, str) or question.strip() != question or not question:
            yield f"{name}: the question is empty or has space around it"
        if (text := " ".join(str(question).casefold().split())) in seen:
            yield f"{name}: asked before"
        seen.add(text)
        options = [*row["expected_options"], *row["accept_also"]]
        if len(set(options)) != len(options):
            yield f"{name}: an option is named twice"
        if row["kind"] in {"howto", "lookup"} and not row["expected_options"]:
            yield f"{name}: a {row['kind']} without an option that answers it"


def exists(name: str, options: dict[str, str]) -> bool:
    """Whether the name is an option (name to type), or lies below one that takes any name."""
    if name in options:
        return True
    parts = re.findall(r'"[^"]*"|[^."]+', name)
    parents = [".".join(parts[:length]) for length in range(1, len(parts))]
    return ".".join(parts) == name and any(FREEFORM.match(options.get(parent, "")) for parent in parents)


def own_words(name: str) -> set[str]:
    """The words that an option's name consists of, except those that every question may contain."""
    words = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return {word.lower() for word in words if len(word) > 2} - {"enable", "services", "programs", "name", "settings"}


@pytest.fixture(scope="module")
def types(data_dir: Path) -> dict[str, str]:
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        return {name: option["type"] for name, option in json.load(file).items()}


def test_every_row_has_the_form_that_the_readme_describes() -> None:
    assert list(complaints(ROWS)) == []


def test_the_set_is_as_large_and_as_mixed_as_promised() -> None:
    assert Counter(row["kind"] for row in ROWS) == {"howto": 110, "error": 30, "concept": 15, "lookup": 15}
    languages = Counter(row["lang"] for row in ROWS)
    assert languages.keys() == ALLOWED["lang"]
    assert 25 <= len(ROWS) - languages["en"] <= 40
    assert all(count >= 15 for count in Counter(row["role"] for row in ROWS).values())
    assert all(count >= 20 for count in Counter(row["difficulty"] for row in ROWS).values())
    errors = [row for row in ROWS if row["kind"] == "error"]
    assert 12 <= sum(bool(row["expected_options"]) for row in errors) <= 18
    assert sum("\n" in row["question"] for row in errors) >= 25


def test_no_option_answers_too_many_questions() -> None:
    most = Counter(name for row in ROWS for name in row["expected_options"]).most_common(1)
    assert most[0][1] <= 4, most


def test_many_questions_say_nothing_of_the_options_own_words() -> None:
    howto = [row for row in ROWS if row["kind"] == "howto"]
    silent = [
        row
        for row in howto
        if not any(
            own_words(name) & set(re.findall(r"\w+", row["question"].lower())) for name in row["expected_options"]
        )
    ]
    assert len(silent) >= len(howto) // 3


def test_every_named_option_is_in_the_real_data(types: dict[str, str]) -> None:
    names = {name for row in ROWS for name in (*row["expected_options"], *row["accept_also"])}
    assert sorted(name for name in names if not exists(name, types)) == []


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("services.openssh.enable", True),
        ("nix.settings.experimental-features", True),
        ("nixpkgs.config.permittedInsecurePackages", True),
        ('boot.kernel.sysctl."fs.inotify.max_user_watches"', True),
        ("users.users.<name>.extraGroups", True),
        ("users.users.alice.extraGroups", False),
        ("services.openssh.enabel", False),
        ("services.openssh.enable.", False),
        ("nix.settings", True),
        ("nix.settings.", False),
        ("nix", False),
        ("", False),
        (".", False),
        ('boot.kernel.sysctl."', False),
    ],
)
def test_an_option_is_told_from_what_is_none(types: dict[str, str], name: str, there: bool) -> None:
    assert exists(name, types) is there


@given(name=st.text(alphabet='ab.<>"* é\n', max_size=30))
def test_no_strange_name_counts_as_an_option(name: str) -> None:
    assert not exists(name, {"services.x.enable": "boolean", "boot.x": "attribute set of (submodule)"})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "r900"}, "its id is"),
        ({"kind": "rant"}, "kind is"),
        ({"lang": "EN"}, "lang is"),
        ({"role": "guru"}, "role is"),
        ({"difficulty": ""}, "difficulty is"),
        ({"question": " \n"}, "empty or has space"),
        ({"question": ROWS[1]["question"].upper()}, "asked before"),
        ({"expected_options": []}, "without an option"),
        ({"accept_also": ROWS[0]["expected_options"]}, "named twice"),
        ({"note": "x"}, "the fields are"),
    ],
)
def test_a_slip_in_a_row_is_seen(change: Row, complaint: str) -> None:
    rows = [ROWS[0] | change, *ROWS[1:]]
    assert any(complaint in found for found in complaints(rows))
