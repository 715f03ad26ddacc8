"""The routes of what is known: consent, figures, reports, knowledge out and in."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from nix_trinity.api import http
from nix_trinity.api.decoding import decode
from nix_trinity.api.learning_checks import forbidden, operator
from nix_trinity.errors import RequestError
from nix_trinity.knowledge.exchanges import Reader

if TYPE_CHECKING:
    from nix_trinity.api.learning_routes import LearningApi
    from nix_trinity.knowledge.portable import Form

FORMS: tuple[Form, ...] = ("exchanges", "chat")
MOST_WEEKS = 520
_USUAL_WEEKS = 8


class KnowledgeHandlers:
    """The handlers; see :class:`nix_trinity.api.learning_routes.LearningApi`."""

    def __init__(self, api: LearningApi, reader_of: Callable[[Request], Reader]) -> None:
        self._api = api
        self._reader_of = reader_of

    async def consent(self, request: Request) -> Response:
        """``GET /v1/consent``: one's own."""
        return await self._consent(request, self._reader_of(request))

    async def say_consent(self, request: Request) -> Response:
        """``PUT /v1/consent``: for oneself."""
        reader = self._reader_of(request)
        from nix_trinity.api.learning_messages import ConsentRequest

        message = decode(await http.read_body(request), ConsentRequest)
        await self._api.say_consent(reader.uid, message.allows)
        return await self._consent(request, reader)

    async def _consent(self, request: Request, reader: Reader) -> Response:
        from nix_trinity.api import learning_messages, learning_text

        reply = learning_messages.ConsentReply(await self._api.consent_of(reader.uid), self._api.consent_by_default)
        return http.reply(request, reply, learning_text.consent_text)

    async def stats(self, request: Request) -> Response:
        """``GET /v1/stats?weeks=``."""
        operator(self._reader_of(request), "The figures are about everybody, so only operators may see them.")
        weeks = http.whole_number(request, "weeks", usual=_USUAL_WEEKS, most=MOST_WEEKS)
        from nix_trinity.api.stats_text import stats_text

        return http.reply(request, await self._api.stats(weeks), stats_text)

    async def metrics(self, request: Request) -> Response:
        """``GET /metrics``: for Prometheus."""
        operator(self._reader_of(request), "The figures are about everybody, so only operators may see them.")
        from nix_trinity.api.prometheus import CONTENT_TYPE

        return Response(await self._api.metrics(), media_type=CONTENT_TYPE)

    async def report(self, request: Request) -> Response:
        """``POST /v1/reports``."""
        operator(self._reader_of(request), "A report is about everybody, so only operators may have it written.")
        from nix_trinity.api import learning_text
        from nix_trinity.api.learning_messages import ReportRequest

        message = decode(await http.read_body(request), ReportRequest)
        month = message.month or time.strftime("%Y-%m", time.localtime(self._api.wall_clock()))
        return http.reply(request, await (await self._api.learning()).report(month), learning_text.report_text)

    async def export(self, request: Request) -> Response:
        """``GET /v1/export?form=&all=``: one's own exchanges; operators may have all."""
        reader = self._reader_of(request)
        chosen = request.query_params.get("form", "exchanges")
        form = next((one for one in FORMS if one == chosen), None)
        everybody = request.query_params.get("all", "0")
        if form is None:
            raise RequestError(f"There is no form {chosen[:40]!r}.", f"The forms are {', '.join(FORMS)}.")
        if everybody not in ("0", "1"):
            raise RequestError(f"all={everybody[:40]!r} is neither 0 nor 1.", "For example: ?form=chat&all=1")
        if everybody == "1" and not reader.sees_all:
            raise forbidden("Only operators may have everybody's exchanges; your own come without 'all'.")
        lines = self._api.export(reader, form, everybody == "1")
        # The first block is awaited here, so that what cannot be read is a plain HTTP error.
        first = await anext(lines, b"")

        async def blocks() -> AsyncGenerator[bytes, None]:
            yield first
            async for block in lines:
                yield block

        return StreamingResponse(blocks(), media_type="application/x-ndjson")

    async def take_in(self, request: Request) -> Response:
        """``POST /v1/import``: JSON lines, taken in as they come; they become the sender's own exchanges."""
        reader = self._reader_of(request)
        from nix_trinity.api.learning_text import imported_text

        return http.reply(request, await self._api.import_lines(reader, http.body_lines(request)), imported_text)
