"""The routes: each reads a message, asks one of the rooms, and writes a message."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from nix_trinity.answering.pipeline import Answering
from nix_trinity.answering.question import Question
from nix_trinity.api import http, messages, status_messages, text
from nix_trinity.api.access import Access
from nix_trinity.api.decoding import check_text, decode
from nix_trinity.api.judging import Inspect, judge
from nix_trinity.api.learning_routes import LearningApi
from nix_trinity.api.openai_api import Embed, OpenAIApi
from nix_trinity.api.openapi import describe
from nix_trinity.api.pack_routes import PackApi
from nix_trinity.api.stream import AnswerReply
from nix_trinity.api.tool_routes import ToolApi
from nix_trinity.errors import AccessError, RequestError, TrinityError
from nix_trinity.host.peer import BY_TOKEN, Peer
from nix_trinity.knowledge.exchanges import Feedback, Reader
from nix_trinity.knowledge.store import KnowledgeStore

# How our own programs name themselves, and the interface that is told of what they ask.
_PROGRAMS = {"nix-trinity-client": "cli", "nix-trinity-mcp": "mcp"}


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers, and what they ask."""

    answering: Answering
    store: KnowledgeStore
    search: Callable[[str, int], Awaitable[messages.OptionsReply]]
    access: Access
    status_of: Callable[[], Awaitable[status_messages.StatusReply]]
    inspect: Inspect | None = None
    """Checks corrections; None: they are kept unchecked."""
    learning: LearningApi | None = None
    """None: its routes are not there."""
    tools: ToolApi | None = None
    """None: its routes are not there."""
    packs: PackApi | None = None
    """None: its routes are not there."""
    embed: Embed | None = None
    """Makes vectors of texts; None: there is no embedding model."""

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/ask", self.ask, methods=["POST"]),
                Route("/v1/feedback", self.feedback, methods=["POST"]),
                Route("/v1/history", self.history, methods=["GET"]),
                Route("/v1/history/{id}", self.exchange, methods=["GET"]),
                Route("/v1/history/{id}", self.forget, methods=["DELETE"]),
                Route("/v1/status", self.status, methods=["GET"]),
                Route("/v1/options", self.options, methods=["GET"]),
                Route("/v1/backup", self.backup, methods=["GET"]),
                Route("/v1/openapi.json", self.openapi, methods=["GET"]),
                *OpenAIApi(self.answering, self.store, self._reader, self.embed).routes(),
                *(self.learning.routes(self._reader, self._correct) if self.learning is not None else ()),
                *(self.tools.routes(self._reader) if self.tools is not None else ()),
                *(self.packs.routes(self._reader) if self.packs is not None else ()),
            ],
            exception_handlers={
                TrinityError: http.on_trinity_error,
                HTTPException: http.on_http_error,
                Exception: http.on_other_error,
            },
        )

    async def ask(self, request: Request) -> ASGIApp:
        """``POST /v1/ask``."""
        reader = self._reader(request)
        message = decode(await http.read_body(request), messages.AskRequest)
        check_text(message.question, field="question", most=messages.MOST_QUESTION_CHARACTERS)
        check_text(message.attachment, field="attachment", most=messages.MOST_ATTACHMENT_CHARACTERS)
        if not message.question.strip():
            raise RequestError(
                "The question is empty.",
                "Ask in words: ask-nix-guru how do I enable SSH",
                code="question_empty",
            )
        running = self.answering.ask(
            Question(
                text=message.question.strip(),
                uid=reader.uid,
                interface=_interface(request),
                attachment=message.attachment,
                role=message.role,
                level=message.level,
                session=message.session,
                continues=message.continues,
                keep=message.log,
                local_time=message.local_time,
                fresh=message.fresh,
            )
        )
        return AnswerReply(running, stream=message.stream)

    async def feedback(self, request: Request) -> Response:
        """``POST /v1/feedback``."""
        reader = self._reader(request)
        message = decode(await http.read_body(request), messages.FeedbackRequest)
        correction = message.correction
        if (message.verdict == "corrected") != (correction is not None and bool(correction.strip())):
            raise RequestError(
                "A corrected answer needs its text in 'correction', and only a corrected one has it.",
                "For example: nix-trinity correct --text 'services.openssh.enable = true;'",
            )
        if correction is not None:
            check_text(correction, field="correction", most=messages.MOST_ATTACHMENT_CHARACTERS)
        # As everywhere else a person's newest exchange has that name.
        which = "" if message.id == "last" else message.id
        reply = await self._judged(reader, which, message.verdict, correction)
        if self.learning is not None and message.verdict != "bad":
            reply = msgspec.structs.replace(
                reply, notices=(*reply.notices, *await self.learning.consent_notices(reader))
            )
        return http.json_response(reply)

    async def history(self, request: Request) -> Response:
        """``GET /v1/history``."""
        reader = self._reader(request)
        limit = http.whole_number(request, "limit", usual=20, most=messages.MOST_HISTORY)
        session = request.query_params.get("session")
        found = tuple(await self.store.history(reader, limit=limit, session=session))
        if http.wants_text(request):
            return http.text_response(text.history_text(found))
        return http.json_response(messages.HistoryReply(found))

    async def exchange(self, request: Request) -> Response:
        """``GET /v1/history/{id}``; ``last`` is the person's newest."""
        exchange, feedback = await self.store.find(self._reader(request), _id(request))
        reply = messages.ExchangeReply(
            exchange,
            tuple(messages.FeedbackEntry(f.given_at_ms, f.uid, f.verdict, f.correction) for f in feedback),
        )
        if http.wants_text(request):
            return http.text_response(text.exchange_text(reply))
        return http.json_response(reply)

    async def forget(self, request: Request) -> Response:
        """``DELETE /v1/history/{id}``."""
        return http.json_response(messages.ForgetReply(await self.store.forget(self._reader(request), _id(request))))

    async def status(self, request: Request) -> Response:
        """``GET /v1/status``."""
        self._reader(request)
        status = await self.status_of()
        if http.wants_text(request):
            return http.text_response(text.status_text(status))
        return http.json_response(status)

    async def options(self, request: Request) -> Response:
        """``GET /v1/options?q=WORDS``: the search itself."""
        self._reader(request)
        words = request.query_params.get("q", "")
        check_text(words, field="q", most=messages.MOST_QUESTION_CHARACTERS)
        if not words.strip():
            raise RequestError(
                "There are no words to search for.", "For example: nix-trinity options ssh", code="question_empty"
            )
        reply = await self.search(words, http.whole_number(request, "limit", usual=10, most=messages.MOST_HISTORY))
        if http.wants_text(request):
            return http.text_response(text.options_text(reply))
        return http.json_response(reply)

    async def backup(self, request: Request) -> Response:
        """``GET /v1/backup``: everybody's exchanges, so for operators only."""
        if not self._reader(request).sees_all:
            raise AccessError(
                "A back-up holds everybody's exchanges, so only operators may make one.",
                "Run it as root, or join the operators' group (services.nixTrinity.operators).",
            )
        copy = self.store.backup()
        # The first block is awaited here, so that a copy that cannot be made is a plain HTTP error.
        first = await anext(copy)

        async def blocks() -> AsyncGenerator[bytes, None]:
            yield first
            async for block in copy:
                yield block

        return StreamingResponse(blocks(), media_type="application/vnd.sqlite3")

    async def openapi(self, _request: Request) -> Response:
        """``GET /v1/openapi.json``."""
        return Response(msgspec.json.encode(describe()), media_type="application/json")

    async def _correct(self, reader: Reader, exchange: str, text: str) -> messages.FeedbackReply:
        return await self._judged(reader, exchange, "corrected", text)

    async def _judged(
        self, reader: Reader, exchange: str, verdict: messages.Verdict, correction: str | None
    ) -> messages.FeedbackReply:
        entry = Feedback(
            given_at_ms=int(time.time() * 1000),
            uid=reader.uid,
            verdict=verdict,
            correction=correction,
            by_operator=reader.sees_all,
        )
        return await judge(self.store, self.inspect, reader, exchange, entry)

    def _reader(self, request: Request) -> Reader:
        peer = request.state.peer
        assert isinstance(peer, Peer)  # noqa: S101 (the protocol class puts it there)
        return self.access.reader(peer)


def _interface(request: Request) -> str:
    program = request.headers.get("user-agent", "").partition("/")[0]
    # Our programs know the Unix socket alone: over TCP, whoever says that it is one of them is another program.
    return _PROGRAMS.get(program, "http") if request.state.peer != BY_TOKEN else "http"


def _id(request: Request) -> str:
    given: str = request.path_params["id"]
    return "" if given == "last" else given
