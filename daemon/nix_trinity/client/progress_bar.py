"""A build as it goes: a bar on a terminal, plain lines for the journal, events for a program."""

from __future__ import annotations

import os

from nix_trinity.client.report import harmless, tell
from nix_trinity.client.wire import CUT_SHORT, Refusal, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TextIO

_BAR = 24
_USUAL_COLUMNS = 80
_MARKS = 4
"""So often the journal is told how far a step is."""
_TRY_AGAIN = 75
"""EX_TEMPFAIL of sysexits.h, for a unit's RestartForceExitStatus; one that is not due has nothing to try again."""
_STOPPED = (CUT_SHORT, "shutting_down")
"""What a build's stream ends with when its daemon is stopped: it breaks off, or the daemon still says so."""
_ENDS = {
    "done": "Done",
    "nothing_new": "Nothing new was learned, so nothing was built",
    "not_due": "Not due",
    "put_off": "Put off",
    "failed": "Failed",
}


def follow(events: Iterator[dict[str, Any]], out: TextIO, *, as_json: bool = False) -> int:
    """Show the events of a build; the exit code is 1 when it failed, or a role in it.

    It is 75, which has systemd try again, when the build was put off, or the daemon was stopped in the middle of it.

    :raises Refusal: the build ended with an error, or the stream broke off before it began.
    """
    screen = _Bar(out) if out.isatty() and not as_json else _Lines(out)
    failed = begun = False
    try:
        for event in events:
            if as_json:
                import json

                out.write(json.dumps(event, ensure_ascii=False) + "\n")
                out.flush()
            else:
                _show(event, screen)
            begun = begun or event.get("event") == "build_started"
            failed = failed or "failed" in (event.get("result"), event.get("state"))
            if event.get("event") == "build_ended":
                return 1 if failed else _TRY_AGAIN if event.get("state") == "put_off" else 0
    except (KeyError, TypeError, ValueError):
        raise stranger() from None
    except Refusal as refusal:
        if not (begun and refusal.code in _STOPPED):
            raise
    finally:
        screen.clear()
    tell(
        "error: The daemon was stopped in the middle of the build.\n  It begins anew when it is tried again: nix-trinity build"
    )
    return _TRY_AGAIN


def _show(event: dict[str, Any], screen: _Lines) -> None:
    kind = event.get("event")
    if kind == "build_started":
        why = f" ({event['reason']})" if event["reason"] else ""
        screen.line(f"{event['kind']} build {event['id']} of {', '.join(event['roles'])}{why}")
    elif kind == "build_step":
        screen.step(event["role"], event["step"], int(event["done"]), int(event["total"]), event["text"])
    elif kind == "role_result":
        screen.line(_result(event))
    elif kind == "build_ended":
        why = f": {event['why']}" if event["why"] else ""
        took = f" after {float(event['seconds']):.0f} s" if event["state"] in ("done", "failed") else ""
        screen.line(f"{_ENDS.get(event['state'], event['state'])}{took}{why}")


def _result(event: dict[str, Any]) -> str:
    version = f" {event['version']}" if event["version"] else ""
    before = f" in place of {event['previous']}" if event["previous"] and event["result"] == "deployed" else ""
    changed = f", {event['added']} learned, {event['dropped']} dropped" if event["version"] else ""
    why = f": {event['why']}" if event["why"] else ""
    return f"{event['role']}: {str(event['result']).replace('_', ' ')}{version}{before}{changed}{why}"


class _Lines:
    """Lines that a journal can keep: each step's beginning, its quarters and its end."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._told: tuple[str, str, int] | None = None

    def line(self, text: str) -> None:
        self._out.write(" ".join(text.split()) + "\n")
        self._out.flush()

    def step(self, role: str, step: str, done: int, total: int, text: str) -> None:
        mark = (role, step, done * _MARKS // total if total > 0 else 0)
        if mark != self._told:
            self._told = mark
            self.line(_words(role, step, done, total, text))

    def clear(self) -> None:
        pass


class _Bar(_Lines):
    """One line at the foot of the terminal that is drawn anew; results scroll away above it."""

    def line(self, text: str) -> None:
        self.clear()
        super().line(harmless(" ".join(text.split())))

    def step(self, role: str, step: str, done: int, total: int, text: str) -> None:
        full = _BAR * min(max(done, 0), total) // total if total > 0 else 0
        words = f"[{'#' * full}{'.' * (_BAR - full)}] {_words(role, step, done, total, text)}"
        self._out.write(f"\r\033[K{harmless(' '.join(words.split()))[: self._columns() - 1]}")
        self._out.flush()
        self._told = (role, step, done)

    def clear(self) -> None:
        if self._told is not None:
            self._out.write("\r\033[K")
            self._out.flush()
            self._told = None

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or _USUAL_COLUMNS
        except OSError:
            return _USUAL_COLUMNS


def _words(role: str, step: str, done: int, total: int, text: str) -> str:
    count = f" {done} of {total}" if total > 1 else ""
    return f"{f'{role}: ' if role else ''}{step}{count}{f', {text}' if text else ''}"
