"""TCP sockets that listen on loopback and nowhere else: inherited ones are looked at, own ones are made."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from nix_trinity.errors import ConfigError

UNIT = "nix-trinity-http.socket"
_ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
# What a machine without IPv6 answers.
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def adopt_loopback(descriptor: int) -> socket.socket:
    """Take over a descriptor that is known to be a socket.

    :raises ConfigError: it does not listen, is none of TCP, or can be reached from other machines.
    """
    inherited = socket.socket(fileno=descriptor)
    listening = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    families = [family for family, _ in _ADDRESSES]
    if inherited.family not in families or inherited.type != socket.SOCK_STREAM or not listening:
        raise ConfigError(
            f"Descriptor {descriptor}, which the service manager named http, is not a listening TCP socket "
            f"(family {inherited.family.name}, type {inherited.type.name}, listening: {bool(listening)}).",
            f"Use ListenStream=127.0.0.1:PORT and Accept=no in {UNIT}.",
        )
    if not ipaddress.ip_address(inherited.getsockname()[0].partition("%")[0]).is_loopback:
        raise ConfigError(
            f"Descriptor {descriptor}, which the service manager named http, listens on {address_of(inherited)}, where "
            "other machines may reach it.",
            f"Use ListenStream=127.0.0.1:PORT (or [::1]:PORT) in {UNIT}; a port alone means all addresses.",
        )
    return inherited


@contextmanager
def own_loopback(port: int) -> Iterator[tuple[socket.socket, ...]]:
    """Listen on 127.0.0.1, and on ::1 where this machine has it.

    :raises ConfigError: the port is taken or not ours to take, on either of them: whoever has it on the other one would
        be sent the token by programs that try that one first.
    """
    with ExitStack() as stack:
        made = []
        for family, address in _ADDRESSES:
            try:
                listener = stack.enter_context(socket.create_server((address, port), family=family, backlog=128))
            except OSError as error:
                if family == socket.AF_INET6 and error.errno in _NO_SUCH_ADDRESS:
                    continue
                raise ConfigError(
                    f"http.port: port {port} of {address} cannot be listened on: {error.strerror or error}.",
                    f"See who has it with: ss -ltnp 'sport = :{port}'; or choose another port "
                    "(services.nixTrinity.httpPort).",
                    keys=("http.port",),
                ) from error
            made.append(listener)
        yield tuple(made)


def address_of(listener: socket.socket) -> str:
    """Address and port as URLs have them."""
    address, port = listener.getsockname()[:2]
    return f"[{address}]:{port}" if listener.family == socket.AF_INET6 else f"{address}:{port}"
