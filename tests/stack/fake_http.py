"""The HTTP that stand-ins for engines speak: a real server on a loopback port, which notices when a client goes."""

from __future__ import annotations

import json
import math
import select
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeVar

POLL_SECONDS = 0.02


class ClientGoneError(Exception):
    """Whoever asked has closed the connection, or the stand-in is ending."""


class FakeServer(ThreadingHTTPServer):
    """Listens on a free loopback port."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, fake: StandIn) -> None:
        super().__init__(("127.0.0.1", 0), FakeHandler)
        self.fake = fake


class FakeHandler(BaseHTTPRequestHandler):
    """One connection; what a stand-in answers with."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeServer

    @property
    def fake(self) -> Any:
        """The stand-in, as its own kind."""
        return self.server.fake

    def handle_one_request(self) -> None:
        # A kept connection ends with the stand-in, not when its client gets round to closing it.
        try:
            while not select.select([self.connection], [], [], POLL_SECONDS)[0]:
                if self.fake.stopping.is_set():
                    self.close_connection = True
                    return
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        self.fake.handle(self, self.path, {})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.fake.handle(self, self.path, json.loads(content))

    def do_DELETE(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Say nothing: the requests are recorded."""

    def reply(self, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self, content_type: str = "application/x-ndjson") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def check_peer(self, seconds: float) -> None:
        """Wait, and notice when the other end closes: it sends nothing else while it waits for an answer."""
        readable = select.select([self.connection], [], [], seconds)[0]
        if self.fake.stopping.is_set() or (readable and not self.connection.recv(1, socket.MSG_PEEK)):
            raise ClientGoneError


class FakeCall:
    """One request that is being answered; what a behaviour is handed, with what the API at hand says besides."""

    def __init__(self, handler: FakeHandler, body: Mapping[str, Any]) -> None:
        self.body = body
        self._handler = handler

    def raw(self, content: bytes) -> None:
        """Send bytes of any kind in the stream."""
        self._handler.chunk(content)

    def stop(self) -> None:
        """End the stream in good order, but without a word that the answer is whole."""
        self._handler.end_stream()

    def drop(self) -> None:
        """Close the connection once this call is over."""
        self._handler.close_connection = True

    def wait(self, seconds: float = math.inf) -> None:
        """Say nothing for a while, or for ever.

        :raises ClientGoneError: the client has gone.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._handler.check_peer(min(left, POLL_SECONDS))


C = TypeVar("C", bound=FakeCall)


def in_turn(*behaviours: Callable[[C], None]) -> Callable[[C], None]:
    """Behave so on the first call, so on the second, and like the last from then on."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(call: C) -> None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(call)

    return behave


class StandIn(ABC):
    """A stand-in, which listens from ``with`` to the end of its block."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.closed: list[float] = []
        """When a client went away in the middle of an answer, by :func:`time.monotonic`."""
        self._server = FakeServer(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @abstractmethod
    def handle(self, handler: FakeHandler, path: str, body: Mapping[str, Any]) -> None:
        """Answer one request."""

    def behave(self, behaviour: Callable[[C], None], call: C) -> None:
        """Let a behaviour answer, and note when the client goes meanwhile."""
        try:
            behaviour(call)
        except (ClientGoneError, ConnectionError):
            self.closed.append(time.monotonic())
            call.drop()
