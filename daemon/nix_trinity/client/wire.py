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
_MOST_PATH_BYTES = 107
_MOST_HEAD_BYTES = 65536
CUT_SHORT = "cut_short"
_CODES = {2: "bad_request", 3: "no_daemon", 4: "forbidden"}


class Refusal(Exception):  # noqa: N818 (what a person sees is no Python error)
    """What ends a command: exit code, message, the next thing to do, and the protocol's code for it."""

    def __init__(self, exit_code: int, message: str, hint: str, code: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
        self.hint = hint
        self.code = code or _CODES.get(exit_code, "failed")


class Reply:
    """A reply whose head has been read. Iterate over :meth:`blocks`, then :meth:`close`."""

    def __init__(self, connection: sockets.socket, status: int, headers: dict[str, str], rest: bytes) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._buffer = rest

    def blocks(self) -> Iterator[bytes]:
        """The body in pieces as they come: chunked, of a length that was given, or until the connection closes.

        :raises Refusal: the reply breaks off, or is not HTTP.
        """
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := _number(self._line().split(b";")[0].strip().decode("latin-1"), 16):
                yield from self._pieces(size)
                self._line()
        elif "content-length" in self.headers:
            yield from self._pieces(_number(self.headers["content-length"], 10))
        else:
            block = self._buffer or self._received()
            while block:
                yield block
                block = self._received()

    def body(self) -> bytes:
        """The whole body; lets go of the connection.

        :raises Refusal: see :meth:`blocks`.
        """
        try:
            return b"".join(self.blocks())
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the connection; the daemon then stops working on it, and another thread's :meth:`blocks` ends."""
        try:  # noqa: SIM105 (contextlib takes 2 ms to import)
            self._connection.shutdown(sockets.SHUT_RDWR)
        except OSError:
            pass  # the daemon was first
        self._connection.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            self._buffer += self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            block = self._buffer or self._more()
            self._buffer = block[size:]
            block = block[:size]
            size -= len(block)
            yield block

    def _more(self) -> bytes:
        block = self._received()
        if not block:
            raise cut_short()
        return block

    def _received(self) -> bytes:
        try:
            return self._connection.recv(65536)
        except OSError:
            raise cut_short() from None


def request(
    method: str, path: str, *, body: bytes = b"", accept: str = "application/json", agent: str = _AGENT
) -> Reply:
    """Send a request and read the head of the reply; the daemon is started by the socket if need be.

    ``agent`` is the program that asks: the exchange is kept with its name.

    :raises Refusal: nobody listens, nobody answers, it is not allowed, or what answers does not speak HTTP.
    """
    message = (
        f"{method} {path} HTTP/1.1\r\nHost: nix-trinity\r\nUser-Agent: {agent}\r\nAccept: {accept}\r\n"
        f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    for attempt in range(_RETRIES + 1):
        if attempt:
            # Nothing came back: the daemon was just leaving, having been idle. The socket starts it again.
            time.sleep(0.05 * attempt)
        connection = _connected()
        try:
            head = _exchanged(connection, message)
            if head:
                return _reply(connection, head)
        except BaseException:
            connection.close()
            raise
        connection.close()
    raise Refusal(3, "The daemon closes the connection without a reply.", "See: journalctl -u nix-trinity -e")


def _exchanged(connection: sockets.socket, message: bytes) -> bytes:
    """Send, then receive at least the whole head of the reply; nothing if not one byte came."""
    try:  # noqa: SIM105 (contextlib takes 2 ms to import)
        connection.sendall(message)
    except OSError:
        pass  # a refusal may have been sent before all was read
    head = b""
    while b"\r\n\r\n" not in head:
        try:
            block = connection.recv(65536)
        except OSError:
            block = b""
        if not block and head:
            raise cut_short() if head.startswith(b"HTTP/1.") else stranger()
        if not block:
            return b""
        head += block
        if len(head) > _MOST_HEAD_BYTES and b"\r\n\r\n" not in head:
            raise stranger()
    return head


def _reply(connection: sockets.socket, received: bytes) -> Reply:
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if not first.startswith("HTTP/1.") or len(parts) < 2:
        raise stranger()
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Reply(connection, _number(parts[1], 10), headers, rest)


def stranger() -> Refusal:
    """What is said when a reply is not the daemon's."""
    return Refusal(
        1,
        f"Something else answers on this socket, not NixTrinity: {socket_path()}.",
        "Set NIX_TRINITY_SOCKET to the right path, or unset it.",
    )


def cut_short() -> Refusal:
    """What is said when a reply breaks off."""
    return Refusal(1, "The daemon stopped in the middle of the answer.", "See: journalctl -u nix-trinity -e", CUT_SHORT)


def socket_path() -> str:
    """Where the daemon is expected."""
    return os.environ.get("NIX_TRINITY_SOCKET") or DEFAULT_SOCKET


def _number(digits: str, base: int) -> int:
    # int() alone would also take "-1", "0x1f" and "1_0".
    if not digits or digits.strip("0123456789abcdefABCDEF"):
        raise stranger()
    try:
        return int(digits, base)
    except ValueError:
        raise stranger() from None


def _connected() -> sockets.socket:
    path = socket_path()
    size = len(os.fsencode(path))
    if size > _MOST_PATH_BYTES:
        raise Refusal(
            2,
            f"The socket path has {size} bytes; the kernel takes at most {_MOST_PATH_BYTES}.",
            "Set NIX_TRINITY_SOCKET to a shorter path.",
        )
    connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        connection.connect(path)
    except PermissionError:
        connection.close()
        raise Refusal(
            4,
            f"You may not use {path}.",
            f'Join its group: users.users.<you>.extraGroups = [ "{_group_of(path)}" ]; then log in again.',
        ) from None
    except OSError as error:
        connection.close()
        raise Refusal(
            3,
            f"No daemon listens on {path}: {error.strerror}.",
            "See: systemctl status nix-trinity.socket; on NixOS it comes with services.nixTrinity.enable = true",
        ) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _group_of(path: str) -> str:
    """The name of the group that a socket belongs to."""
    import grp

    try:
        # Not pathlib: it takes 5 ms to import.
        return grp.getgrgid(os.stat(path).st_gid).gr_name  # noqa: PTH116
    except (OSError, KeyError):
        return "nix-trinity"
