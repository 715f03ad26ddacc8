from __future__ import annotations

import random

import pytest

from nix_trinity.knowledge.learning import BuildKind
from nix_trinity.training.schedule import due

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_750_000_000_000


@pytest.mark.parametrize(("kind", "period"), [("weekly", 7 * DAY - 12 * HOUR), ("monthly", 28 * DAY - 12 * HOUR)])
def test_it_is_due_when_its_period_is_over_and_not_before(kind: BuildKind, period: int) -> None:
    assert due(kind, NOW - period, NOW) == ""
    assert due(kind, NOW - period + 1, NOW) != ""
    assert due(kind, NOW, NOW) != ""


def test_it_says_when_the_last_was_and_when_the_next_will_be() -> None:
    assert due("weekly", 0, HOUR) == (
        "The last weekly build was on 1970-01-01 00:00 UTC; the next one is due from 1970-01-07 12:00 UTC on."
    )


@pytest.mark.parametrize("kind", ["weekly", "monthly"])
def test_the_first_is_due_and_so_is_one_after_the_clock_was_set_back(kind: BuildKind) -> None:
    assert due(kind, None, NOW) == ""
    assert due(kind, NOW + 1, NOW) == ""


@pytest.mark.parametrize("kind", ["immediate", "manual"])
def test_what_a_person_or_an_event_asks_for_is_always_due(kind: BuildKind) -> None:
    assert due(kind, NOW, NOW) == ""


@pytest.mark.parametrize("seed", range(20))
def test_a_machine_of_one_hour_a_day_builds_once_a_week_however_its_timer_fires(seed: int) -> None:
    chance = random.Random(seed)
    last: int | None = None
    ran: list[int] = []
    for day in range(14):
        boot = NOW + day * DAY + chance.randrange(0, 10 * HOUR)
        for fires in sorted(boot + chance.randrange(0, HOUR) for _ in range(chance.choice((1, 2)))):
            if due("weekly", last, fires) == "":
                last = fires
                ran.append(day)
    assert ran == [0, 7]
