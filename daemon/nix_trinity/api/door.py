"""The door of the TCP port: who may come in, decided before any route sees the request.

The Unix socket has the kernel's word for who is there. On loopback everybody on the machine can connect, and every page
in a browser can send something: so each request brings the token, names this machine as its host (a page that had its own
name resolve to 127.0.0.1 does not, which is DNS rebinding), and does not come from a page of another origin.
"""

from __future__ import annotations

import hmac
import re

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from nix_trinity.api.http import error_response_at
from nix_trinity.errors import AccessError
from nix_trinity.host.peer import BY_TOKEN

_LOOPBACK = r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?"
_HOST = re.compile(_LOOPBACK, re.IGNORECASE)
_ORIGIN = re.compile(f"https?://{_LOOPBACK}", re.IGNORECASE)
_SHOWN = 80

_log = structlog.get_logger("http")


class TokenDoor:
    """An ASGI middleware; what came over the Unix socket passes as it is."""

    def __init__(self, application: ASGIApp, token: bytes) -> None:
        self._application = application
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        refusal = self._refusal(Headers(scope=scope)) if scope["state"]["peer"] == BY_TOKEN else None
        if refusal is None:
            await self._application(scope, receive, send)
            return
        _log.warning("refused at the TCP port", code=refusal.stable_code)
        response = error_response_at(scope.get("path", ""), refusal)
        if refusal.stable_code == "unauthorized":
            response.headers["www-authenticate"] = "Bearer"
        await response(scope, receive, send)

    def _refusal(self, headers: Headers) -> AccessError | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not _HOST.fullmatch(host):
            return AccessError(
                f"The request is for the host {host[:_SHOWN]!r}; this is 127.0.0.1, localhost and [::1] alone.",
                "Send it to http://127.0.0.1:PORT. If a page in a browser sent it, that page is not to be trusted.",
                code="host_refused",
            )
        foreign = [origin for origin in headers.getlist("origin") if not _ORIGIN.fullmatch(origin)]
        if foreign:
            return AccessError(
                f"The request comes from a page of {foreign[0][:_SHOWN]!r}, and pages of other origins may not ask.",
                "Ask from a program, which sends no Origin, or from a page that this machine serves.",
                code="origin_refused",
            )
        if not self._brings_token(headers.getlist("authorization")):
            return AccessError(
                "This port wants its token, and the request brings none, or another one.",
                'Send it: curl -H "Authorization: Bearer $(cat FILE)"; FILE is what services.nixTrinity.httpTokenFile '
                "(http.token_file) names.",
                code="unauthorized",
            )
        return None

    def _brings_token(self, given: list[str]) -> bool:
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        # As long in any case, so that how long it took tells nothing of how much of it was right.
        right = hmac.compare_digest(token.strip(" ").encode("latin-1"), self._token)
        return right and scheme.lower() == "bearer"
