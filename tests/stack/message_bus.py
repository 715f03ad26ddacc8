"""A message bus of a test's own: a real dbus-daemon, services on it that do as they are told, and a peer that is no bus."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dbus_next.constants import MessageType
from dbus_next.message import Message

from nix_trinity.host.bus import Connection
from tests.stack import system_packages
from tests.stack.errors import StackError
from tests.stack.guarded import GuardedProcess
from tests.stack.waiting import eventually

_PATIENCE_SECONDS = 10.0
_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

Answer = Callable[[Message], Message | None]
"""What a service makes of a call: its reply, or None to stay silent for ever."""


class MessageBusDaemon:
    """A real dbus-daemon on a socket of its own, which can be killed and started again."""

    def __init__(self) -> None:
        # Not pytest's folder: a Unix socket's path has 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="nix-trinity-bus-"))
        self._socket = self._folder / "bus"
        self._process: GuardedProcess | None = None
        self.address = f"unix:path={self._socket}"

    def __enter__(self) -> Self:
        if not shutil.which("dbus-daemon"):
            system_packages.ensure([part for part in system_packages.TEST_PACKAGES if part.name == "dbus-daemon"])
        (self._folder / "bus.conf").write_text(_CONFIGURATION.format(address=self.address))
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it and wait until it can be connected to."""
        log = self._folder / "log"
        command = ["dbus-daemon", f"--config-file={self._folder / 'bus.conf'}", "--nofork", "--nopidfile"]
        self._process = process = GuardedProcess(command, environment=os.environ, log=log)

        def accepts() -> bool:
            if not process.running:
                raise StackError(f"dbus-daemon ended:\n{log.read_text()}")
            with socket.socket(socket.AF_UNIX) as probe:
                return probe.connect_ex(str(self._socket)) == 0

        eventually(accepts)

    def kill(self) -> None:
        """End it at once; does nothing when it is dead already."""
        if self._process is not None:
            self._process.kill()
            self._process = None


class FakeServices:
    """Names on a bus, owned by one connection in a thread of its own, and what they answer.

    ``answers`` has (interface, member) of methods and (interface, property) of properties; what is not in it is
    answered with an error, as a service without it does.
    """

    def __init__(self, address: str, names: Sequence[str]) -> None:
        self._address = address
        self._names = names
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: Connection | None = None
        self.answers: dict[tuple[str, str], Answer] = {}
        self.calls: list[Message] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._own_names())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()

    def members(self) -> list[str]:
        """The methods that were called, and for properties their names, in order."""
        return [_key(call)[1] for call in self.calls]

    def ask(self, message: Message) -> Message:
        """Call some other peer on the bus and return its reply, which may be an error."""
        assert self._connection is not None
        reply = self._run(self._connection.call(message))
        assert isinstance(reply, Message)
        return reply

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE_SECONDS)

    async def _own_names(self) -> None:
        self._connection = Connection(self._address)
        await self._connection.open()
        self._connection.add_message_handler(self._handle)
        for name in self._names:
            await self._connection.request_name(name)

    async def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _handle(self, message: Message) -> bool:
        if message.message_type is not MessageType.METHOD_CALL or message.destination not in self._names:
            return False
        self.calls.append(message)
        answer = self.answers.get(_key(message))
        if answer is None:
            reply: Message | None = error(message, "org.freedesktop.DBus.Error.UnknownMethod", "there is no such thing")
        else:
            reply = answer(message)
        if reply is not None:
            assert self._connection is not None
            sent = self._connection.send(reply)
            for descriptor in reply.unix_fds:
                sent.add_done_callback(lambda _, descriptor=descriptor: os.close(descriptor))
        return True


def _key(message: Message) -> tuple[str, str]:
    if message.interface == "org.freedesktop.DBus.Properties":
        interface, name = message.body[:2]
        return interface, name
    return str(message.interface), str(message.member)


def returns(signature: str, *body: Any, descriptors: Sequence[int] = ()) -> Answer:
    """An answer that is always the same; the descriptors are closed when they have been sent."""
    return lambda call: Message.new_method_return(call, signature, list(body), unix_fds=list(descriptors))


def error(call: Message, name: str, text: str) -> Message:
    """The reply to a call that is an error."""
    return Message.new_error(call, name, text)


def silent(_call: Message) -> None:
    """Never answer."""


@contextmanager
def no_bus(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen where a bus might, give each connection to ``talk`` and close it after; gives the address."""
    folder = Path(tempfile.mkdtemp(prefix="nix-trinity-bus-"))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "bus"))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(_PATIENCE_SECONDS)
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"unix:path={folder / 'bus'}"
    finally:
        # Closing alone does not wake a thread that waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(_PATIENCE_SECONDS)
        listener.close()
        shutil.rmtree(folder)


def authenticate(connection: socket.socket) -> None:
    """Play the bus's part of the authentication."""
    for answer in (b"OK 0123456789abcdef0123456789abcdef\r\n", b"AGREE_UNIX_FD\r\n", b""):
        line = b""
        while not line.endswith(b"\r\n"):
            byte = connection.recv(1)
            if not byte:
                return
            line += byte
        connection.sendall(answer)


def until_closed(connection: socket.socket) -> None:
    """Read and say nothing until the other end closes."""
    while connection.recv(4096):
        pass
