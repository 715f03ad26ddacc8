"""HTTP/1.1 over the daemon's Unix socket, with as little as possible to import."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    # Not `socket`: that costs 5 ms for enumerations and selectors that nothing here uses.
    import _socket as sockets
except ImportError:
    import socket as sockets  # type: ignore[no-redef]

DEFAULT_SOCKET = "/run/nix-trinity/socket"
_AGENT = "nix-trinity-client/0.1.0"
_RETRIES = 5


class Refusal(Exception):  # noqa: N818 (what a person sees is no Python error)
    """What ends a command: exit code, message, and the next thing to do."""

    def __init__(self, exit_code: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
        self.hint = hint


class Reply:
    """A reply whose head has been read. Iterate over :meth:`blocks`, then :meth:`close`."""

    def __init__(self, connection: sockets.socket, status: int, headers: dict[str, str], rest: bytes) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._buffer = rest

    def blocks(self) -> Iterator[bytes]:
        """The body in pieces as they come."""
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(self._line().split(b";")[0] or b"0", 16):
                yield self._exactly(size)
                self._line()
            return
        left = int(self.headers.get("content-length", "0"))
        while left > 0:
            block = self._buffer[:left] or self._more()[:left]
            self._buffer = self._buffer[len(block) :]
            left -= len(block)
            yield block

    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.blocks())

    def close(self) -> None:
        """Let go of the connection; the daemon then stops working on it."""
        self._connection.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._buffer += self._received()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += self._received()
        block, self._buffer = self._buffer[:size], self._buffer[size:]
        return block

    def _more(self) -> bytes:
        self._buffer = self._received()
        return self._buffer

    def _received(self) -> bytes:
        block = self._connection.recv(65536)
        if not block:
            raise Refusal(1, "The daemon stopped in the middle of its reply.", "See: journalctl -u nix-trinity -e")
        return block


def request(method: str, path: str, *, body: bytes = b"", accept: str = "application/json") -> Reply:
    """Send a request and read the head of the reply; the daemon is started by the socket if need be."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: nix-trinity\r\nUser-Agent: {_AGENT}\r\nAccept: {accept}\r\n"
        f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for attempt in range(_RETRIES + 1):
        connection = _connected()
        buffer = b""
        try:
            connection.sendall(head + body)
        except OSError:
            pass  # a refusal may have been sent before all was read
        except BaseException:
            connection.close()
            raise
        try:
            while b"\r\n\r\n" not in buffer:
                block = connection.recv(65536)
                if not block:
                    break
                buffer += block
        except OSError:
            pass
        except BaseException:
            connection.close()
            raise
        if b"\r\n\r\n" in buffer:
            return _reply(connection, buffer)
        # Nothing came back: the daemon was just leaving. The socket starts it again.
        connection.close()
        time.sleep(0.05 * (attempt + 1))
    raise Refusal(3, "The daemon closes the connection without a reply.", "See: journalctl -u nix-trinity -e")


def _reply(connection: sockets.socket, buffer: bytes) -> Reply:
    head, _, rest = buffer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if not first.startswith("HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
        raise Refusal(1, "What answers on this socket is not NixTrinity.", "Set NIX_TRINITY_SOCKET to the right path.")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Reply(connection, int(parts[1]), headers, rest)


def _connected() -> sockets.socket:
    path = os.environ.get("NIX_TRINITY_SOCKET") or DEFAULT_SOCKET
    if len(os.fsencode(path)) > 107:
        raise Refusal(
            2,
            f"The socket path has {len(os.fsencode(path))} bytes; the kernel takes at most 107.",
            "Set NIX_TRINITY_SOCKET to a shorter path.",
        )
    connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        connection.connect(path)
    except PermissionError as error:
        connection.close()
        raise Refusal(
            4,
            f"You may not use {path}.",
            'Join the group: users.users.<you>.extraGroups = [ "nix-trinity" ]; then log in again.',
        ) from error
    except OSError as error:
        connection.close()
        raise Refusal(
            3,
            f"No daemon listens on {path}: {error.strerror}.",
            "On NixOS: services.nixTrinity.enable = true; then see: systemctl status nix-trinity.socket",
        ) from error
    return connection
