"""The HTTP server on its listening sockets, and how it leaves without losing anyone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from nix_trinity.api.http import detail
from nix_trinity.api.messages import ErrorReply
from nix_trinity.errors import RequestError
from nix_trinity.host.peer import BY_TOKEN, peer_of

# A client that has connected sends its request at once; one that has not by then is not going to.
_REQUEST_SECONDS = 30.0
# While leaving, a connection that was accepted a moment ago may still bring its request.
_LAST_REQUEST_SECONDS = 1.0
# What a client still sends after it was refused is read for so long: TCP takes the refusal back from whoever has not
# read it when the connection is closed over unread bytes.
_LINGER_SECONDS = 2.0
_MOST_HEAD_BYTES = 16 << 10


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the peer's credentials, our shape of errors, and a limit on silence.

    TCP knows no credentials: the peer is BY_TOKEN, of which door.py lets through nothing that has not brought it.
    """

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._closing_soon: asyncio.TimerHandle | None = None
        self._refused = False
        connection = transport.get_extra_info("socket")
        self._local = connection.family == socket.AF_UNIX
        try:
            # Reaches the routes as request.state.peer; `client` has to stay the pair that uvicorn formats.
            self.app_state = {**self.app_state, "peer": peer_of(connection) if self._local else BY_TOKEN}
        except OSError:
            transport.abort()
            return
        self._closing_soon = self.loop.call_later(_REQUEST_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._closing_soon is not None:
            self._closing_soon.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol: what comes after a refusal is thrown away."""
        if not self._refused:
            super().data_received(data)

    def on_response_complete(self) -> None:
        """See uvicorn: the next request on this connection has as long as the first."""
        if self._closing_soon is not None:
            self._closing_soon.cancel()
        self._closing_soon = self.loop.call_later(_REQUEST_SECONDS, self._close_if_silent)
        super().on_response_complete()

    def shutdown(self) -> None:
        """Let a connection whose request is still on its way bring it, for a moment."""
        if self._refused:
            self.transport.close()
        elif not self._has_request() and not self.transport.is_closing():
            if self._closing_soon is not None:
                self._closing_soon.cancel()
            self._closing_soon = self.loop.call_later(_LAST_REQUEST_SECONDS, self._close_if_silent)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the one shape of errors."""
        status, error = self._refusal(msg)
        body = msgspec.json.encode(ErrorReply(detail(error)))
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self._local or (self._has_request() and not self.cycle.response_complete):
            self.transport.close()
            return
        self._refused = True
        if self._closing_soon is not None:
            self._closing_soon.cancel()
        self.transport.write_eof()
        self._closing_soon = self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def _refusal(self, why: str) -> tuple[str, RequestError]:
        if self._local:
            hint = "Try: curl --unix-socket SOCKET http://localhost/v1/status"
        else:
            hint = 'Try: curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:PORT/v1/status'
        # What h11 has not understood yet; it says that it is too much only to whoever catches its error.
        if not self._local and len(self.conn.trailing_data[0]) > _MOST_HEAD_BYTES:
            most = f"The request's headers are larger than {_MOST_HEAD_BYTES} bytes."
            return "431 Request Header Fields Too Large", RequestError(most, hint, code="headers_too_large")
        return "400 Bad Request", RequestError(f"This is not HTTP/1.1: {why}", hint)

    def _has_request(self) -> bool:
        # uvicorn declares `cycle` as never None; before the first request it is.
        cycle: object = self.cycle
        return cycle is not None

    def _close_if_silent(self) -> None:
        if (not self._has_request() or self.cycle.response_complete) and not self.transport.is_closing():
            self.send_400_response("no whole request came.")


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the daemon's business (daemon.py)."""
        yield

    async def startup(self, sockets: Any = None) -> None:
        """Say that the socket accepts once it does."""
        await super().startup(sockets)
        self._on_ready()


class Activity:
    """Counts the requests at work, for the idle exit. An ASGI middleware."""

    def __init__(self, application: ASGIApp, clock: Callable[[], float]) -> None:
        self._application = application
        self._clock = clock
        self._last = clock()
        self.requests = 0

    def idle_seconds(self) -> float:
        """For how long there has been no request; 0 while there is one."""
        return 0.0 if self.requests else self._clock() - self._last

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        self.requests += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self.requests -= 1
            self._last = self._clock()


class ApiServer:
    """Serves an application on listening sockets, of Unix and of TCP, until it is told to leave."""

    def __init__(self, application: ASGIApp, *, grace_seconds: float, on_ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            application,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=5,
            h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
            # The daemon ends its own answers in time; this is for whatever else might hang.
            timeout_graceful_shutdown=int(grace_seconds) + 10,
        )
        self._server = _Server(config, on_ready)

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until :meth:`leave`; what is running then is finished first."""
        await self._server.serve(sockets=list(listeners))

    def leave(self) -> None:
        """Accept nothing more, and return from :meth:`serve` when all is finished."""
        self._server.should_exit = True
