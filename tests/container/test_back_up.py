"""A back-up under load, and the restore as the how-to describes it."""

from __future__ import annotations

from textwrap import dedent

from tests.container.machine import Machine
from tests.container.scenarios import SCENARIOS, installed, scenario
from tests.stack.environment import CHECKOUT

HOW_TO = CHECKOUT / "docs" / "how-to" / "back-up.md"


def indented(text: str, begin: str) -> str:
    """The first block that is indented by four blanks after the line that begins so."""
    lines = text.partition(begin)[2].splitlines()[1:]
    first = next(number for number, line in enumerate(lines) if line.startswith("    "))
    block = lines[first:]
    return dedent("\n".join(block[: next((n for n, line in enumerate(block) if not line.startswith("    ")), None)]))


def test_the_scenario_restores_as_the_how_to_says() -> None:
    restore = indented(HOW_TO.read_text("utf-8"), "**Restore**")
    assert restore.startswith("systemctl stop nix-trinity.socket")
    assert indented((SCENARIOS / "back-up.sh").read_text("utf-8"), "restore() {") == restore


def test_a_back_up_under_load_and_its_restore(ollama_inside: Machine) -> None:
    with installed(ollama_inside) as machine:
        scenario(machine, "back-up")
