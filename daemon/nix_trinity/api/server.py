"""The HTTP server on the inherited Unix socket, and how it leaves without losing anyone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from nix_trinity.api.http import detail
from nix_trinity.api.messages import ErrorReply
from nix_trinity.errors import RequestError
from nix_trinity.host.activation import Listener
from nix_trinity.host.peer import peer_of

# A client that has connected sends its request at once; one that has not by then is not going to.
_REQUEST_SECONDS = 30.0
# While leaving, a connection that was accepted a moment ago may still bring its request.
_LAST_REQUEST_SECONDS = 1.0


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the peer's credentials, our shape of errors, and a limit on silence."""

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._closing_soon: asyncio.TimerHandle | None = None
        try:
            # Reaches the routes as request.state.peer; `client` has to stay the pair that uvicorn formats.
            self.app_state = {**self.app_state, "peer": peer_of(transport.get_extra_info("socket"))}
        except OSError:
            transport.abort()
            return
        self._closing_soon = self.loop.call_later(_REQUEST_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._closing_soon is not None:
            self._closing_soon.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """See uvicorn: the next request on this connection has as long as the first."""
        if self._closing_soon is not None:
            self._closing_soon.cancel()
        self._closing_soon = self.loop.call_later(_REQUEST_SECONDS, self._close_if_silent)
        super().on_response_complete()

    def shutdown(self) -> None:
        """Let a connection whose request is still on its way bring it, for a moment."""
        if not self._has_request() and not self.transport.is_closing():
            if self._closing_soon is not None:
                self._closing_soon.cancel()
            self._closing_soon = self.loop.call_later(_LAST_REQUEST_SECONDS, self._close_if_silent)
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the one shape of errors."""
        error = RequestError(
            f"This is not HTTP/1.1: {msg}", "Try: curl --unix-socket SOCKET http://localhost/v1/status"
        )
        body = msgspec.json.encode(ErrorReply(detail(error)))
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

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


class UnixServer:
    """Serves an application on a listener until it is told to leave."""

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
            # The daemon ends its own answers in time; this is for whatever else might hang.
            timeout_graceful_shutdown=int(grace_seconds) + 10,
        )
        self._server = _Server(config, on_ready)

    async def serve(self, listener: Listener) -> None:
        """Serve until :meth:`leave`; what is running then is finished first."""
        await self._server.serve(sockets=[listener.socket])

    def leave(self) -> None:
        """Accept nothing more, and return from :meth:`serve` when all is finished."""
        self._server.should_exit = True
