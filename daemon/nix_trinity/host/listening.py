"""All sockets that the daemon listens on: what the service manager passed, and what has to be made besides."""

from __future__ import annotations

import socket
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import structlog

from nix_trinity.errors import ConfigError
from nix_trinity.host.activation import Listener, inherited_sockets, own_listener
from nix_trinity.host.loopback import UNIT, address_of, own_loopback
from nix_trinity.host.token import read_token

_log = structlog.get_logger("daemon")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the configuration says: the Unix socket's path and group, the TCP port (0: none) and its token's file."""

    path: str
    group: str
    port: int
    token_file: str


@dataclass(frozen=True, slots=True)
class Sockets:
    """What is listened on. ``token``: what requests over TCP have to bring; None where there is no such socket."""

    unix: Listener | None
    http: tuple[socket.socket, ...]
    activated: bool
    """Whether the service manager holds all of them: then it starts the daemon again when somebody comes."""
    token: bytes | None = field(repr=False)

    @property
    def all(self) -> tuple[socket.socket, ...]:
        """Every one of them."""
        return (*(() if self.unix is None else (self.unix.socket,)), *self.http)

    @property
    def addresses(self) -> list[str]:
        """Path and addresses, for the log."""
        return [*([] if self.unix is None else [self.unix.path]), *(address_of(one) for one in self.http)]


@contextmanager
def listening(wanted: Wanted, environment: MutableMapping[str, str]) -> Iterator[Sockets]:
    """Take over or make the sockets; those that were made are closed and removed at the end.

    Where the service manager passed any, all of them are its business and none is made, also when the unit that holds
    the other is not active: our unit may not bind anything, and half a door is better than none.

    :raises ConfigError: a socket cannot be used or made, or the token's file has no token.
    """
    given = inherited_sockets(environment)
    with ExitStack() as stack:
        token = _token(wanted, environment, inherited=bool(given.http))
        unix, http = given.unix, given.http
        passed = unix is not None or bool(http)
        if not passed:
            unix = stack.enter_context(own_listener(wanted.path, group=wanted.group))
            if wanted.port:
                http = stack.enter_context(own_loopback(wanted.port))
        elif wanted.port and not http:
            _log.warning("nobody listens on the port", port=wanted.port, see=f"systemctl status {UNIT}")
        yield Sockets(unix, http, activated=passed, token=token)


def _token(wanted: Wanted, environment: MutableMapping[str, str], *, inherited: bool) -> bytes | None:
    if not wanted.port and not inherited:
        return None
    if not wanted.token_file:
        raise ConfigError(
            f"The service manager passed a TCP socket ({UNIT}), and http.token_file is not set: every program on this "
            "machine could ask.",
            'Set services.nixTrinity.httpTokenFile = "FILE"; on NixOS, else token_file in [http]; or turn the port off: '
            f"systemctl disable --now {UNIT}",
            keys=("http.token_file",),
        )
    return read_token(wanted.token_file, environment)
