"""The listening sockets: inherited from systemd, or made by ourselves.

The protocol is sd_listen_fds(3): descriptors start at 3, and ``LISTEN_PID`` says which process they are
for. An inherited socket's path belongs to the socket unit: it is never bound, changed or removed here.
Whichever of the two units triggers the service, systemd passes the sockets of all that are active.
"""

from __future__ import annotations

import grp
import os
import socket
import stat
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nix_trinity.errors import ConfigError
from nix_trinity.host.loopback import adopt_loopback

FIRST_DESCRIPTOR = 3
SOCKET_NAME = "nix-trinity.socket"
"""What systemd calls the descriptor in ``LISTEN_FDNAMES`` unless the unit says otherwise."""
HTTP_NAME = "http"
"""The FileDescriptorName= of what nix-trinity-http.socket listens on."""

_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening Unix stream socket and whether a service manager owns its path."""

    socket: socket.socket
    path: str
    activated: bool


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the service manager passed: the Unix socket where its unit is active, and loopback sockets named http."""

    unix: Listener | None = None
    http: tuple[socket.socket, ...] = ()


def inherited_sockets(environment: MutableMapping[str, str]) -> Inherited:
    """Adopt the sockets that the service manager passed; nothing when none is meant for us.

    The ``LISTEN_*`` variables are removed from ``environment`` in either case, so that no child
    mistakes them for its own.

    :raises ConfigError: a descriptor was passed that is neither the one listening Unix stream socket nor a loopback
        one of the name http.
    """
    values = {name: environment.pop(name, "") for name in _VARIABLES}
    if values["LISTEN_PID"] != str(os.getpid()):
        return Inherited()
    try:
        count = int(values["LISTEN_FDS"])
    except ValueError:
        return Inherited()
    if count < 1:
        return Inherited()
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count):
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            raise ConfigError(
                f"The service manager announced {count} sockets (LISTEN_FDS), but descriptor {descriptor} is not open.",
                "Start the daemon by its socket unit, or without LISTEN_FDS and LISTEN_PID.",
            ) from None
    names = [*values["LISTEN_FDNAMES"].split(":"), *[""] * count][:count]
    http = [FIRST_DESCRIPTOR + index for index, name in enumerate(names) if name == HTTP_NAME]
    unix = _unix_descriptor(names)
    for descriptor in (*http, *(() if unix is None else (unix,))):
        _check_socket(descriptor)
    return Inherited(_adopt(unix) if unix is not None else None, tuple(adopt_loopback(one) for one in http))


def _unix_descriptor(names: Sequence[str]) -> int | None:
    """The descriptor of the Unix socket: the one named so, or the only one that is not named http."""
    others = [index for index, name in enumerate(names) if name != HTTP_NAME]
    if SOCKET_NAME in names:
        return FIRST_DESCRIPTOR + names.index(SOCKET_NAME)
    if len(others) > 1:
        raise ConfigError(
            f"The service manager passed {len(others)} sockets and none is named {SOCKET_NAME}.",
            f"Set FileDescriptorName={SOCKET_NAME} in the socket unit that is the daemon's.",
        )
    return FIRST_DESCRIPTOR + others[0] if others else None


def _check_socket(descriptor: int) -> None:
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise ConfigError(
            f"Descriptor {descriptor} from the service manager is not a socket.",
            "Use ListenStream= in the socket unit, and no other Listen… line.",
        )


def _adopt(descriptor: int) -> Listener:
    inherited = socket.socket(fileno=descriptor)
    listening = inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if inherited.family != socket.AF_UNIX or inherited.type != socket.SOCK_STREAM or not listening:
        raise ConfigError(
            f"Descriptor {descriptor} from the service manager is not a listening Unix stream socket "
            f"(family {inherited.family.name}, type {inherited.type.name}, listening: {bool(listening)}).",
            "Use ListenStream=/run/nix-trinity/socket and Accept=no in nix-trinity.socket.",
        )
    name = inherited.getsockname()
    path = name if isinstance(name, str) else ""
    return Listener(inherited, path, activated=True)


@contextmanager
def own_listener(path: str, *, group: str = "") -> Iterator[Listener]:
    """Make the socket at ``path`` (mode 0660, group ``group``) and remove it, and only it, at the end.

    :raises ConfigError: the folder is missing or not writable, the group does not exist, or another
        daemon is answering on that path.
    """
    _clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listener, path, group)
    except BaseException:
        listener.close()
        raise
    made = Path(path).stat()
    try:
        yield Listener(listener, path, activated=False)
    finally:
        listener.close()
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            pass
        else:
            if (found.st_dev, found.st_ino) == (made.st_dev, made.st_ino):
                Path(path).unlink(missing_ok=True)


def _bind(listener: socket.socket, path: str, group: str) -> None:
    # The mode is set before anyone can connect: nothing listens yet, and the umask keeps others out.
    before = os.umask(0o177)
    try:
        listener.bind(path)
    except OSError as error:
        raise ConfigError(
            f"The socket {path} cannot be made: {error.strerror}.",
            f"Create its folder ({Path(path).parent}) and make it writable for the daemon, "
            "or set daemon.socket to another path.",
        ) from error
    finally:
        os.umask(before)
    if group:
        try:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
        except KeyError:
            Path(path).unlink()
            raise ConfigError(
                f"access.users_group: there is no group {group!r} on this machine.",
                f'Create it (users.groups."{group}" = {{ }};) or empty access.users_group.',
            ) from None
    Path(path).chmod(0o660)
    listener.listen(128)


def _clear_stale(path: str) -> None:
    """Remove a socket that nobody listens on any more; refuse when somebody does."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            raise ConfigError(
                f"daemon.socket: {path} is there and is not a socket.",
                "Choose another path, or move that file.",
            )
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Or this would wait for ever for an owner that hangs and whose queue is full.
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            pass
        except ConnectionRefusedError:
            Path(path).unlink(missing_ok=True)
            return
        except OSError:
            return
    raise ConfigError(
        f"Another daemon is answering on {path}.",
        "Stop it first (systemctl stop nix-trinity.service nix-trinity.socket), or set daemon.socket to another path.",
    )
