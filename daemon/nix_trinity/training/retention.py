"""Which versions are kept. Decided on manifests alone; exact names, and each role by itself.

Of the versions of a role that were ever deployed, these stay:

- the deployed one, and the ``previous`` ones that were replaced last;
- the ``weekly`` newest ones that were deployed a week or more ago. The first of these is what was in force a week ago
  when builds are a week apart or more. Where they come faster, the oldest one that is younger than a week stays too:
  else none would ever grow old enough;
- the last ``monthly`` checkpoint of each of so many past months, and this month's last one, which is next month's.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Final

from nix_trinity.config_sections import RetentionSection
from nix_trinity.training.version import Manifest

WEEK_MS: Final = 7 * 24 * 3600 * 1000


def keep(
    manifests: Sequence[Manifest], policy: RetentionSection, now_ms: int, running: Collection[str] = ()
) -> dict[str, str]:
    """The names of the versions whose models stay, each with the reason in words.

    Versions whose model was removed count for nothing. ``running`` are candidates that a build is at work on.
    """
    kept: dict[str, str] = {}
    for role in sorted({one.role for one in manifests}):
        ours = [one for one in manifests if one.role == role]
        for name, reason in _of_role(ours, policy, now_ms, running):
            kept.setdefault(name, reason)
    return kept


def _of_role(
    manifests: Sequence[Manifest], policy: RetentionSection, now_ms: int, running: Collection[str]
) -> list[tuple[str, str]]:
    reasons = [(one.name, "deployed") for one in manifests if one.state == "deployed"]
    reasons += [(one.name, "being built") for one in manifests if one.state == "candidate" and one.name in running]
    served = [
        (one, at)
        for one in manifests
        if (at := one.deployed_at_ms) is not None and not one.removed and one.state not in ("candidate", "rejected")
    ]
    # Names break ties, so that the same manifests in another order give the same answer.
    served.sort(key=lambda pair: (pair[1], pair[0].built_at_ms, pair[0].name), reverse=True)
    replaced = [one for one, _ in served if one.state != "deployed"]
    replaced.sort(key=lambda one: (one.state == "previous", one.replaced_at_ms or 0), reverse=True)
    reasons += [(one.name, "deployed before") for one in replaced[: policy.previous]]
    reasons += _weekly(served, policy.weekly, now_ms)
    return reasons + _monthly([one for one, _ in served], policy.monthly, now_ms)


def _weekly(served: Sequence[tuple[Manifest, int]], number: int, now_ms: int) -> list[tuple[str, str]]:
    if number == 0:
        return []
    old = [one for one, at in served if at <= now_ms - WEEK_MS]
    young = [one for one, at in served if at > now_ms - WEEK_MS]
    reasons = [(one.name, "deployed a week or more ago") for one in old[:number]]
    return reasons + [(one.name, "will have been deployed a week ago") for one in young[-1:]]


def _monthly(served: Sequence[Manifest], number: int, now_ms: int) -> list[tuple[str, str]]:
    if number == 0:
        return []
    last: dict[tuple[int, int], Manifest] = {}
    for one in served:
        if one.checkpoint:
            month = _month(one.built_at_ms)
            before = last.get(month)
            if before is None or (one.built_at_ms, one.name) > (before.built_at_ms, before.name):
                last[month] = one
    this = _month(now_ms)
    current = [(one.name, "this month's checkpoint") for month, one in last.items() if month >= this]
    past = sorted((month for month in last if month < this), reverse=True)[:number]
    return current + [(last[month].name, f"checkpoint of {month[0]}-{month[1]:02d}") for month in past]


def _month(at_ms: int) -> tuple[int, int]:
    day = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return day.year, day.month
