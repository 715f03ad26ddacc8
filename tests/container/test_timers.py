"""Timers, the weekly build that one of them starts, and the pruning of what such builds leave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.container import ollama_service
from tests.container.machine import Machine
from tests.container.scenarios import installed, our_models, scenario
from tests.stack.environment import CHECKOUT


@pytest.fixture
def service(ollama_inside: Machine) -> Iterator[Machine]:
    with installed(ollama_inside) as machine:
        yield machine


def test_a_missed_weekly_build_is_made_up_for(service: Machine) -> None:
    scenario(service, "timers", timeout=400)


def test_a_switch_in_the_middle_of_a_build_has_it_tried_again(service: Machine) -> None:
    scenario(service, "switch-in-build", timeout=400)


def test_old_versions_are_pruned_and_never_the_deployed_one_until_all_is_removed(service: Machine) -> None:
    scenario(service, "pruning", timeout=300)
    # The first block of the how-to, which leaves nothing of ours in Ollama.
    remove = (CHECKOUT / "docs/how-to/remove.md").read_text("utf-8").split("```")[1]
    assert our_models(service)
    service.run(f"PATH={Path(ollama_service.PROGRAM).parent}:$PATH\n{dedent(remove)}")
    assert our_models(service) == []
