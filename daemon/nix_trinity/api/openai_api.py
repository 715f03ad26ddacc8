"""The routes of OpenAI's API: chat completions, models, embeddings; every question goes the same way as any other."""

from __future__ import annotations

import base64
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from nix_trinity.answering.incoming import MOST_BEFORE_CHARACTERS
from nix_trinity.answering.pipeline import Answering
from nix_trinity.answering.question import Question
from nix_trinity.api import http
from nix_trinity.api import openai_messages as messages
from nix_trinity.api.decoding import check_text
from nix_trinity.api.messages import MOST_ATTACHMENT_CHARACTERS, MOST_QUESTION_CHARACTERS
from nix_trinity.api.openai_conversation import MOST_WISHES_CHARACTERS, Turn, read_conversation
from nix_trinity.api.openai_errors import FieldError
from nix_trinity.api.openai_stream import PATH, OpenAIForm
from nix_trinity.api.stream import AnswerReply
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.store import KnowledgeStore

INTERFACE = "openai"
EMBEDDING = "nix-embedding"
_MOST_CLAIMED = 12

ReaderOf = Callable[[Request], Reader]
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]


@dataclass(frozen=True, slots=True)
class OpenAIApi:
    """The handlers, and what they ask; ``reader_of`` lets in who may ask."""

    answering: Answering
    store: KnowledgeStore
    reader_of: ReaderOf
    embed: Embed | None = None
    """The vectors of texts by the embedding model; None: there is none."""

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route(PATH, self.chat, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{id}", self.model, methods=["GET"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
        ]

    async def chat(self, request: Request) -> ASGIApp:
        """``POST /v1/chat/completions``."""
        reader = self.reader_of(request)
        message = messages.decode(await http.read_body(request), messages.ChatRequest)
        if message.model not in messages.CHAT_MODELS:
            raise _no_such_model(message.model)
        said = read_conversation(message.messages)
        check_text(said.question, field="messages", most=MOST_QUESTION_CHARACTERS)
        check_text(said.attachment, field="messages", most=MOST_ATTACHMENT_CHARACTERS)
        own = message.nix_trinity or messages.OwnOptions()
        session, follows, others = await self._ours(reader, said.turns)
        running = self.answering.ask(
            Question(
                text=said.question,
                uid=reader.uid,
                interface=INTERFACE,
                attachment=said.attachment,
                role=messages.CHAT_MODELS[message.model],
                level=own.level,
                session=session,
                keep=own.log and message.store is not False,
                fresh=own.fresh,
                follows=follows,
                # Twice what is kept: a secret that this cuts in two is cut away after the whole ones were taken out.
                before="\n\n".join(turn.text() for turn in others)[-2 * MOST_BEFORE_CHARACTERS :],
                wishes=said.wishes,
            )
        )
        options = message.stream_options
        form = OpenAIForm(
            running.id,
            message.model,
            with_usage=bool(options is not None and options.include_usage),
            with_footer=own.footer,
            notices=_about_wishes(said.unused_wishes) if not said.turns else (),
        )
        return AnswerReply(running, stream=bool(message.stream), form=form)

    async def models(self, request: Request) -> Response:
        """``GET /v1/models``."""
        self.reader_of(request)
        return http.json_response(messages.ModelsReply(tuple(map(messages.ModelCard, self._names()))))

    async def model(self, request: Request) -> Response:
        """``GET /v1/models/{id}``."""
        self.reader_of(request)
        name = request.path_params["id"]
        if name not in self._names():
            raise _no_such_model(name)
        return http.json_response(messages.ModelCard(name))

    async def embeddings(self, request: Request) -> Response:
        """``POST /v1/embeddings``: by the model that searches by meaning here. No question, so no row."""
        self.reader_of(request)
        message = messages.decode(await http.read_body(request), messages.EmbeddingsRequest)
        if self.embed is None or message.model != EMBEDDING:
            raise _no_such_model(message.model, embedding=True, there_is_one=self.embed is not None)
        texts = [message.input] if isinstance(message.input, str) else message.input
        for at, text in enumerate(texts):
            field = "input" if isinstance(message.input, str) else f"input[{at}]"
            check_text(text, field=field, most=MOST_QUESTION_CHARACTERS)
            if not text.strip():
                raise FieldError(field, f"{field} is empty.", "Send the text to embed.")
        vectors = [[float(number) for number in vector] for vector in await self.embed(texts)]
        as_base64 = message.encoding_format == "base64"
        data = (messages.Embedding(at, _base64(vector) if as_base64 else vector) for at, vector in enumerate(vectors))
        return http.json_response(messages.EmbeddingsReply(tuple(data), EMBEDDING))

    def _names(self) -> list[str]:
        return [*messages.CHAT_MODELS, *([EMBEDDING] if self.embed is not None else [])]

    async def _ours(self, reader: Reader, turns: Sequence[Turn]) -> tuple[str | None, tuple[str, ...], list[Turn]]:
        """The session and the ids of the turns that are exchanges of this very person, and the other turns."""
        own = Reader(reader.uid)
        # As many as a session's own history has; what is older is left out there too.
        recent = [turn for turn in turns if turn.claimed_id][-_MOST_CLAIMED:]
        sessions: dict[str, str] = {}
        for turn in recent:
            try:
                exchange, _ = await self.store.find(own, turn.claimed_id)
            except TrinityError:
                # It was forgotten, or cannot be read, or is somebody else's: what came is data, as from anywhere.
                continue
            sessions[turn.claimed_id] = exchange.session
        session = next(reversed(sessions.values()), None)
        follows = tuple(identifier for identifier, its in sessions.items() if its == session)
        data = [turn for turn in turns if not turn.claimed_id or (turn in recent and turn.claimed_id not in follows)]
        return session, follows, data


def _no_such_model(name: str, *, embedding: bool = False, there_is_one: bool = True) -> FieldError:
    if embedding and not there_is_one:
        hint = "There is no embedding model here: name one in corpus.embedding_model (services.nixTrinity.settings)."
    else:
        known = EMBEDDING if embedding else ", ".join(messages.CHAT_MODELS)
        hint = f"There is: {known}. {messages.ROUTED} chooses the role by the question."
    return FieldError("model", f"There is no model {name[:80]!r}.", hint, code="model_not_found")


def _about_wishes(unused: int) -> tuple[str, ...]:
    if not unused:
        return ()
    return (
        f"The program's system message of {unused} characters was not used: "
        f"up to {MOST_WISHES_CHARACTERS} are taken as a wish about the answer.",
    )


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
