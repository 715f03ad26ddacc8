"""Logging: JSON for the journal, words for a terminal; at most a few lines a question; no secrets.

The exchange itself is in the database, never in the journal. A fault that repeats is one line with a count:
journald drops what comes too fast, and with it the lines that are needed (journald.conf(5), RateLimitBurst).
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog

from nix_trinity.knowledge.redaction import redact

_REPEAT_WINDOW_SECONDS = 10.0
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# sd-daemon(3): a line that begins so has this priority in the journal.
_PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>", "critical": "<2>"}

EventDict = MutableMapping[str, Any]


def configure_logging(level: str, *, stream: TextIO | None = None, to_journal: bool) -> None:
    """Set up structlog and the standard library's logging, for the whole process.

    ``level`` is debug, info, warning or error.
    """
    output = stream or sys.stderr
    on_terminal = output.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not on_terminal),
        Repeats(time.monotonic),
        redacted_values,
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if on_terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    if to_journal and not on_terminal:
        last.append(_with_priority)
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(output),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    # HTTP client libraries log whole URLs, credentials and all, at info level.
    root.setLevel(logging.WARNING)


class Repeats:
    """Drop what repeats within a window of 10 s, and tell with the next line how often it came."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[Any, ...], tuple[float, int]] = {}

    def __call__(self, _logger: Any, method: str, event: EventDict) -> EventDict:
        """See structlog's processors; only warnings and errors are collapsed."""
        if method not in ("warning", "error"):
            return event
        key = (event.get("event"), event.get("code"), event.get("role"))
        now = self._clock()
        since, dropped = self._seen.get(key, (float("-inf"), 0))
        if now - since < _REPEAT_WINDOW_SECONDS:
            self._seen[key] = (since, dropped + 1)
            raise structlog.DropEvent
        self._seen[key] = (now, 0)
        if dropped:
            event["repeated"] = dropped
        return event


def redacted_values(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Take secrets out of every text in the line."""
    for key, value in event.items():
        if isinstance(value, str) and len(value) > 16:
            event[key] = redact(value).text
    return event


def _with_priority(_logger: Any, method: str, line: str) -> str:
    return _PRIORITIES.get(method, "<6>") + line


class _Forward(logging.Handler):
    """What libraries log through the standard library, in our own form."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        log = structlog.get_logger(record.name)
        getattr(log, level)(record.getMessage(), library=record.name, exc_info=record.exc_info)
