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


def fixed_words(message: str) -> list[str]:
    """What an assertion's message says whatever the configuration: its text without what Nix puts in."""
    while message != (message := re.sub(r"\$\{[^{}]*\}", "\0", message)):
        pass
    return [" ".join(part.split()) for part in message.split("\0") if part.strip()]


def test_every_assertion_of_the_module_is_seen_to_fail() -> None:
    seen = [" ".join(message.split()) for case in CASES for message in said(case)]
    for file in MODULE.glob("*.nix"):
        text = file.read_text(encoding="utf-8")
        messages = re.findall(r"message = ''(.*?)'';", text, re.DOTALL)
        assert len(messages) == len(re.findall(r"\bassertion =", text)), file.name
        for message in messages:
            words = fixed_words(message)
            assert any(all(part in one for part in words) for one in seen), (
                f"{file.name} has an assertion with no case in tests/nix/configurations/failures: {words}"
            )
