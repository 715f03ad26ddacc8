"""Timers, the weekly build that one of them starts, and the pruning of what such builds leave."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container.machine import Machine
from tests.container.scenarios import installed, scenario


@pytest.fixture
def service(ollama_inside: Machine) -> Iterator[Machine]:
    with installed(ollama_inside) as machine:
        yield machine


def test_a_missed_weekly_build_is_made_up_for(service: Machine) -> None:
    scenario(service, "timers", timeout=400)


def test_a_switch_in_the_middle_of_a_build_has_it_tried_again(service: Machine) -> None:
    scenario(service, "switch-in-build", timeout=400)


def test_old_versions_are_pruned_and_never_the_deployed_one(service: Machine) -> None:
    scenario(service, "pruning", timeout=300)
