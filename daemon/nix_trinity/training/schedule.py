"""When a build is due, whichever way it was started: a timer may fire late, twice, or at each boot."""

from __future__ import annotations

import datetime
from typing import Final

from nix_trinity.knowledge.learning import BuildKind

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
# Half a day less than the period: a timer that was late last time and is in time now still finds its build due.
_PERIOD_MS: Final = {"weekly": 7 * _DAY_MS - 12 * _HOUR_MS, "monthly": 28 * _DAY_MS - 12 * _HOUR_MS}


def due(kind: BuildKind, last_success_ms: int | None, now_ms: int) -> str:
    """Why a build is not due, and from when on it will be; '' when it is due.

    ``last_success_ms``: the last build that counts as one of this kind; None when there was none. One in the future
    means that the clock was set back: then it is due.
    """
    period = _PERIOD_MS.get(kind)
    if period is None or last_success_ms is None or last_success_ms > now_ms:
        return ""
    due_ms = last_success_ms + period
    if now_ms >= due_ms:
        return ""
    return f"The last {kind} build was on {_when(last_success_ms)}; the next one is due from {_when(due_ms)} on."


def _when(at_ms: int) -> str:
    return f"{datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC):%Y-%m-%d %H:%M} UTC"
