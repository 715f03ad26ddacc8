"""The routes of the learn line: builds, versions, review; and what all of its routes are answered from.

What they are answered with is loaded when the first of them is asked for: status must not wait for it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nix_trinity.api import http
from nix_trinity.api.builds_stream import build_reply
from nix_trinity.api.decoding import check_text, decode
from nix_trinity.api.knowledge_routes import KnowledgeHandlers
from nix_trinity.api.learning_checks import check_role, checked_version, operator
from nix_trinity.api.messages import MOST_ATTACHMENT_CHARACTERS, MOST_HISTORY, MOST_QUESTION_CHARACTERS, FeedbackReply
from nix_trinity.errors import RequestError
from nix_trinity.knowledge.exchanges import Reader

if TYPE_CHECKING:
    from nix_trinity.knowledge.portable import Form, ImportReport
    from nix_trinity.knowledge.statistics import Statistics
    from nix_trinity.training.learning import Learning

_MOST_ID_CHARACTERS = 64

Correct = Callable[[Reader, str, str], Awaitable[FeedbackReply]]
"""Keeps a person's correction of the exchange whose id begins so, and tells which it was and what the check found."""


@dataclass(frozen=True, slots=True)
class LearningApi:
    """The handlers, and what they ask. All of it may be loaded by its first call."""

    learning: Callable[[], Awaitable[Learning]]
    consent_of: Callable[[int], Awaitable[bool | None]]
    """The word of the person with this user id; None: they said nothing."""
    say_consent: Callable[[int, bool], Awaitable[None]]
    consent_by_default: bool
    stats: Callable[[int], Awaitable[Statistics]]
    """The figures of the last so many weeks."""
    metrics: Callable[[], Awaitable[bytes]]
    """The same for Prometheus, in its text format."""
    export: Callable[[Reader, Form, bool], AsyncIterator[bytes]]
    """What a person may see as JSON lines: their own exchanges, or everybody's."""
    import_lines: Callable[[Reader, AsyncIterator[bytes]], Awaitable[ImportReport]]
    """Take JSON lines in; what is no exchange is skipped and reported."""
    wall_clock: Callable[[], float] = time.time

    async def consent_notices(self, reader: Reader) -> tuple[str, ...]:
        """What a person who judges is to know: without their word, their exchanges are not learned from."""
        if self.consent_by_default or await self.consent_of(reader.uid) is not None:
            return ()
        return ("It helps with your own questions. Models learn from it once you allow it: nix-trinity consent yes",)

    def routes(self, reader_of: Callable[[Request], Reader], correct: Correct) -> list[Route]:
        """The routes, for those whom ``reader_of`` lets in."""
        handlers = _Handlers(self, reader_of, correct)
        knowledge = KnowledgeHandlers(self, reader_of)
        return [
            Route("/v1/builds", handlers.build, methods=["POST"]),
            Route("/v1/builds", handlers.builds, methods=["GET"]),
            Route("/v1/versions", handlers.versions, methods=["GET"]),
            Route("/v1/versions/diff", handlers.difference, methods=["GET"]),
            Route("/v1/rollback", handlers.rollback, methods=["POST"]),
            Route("/v1/prune", handlers.prune, methods=["POST"]),
            Route("/v1/review", handlers.candidates, methods=["GET"]),
            Route("/v1/review", handlers.review, methods=["POST"]),
            Route("/v1/consent", knowledge.consent, methods=["GET"]),
            Route("/v1/consent", knowledge.say_consent, methods=["PUT"]),
            Route("/v1/stats", knowledge.stats, methods=["GET"]),
            Route("/metrics", knowledge.metrics, methods=["GET"]),
            Route("/v1/reports", knowledge.report, methods=["POST"]),
            Route("/v1/export", knowledge.export, methods=["GET"]),
            Route("/v1/import", knowledge.take_in, methods=["POST"]),
        ]


