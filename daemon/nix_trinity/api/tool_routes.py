"""The routes that programs ask for facts: check a text, one option whole, what changed. No model is asked."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nix_trinity.api import http, tool_text
from nix_trinity.api.decoding import check_text, decode
from nix_trinity.errors import RequestError
from nix_trinity.knowledge.exchanges import Reader

if TYPE_CHECKING:
    from nix_trinity.answering.option_facts import OptionFacts

MOST_CHECKED_CHARACTERS = 131_072
MOST_NAMES = 100
_MOST_NAME_CHARACTERS = 1_000
_RELEASE = re.compile(r"\d\d\.\d\d")


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /v1/check``: either ``code``, a NixOS module or settings out of one, or ``text`` with code blocks."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"code": "services.openssh.enable = true;"}

    code: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ToolApi:
    """The handlers, and what they ask."""

    facts: Callable[[], Awaitable[OptionFacts]]
    """Loaded by its first call."""

    def routes(self, reader_of: Callable[[Request], Reader]) -> list[Route]:
        """The routes, for those whom ``reader_of`` lets in."""
        handlers = _Handlers(self, reader_of)
        return [
            Route("/v1/check", handlers.check, methods=["POST"]),
            Route("/v1/names", handlers.names, methods=["GET"]),
            Route("/v1/options/{name:path}", handlers.option, methods=["GET"]),
            Route("/v1/changes", handlers.changes, methods=["GET"]),
        ]


class _Handlers:
    def __init__(self, api: ToolApi, reader_of: Callable[[Request], Reader]) -> None:
        self._api = api
        self._reader_of = reader_of

    async def check(self, request: Request) -> Response:
        """``POST /v1/check``."""
        self._reader_of(request)
        message = decode(await http.read_body(request), CheckRequest)
        field, given = ("code", message.code) if message.code is not None else ("text", message.text)
        if given is None or (message.code is not None and message.text is not None):
            raise RequestError(
                "A check needs either 'code' or 'text'.",
                "'code' is Nix alone, 'text' an answer with code blocks. For example: nix-trinity check module.nix",
            )
        check_text(given, field=field, most=MOST_CHECKED_CHARACTERS)
        if not given.strip():
            raise RequestError("There is nothing to check.", "For example: nix-trinity check configuration.nix")
        facts = await self._api.facts()
        found = await (facts.check_code(given) if field == "code" else facts.check_text(given))
        return http.reply(request, found, tool_text.check_text)

    async def option(self, request: Request) -> Response:
        """``GET /v1/options/{name}``."""
        self._reader_of(request)
        name = request.path_params["name"].strip()
        check_text(name, field="name", most=_MOST_NAME_CHARACTERS)
        return http.reply(request, await (await self._api.facts()).explain(name), tool_text.option_text)

    async def names(self, request: Request) -> Response:
        """``GET /v1/names?beginning=&limit=``."""
        self._reader_of(request)
        beginning = request.query_params.get("beginning", "")
        check_text(beginning, field="beginning", most=_MOST_NAME_CHARACTERS)
        limit = http.whole_number(request, "limit", usual=MOST_NAMES, most=MOST_NAMES)
        return http.reply(request, await (await self._api.facts()).names(beginning, limit=limit), tool_text.names_text)

    async def changes(self, request: Request) -> Response:
        """``GET /v1/changes?since=&under=``."""
        self._reader_of(request)
        since = request.query_params.get("since") or None
        under = request.query_params.get("under", "").strip().rstrip(".")
        if since is not None and not _RELEASE.fullmatch(since):
            raise RequestError(f"since={since[:40]!r} is no NixOS release.", "For example: ?since=24.11")
        check_text(under, field="under", most=_MOST_NAME_CHARACTERS)
        found = await (await self._api.facts()).changes(since=since, under=under)
        return http.reply(request, found, tool_text.changes_text)
