"""Nothing leaves the machine, in tests too: this process may talk to its own loopback only.

It is an audit hook, so it sees the connections of every library that uses Python's sockets, and it cannot
be got around by importing a name early. Attempts are also recorded, since code that is made to survive a
failing network would swallow the error.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from contextlib import closing
from typing import Any


class OutsideConnectionError(RuntimeError):
    """A test tried to reach something that is not this machine's loopback."""


class LoopbackOnly:
    """Refuses and records what would leave the machine, from :meth:`install` to the end of the process."""

    def __init__(self) -> None:
        self.attempts: list[str] = []

    def install(self) -> None:
        """Begin; Python has no way to take an audit hook out again."""
        sys.addaudithook(self.audit)

    def taken_attempts(self) -> list[str]:
        """Return the attempts since the last call."""
        taken, self.attempts = self.attempts, []
        return taken

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at one audit event of Python's."""
        if not event.startswith("socket."):
            return
        match event, arguments:
            case ("socket.connect" | "socket.sendto" | "socket.sendmsg", (_, (str(host), *_))):
                outside = not is_loopback(host)
            case (
                "socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr",
                (str() | bytes() as name, *_),
            ):
                # Looking up a name asks a server elsewhere; a numeric address is only parsed.
                host = name if isinstance(name, str) else name.decode(errors="replace")
                outside = not (is_loopback(host) or _is_numeric(host))
            case _:
                return
        if outside:
            self.attempts.append(f"{event} {host}")
            raise OutsideConnectionError(f"{event} {host}: tests only talk to this machine's loopback")


def is_loopback(host: str) -> bool:
    """Tell whether a host is 127.0.0.0/8, ::1 or their name; an empty host means "any of mine"."""
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as made:
        port: int = made.getsockname()[1]
        return port
