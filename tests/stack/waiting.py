"""Wait for what another process is about to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

_LOOK_AGAIN_SECONDS = 0.02


def eventually(holds: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until ``holds`` says yes, and fail the test after so many seconds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(_LOOK_AGAIN_SECONDS)
