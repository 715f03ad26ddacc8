"""Each wrong configuration stops the evaluation with a message that names the option and the fix."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.nix.evaluation import CHECKOUT
from tests.nix.sources import GOLDEN

CASES = sorted((CHECKOUT / "tests" / "nix" / "configurations" / "failures").glob("*.nix"))
MODULE = CHECKOUT / "nix" / "module"

OPTION = re.compile(r"services\.(nixTrinity|ollama)\.\w+")
FIX = re.compile(r"\b(Set|Name|Choose|Write|Make|Keep|Give|Correct|Take|Leave|Use|The roles are)\b")


def said(case: Path) -> list[str]:
    """What the person reads, one message for each thing that is wrong."""
    folder = GOLDEN / "failures" / case.stem
    stopped = folder / "evaluation-error.txt"
    if stopped.is_file():
        return [stopped.read_text(encoding="utf-8")]
    messages: list[str] = json.loads((folder / "assertions.json").read_text(encoding="utf-8"))
    return messages


def expected(case: Path) -> list[str]:
    lines = case.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# Says: ") for line in lines if line.startswith("# Says: ")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_it_says_what_is_wrong(case: Path) -> None:
    whole = " ".join(" ".join(said(case)).split())
    assert expected(case), f"{case.name} does not say what to expect"
    for words in expected(case):
        assert words in whole


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_it_names_the_option_and_the_fix(case: Path) -> None:
    for message in said(case):
        assert OPTION.search(message), message
        # A value of the wrong type is refused by the module system, which tells the type that is right.
        by_type = "is not of type" in message or "does not exist" in message
        assert by_type or FIX.search(message), message


def test_every_assertion_of_the_module_is_seen_to_fail() -> None:
    written = sum(file.read_text(encoding="utf-8").count("assertion =") for file in MODULE.glob("*.nix"))
    by_assertion = [case for case in CASES if (GOLDEN / "failures" / case.stem / "assertions.json").is_file()]
    assert len(by_assertion) >= written, "an assertion has no case in tests/nix/configurations/failures"
