"""One connection to a message bus: dbus-next, the client side alone, with its faults fenced in.

dbus-next 0.2.3 is its last release. What is known to be wrong in it, and what is done about it here:

- It connects in a blocking way, and reads the end of the stream during authentication for ever without
  giving way to anything else: both would stop the whole daemon, and no deadline helps. Both are replaced.
- A call on a connection that was lost waits for ever; a reply that it cannot read drops the connection.
  A connection serves one purpose, briefly and under its user's deadline, and is never used again.
- It closes neither its socket nor descriptors that nobody asked for, and leaves exceptions in futures that
  nobody waits for. ``connected`` closes and takes all of them.

Importing this takes some 85 ms: import it when it is needed, in a thread.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from dbus_next.aio.message_bus import MessageBus
from dbus_next.constants import MessageType
from dbus_next.message import Message
from dbus_next.signature import Variant

_MOST_AUTHENTICATION_BYTES = 4096
_PROPERTIES = "org.freedesktop.DBus.Properties"

Target = tuple[str, str, str]
"""A service's name, the path of an object of it, and an interface of that object."""


class RefusedError(Exception):
    """A service answered a call with an error; the text has the error's D-Bus name and what it says."""


class Connection(MessageBus):
    """A connection that ``connected`` opens and closes."""

    def __init__(self, address: str) -> None:
        self._descriptors: set[int] = set()
        self._authentication_bytes = 0
        super().__init__(address, negotiate_unix_fd=True)
        self._disconnect_future.add_done_callback(_retrieve)

    async def open(self) -> None:
        """Connect, authenticate and be given a name.

        :raises Exception: of any kind; dbus-next says no more.
        """
        await self._connect_socket()
        await self.connect()
        if not str(self.unique_name).startswith(":"):
            raise ConnectionError(f"the bus gave no name, but: {self.unique_name}")

    async def ask(self, target: Target, member: str, signature: str, body: Sequence[Any], *, reply: str) -> list[Any]:
        """Call a method and return the body of its reply, which has the signature ``reply``.

        :raises RefusedError: the service answered with an error.
        :raises Exception: of any other kind: there is no reply, or one of another signature.
        """
        if not self.connected:
            raise ConnectionError("the bus closed the connection")
        service, path, interface = target
        answer = await self.call(Message(service, path, interface, member=member, signature=signature, body=list(body)))
        if answer is None:
            raise ConnectionError("the connection was closed before an answer came")
        if answer.message_type is MessageType.ERROR:
            said = " ".join(str(part) for part in answer.body)[:500]
            raise RefusedError(f"{answer.error_name}: {said}" if said else str(answer.error_name))
        if answer.signature != reply:
            raise TypeError(f"{member} was answered with {answer.signature!r} instead of {reply!r}")
        return list(answer.body)

    async def get(self, target: Target, name: str, signature: str) -> Any:
        """Read a property whose type is ``signature``; raises what ``ask`` does."""
        service, path, interface = target
        (value,) = await self.ask((service, path, _PROPERTIES), "Get", "ss", (interface, name), reply="v")
        if not isinstance(value, Variant) or value.signature != signature:
            raise TypeError(f"{name} is of another type than {signature!r}")
        return value.value

    async def descriptor(self, target: Target, member: str, signature: str, body: Sequence[Any]) -> int:
        """Call a method that returns a file descriptor, which is the caller's to close; raises what ``ask`` does."""
        before = set(self._descriptors)
        await self.ask(target, member, signature, body, reply="h")
        received = self._descriptors - before
        if len(received) != 1:
            raise TypeError(f"{member} was answered with {len(received)} file descriptors instead of one")
        (descriptor,) = received
        os.set_inheritable(descriptor, False)
        self._descriptors.discard(descriptor)
        return descriptor

    def close(self) -> None:
        """Close the socket and each descriptor that came over it and was not handed out."""
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        for stream in (self._stream, self._sock):
            with suppress(OSError):
                stream.close()
        for descriptor in self._descriptors | set(self._unmarshaller.unix_fds):
            with suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()

    def disconnect(self) -> None:
        """Be shut down by the library, which would log that the other end was faster."""
        self._user_disconnect = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def send(self, msg: Message) -> Any:
        """Queue a message, as the library does; a failure to write it reaches its caller by another way."""
        sent = super().send(msg)
        sent.add_done_callback(_retrieve)
        return sent

    def _setup_socket(self) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        self._stream = self._sock.makefile("rwb")
        self._fd = self._sock.fileno()

    async def _connect_socket(self) -> None:
        failure: OSError | None = None
        for transport, options in self._bus_address:
            path = options.get("path") or ("\0" + options["abstract"] if "abstract" in options else None)
            if transport != "unix" or path is None:
                continue
            try:
                await self._loop.sock_connect(self._sock, path)
            except OSError as error:
                failure = error
            else:
                return
        raise failure or ConnectionError("the bus has no address of a Unix socket")

    async def _auth_readline(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            # Byte by byte: what follows the last line belongs to the messages.
            byte = await self._loop.sock_recv(self._sock, 1)
            self._authentication_bytes += 1
            if not byte or self._authentication_bytes > _MOST_AUTHENTICATION_BYTES:
                raise ConnectionError("the bus did not finish authentication")
            line += byte
        return line[:-2].decode("ascii")

    def _find_message_handler(self, _msg: Message) -> None:
        """Nothing is served here, not even introspection: the library answers that there is no such method."""

    def _on_message(self, msg: Message) -> None:
        # The library logs what goes wrong here and goes on; left to its caller, it ends the connection.
        self._descriptors.update(msg.unix_fds)
        self._process_message(msg)  # type: ignore[no-untyped-call]


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Connection]:
    """A connection to the bus at ``address`` (``unix:path=…``), closed at the end.

    :raises Exception: of any kind; dbus-next says no more. The caller sets the deadline.
    """
    connection = Connection(address)
    try:
        await connection.open()
        yield connection
    finally:
        connection.close()


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