class _Handlers:
    def __init__(self, api: LearningApi, reader_of: Callable[[Request], Reader], correct: Correct) -> None:
        self._api = api
        self._reader_of = reader_of
        self._correct = correct

    async def build(self, request: Request) -> Response:
        """``POST /v1/builds``: the build belongs to the daemon, the reply only tells of it."""
        operator(self._reader_of(request), "Only operators may have versions built.")
        from nix_trinity.api.learning_messages import BuildRequest

        message = decode(await http.read_body(request), BuildRequest)
        check_text(message.reason, field="reason", most=MOST_QUESTION_CHARACTERS)
        for role in message.roles:
            check_role(role)
        learning = await self._api.learning()
        roles = tuple(dict.fromkeys(message.roles))
        return await build_reply(learning.build(message.kind, roles, force=message.force, reason=message.reason))

    async def builds(self, request: Request) -> Response:
        """``GET /v1/builds``."""
        operator(self._reader_of(request), "Only operators may see the builds.")
        limit = http.whole_number(request, "limit", usual=20, most=MOST_HISTORY)
        from nix_trinity.api import learning_messages, learning_text

        found = await (await self._api.learning()).builds(limit)
        reply = learning_messages.BuildsReply(tuple(learning_messages.build_entry(one) for one in found))
        return http.reply(request, reply, learning_text.builds_text)

    async def versions(self, request: Request) -> Response:
        """``GET /v1/versions?role=``."""
        operator(self._reader_of(request), "Versions are made of other people's words, so only operators may see them.")
        role = request.query_params.get("role")
        if role is not None:
            check_role(role)
        from nix_trinity.api import learning_messages, learning_text

        found = await (await self._api.learning()).versions(role)
        return http.reply(request, learning_messages.VersionsReply(tuple(found)), learning_text.versions_text)

    async def difference(self, request: Request) -> Response:
        """``GET /v1/versions/diff?older=&newer=``."""
        operator(self._reader_of(request), "Versions are made of other people's words, so only operators may see them.")
        older, newer = (checked_version(request.query_params.get(name, ""), name)[0] for name in ("older", "newer"))
        from nix_trinity.api import learning_text

        found = await (await self._api.learning()).difference(older, newer)
        return http.reply(request, found, learning_text.difference_text)

    async def rollback(self, request: Request) -> Response:
        """``POST /v1/rollback``."""
        operator(self._reader_of(request), "Only operators may change what is deployed.")
        from nix_trinity.api import learning_text
        from nix_trinity.api.learning_messages import RollbackRequest

        message = decode(await http.read_body(request), RollbackRequest)
        check_role(message.role)
        if message.version is not None and checked_version(message.version, "version")[1] != message.role:
            raise RequestError(
                f"{message.version} is no version of the role {message.role}.",
                f"List them with: nix-trinity versions {message.role}",
            )
        deployed = await (await self._api.learning()).rollback(message.role, message.version)
        return http.reply(request, deployed, learning_text.rollback_text)

    async def prune(self, request: Request) -> Response:
        """``POST /v1/prune``."""
        operator(self._reader_of(request), "Only operators may remove versions.")
        from nix_trinity.api import learning_text
        from nix_trinity.api.learning_messages import PruneRequest

        message = decode(await http.read_body(request), PruneRequest)
        pruned = await (await self._api.learning()).prune(dry_run=message.dry_run)
        return http.reply(request, pruned, learning_text.pruned_text)

    async def candidates(self, request: Request) -> Response:
        """``GET /v1/review?limit=``."""
        operator(
            self._reader_of(request), "What waits for a review are everybody's exchanges, so only operators may see it."
        )
        limit = http.whole_number(request, "limit", usual=20, most=MOST_HISTORY)
        from nix_trinity.api import learning_messages, learning_text

        found = await (await self._api.learning()).candidates(limit)
        return http.reply(request, learning_messages.CandidatesReply(tuple(found)), learning_text.candidates_text)

    async def review(self, request: Request) -> Response:
        """``POST /v1/review``."""
        reader = operator(self._reader_of(request), "Only operators may say what models learn.")
        from nix_trinity.api import learning_messages, learning_text

        message = decode(await http.read_body(request), learning_messages.ReviewRequest)
        check_text(message.id, field="id", most=_MOST_ID_CHARACTERS)
        if not message.id.strip():
            raise RequestError("There is no id.", "List what waits for a review with: nix-trinity review")
        exchange = message.id
        seen = message.seen
        notices: tuple[str, ...] = ()
        if message.correction is not None:
            check_text(message.correction, field="correction", most=MOST_ATTACHMENT_CHARACTERS)
            if message.decision != "accepted" or not message.correction.strip():
                raise RequestError(
                    "A correction has a text, and its decision is 'accepted'.",
                    "For example: nix-trinity review --edit ID --text 'services.openssh.enable = true;'",
                )
            corrected = await self._correct(reader, message.id, message.correction)
            # Of an answer that was given again it is the first one that is corrected.
            exchange, notices, seen = corrected.id, corrected.notices, None
        lesson = await (await self._api.learning()).review(exchange, message.decision, reader.uid, seen)
        return http.reply(request, learning_messages.ReviewReply(lesson, notices), learning_text.reviewed_text)
