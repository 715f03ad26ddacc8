"""What the service manager is told: sd_notify(3) and the watchdog of sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sdnotify import SystemdNotifier


class ServiceManager:
    """The service manager that started us; without one, every call does nothing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._notifier = SystemdNotifier() if environment.get("NOTIFY_SOCKET") else None
        self.watchdog_seconds = _watchdog_seconds(environment)

    def ready(self, status: str) -> None:
        """Say that the socket accepts."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """Show one line in ``systemctl status``."""
        self._send(f"STATUS={text}")

    def stopping(self, status: str) -> None:
        """Say that the daemon is on its way out, and why."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def alive(self) -> None:
        """Feed the watchdog; to be called only after a check that the daemon still works."""
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if self._notifier is not None:
            # sdnotify encodes as Latin-1 and swallows what does not fit; ASCII always arrives.
            self._notifier.notify(state.encode("ascii", "replace").decode("ascii"))


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How long the manager waits for a ping, in seconds; None when no watchdog is meant for this process."""
    pid = environment.get("WATCHDOG_PID", "")
    if pid and pid != str(os.getpid()):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None
