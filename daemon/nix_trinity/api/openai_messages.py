"""OpenAI's messages, as far as they mean something here. Fields that are not here are accepted and ignored."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec

from nix_trinity.answering.question import Source
from nix_trinity.api.messages import Level
from nix_trinity.api.openai_errors import FieldError
from nix_trinity.catalogue import ROLES
from nix_trinity.errors import RequestError

ROUTED = "nix-trinity"
CHAT_MODELS: dict[str, str | None] = {ROUTED: None, **{f"nix-{role}": role for role in ROLES}}
"""The models' names with the role that answers; None: it is chosen for each question."""
MOST_TEXTS = 256

Message = TypeVar("Message", bound=msgspec.Struct)
Speaker = Literal["system", "developer", "user", "assistant", "tool", "function"]


class ContentPart(msgspec.Struct, frozen=True):
    """A part of a message; only those of type text (or refusal) are read."""

    type: str
    text: str | None = None
    refusal: str | None = None


class ChatMessage(msgspec.Struct, frozen=True):
    """A message of the conversation."""

    role: Speaker
    content: str | list[ContentPart] | None = None


class StreamOptions(msgspec.Struct, frozen=True):
    """``stream_options``."""

    include_usage: bool | None = None


class OwnOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``nix_trinity``: what OpenAI's API has no field for; see ``POST /v1/ask``."""

    level: Level | None = None
    log: bool = True
    fresh: bool = False
    footer: bool = True
    """False: the verdict and the sources stand in the reply's ``nix_trinity`` alone, and not in the text."""


class ChatRequest(msgspec.Struct, frozen=True):
    """``POST /v1/chat/completions``."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "model": ROUTED,
        "messages": [{"role": "user", "content": "How do I enable SSH?"}],
    }

    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    """False: nothing of this exchange is kept."""
    nix_trinity: OwnOptions | None = None


class EmbeddingsRequest(msgspec.Struct, frozen=True):
    """``POST /v1/embeddings``."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"model": "nix-embedding", "input": ["services.openssh.enable"]}

    model: str
    input: str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_TEXTS)]
    encoding_format: Literal["float", "base64"] | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the engine counted them; 0 where no model was asked."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Facts(msgspec.Struct, frozen=True):
    """What OpenAI's API has no field for: as in the reply to ``POST /v1/ask``."""

    id: str
    role: str
    role_reason: str
    model: str
    model_version: str
    verdict: str
    sources: tuple[Source, ...]
    options_release: str | None
    degraded: str | None
    known: str | None
    kept: bool
    truncated: bool
    notices: tuple[str, ...]


class AnswerMessage(msgspec.Struct, frozen=True):
    """The answer."""

    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class Choice(msgspec.Struct, frozen=True):
    """The only choice that there is."""

    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    index: Literal[0] = 0
    logprobs: None = None


class ChatReply(msgspec.Struct, frozen=True):
    """The reply in one piece. ``model`` is the name that was asked for; ``nix_trinity.model`` the one that answered."""

    id: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    nix_trinity: Facts
    object: Literal["chat.completion"] = "chat.completion"


class Delta(msgspec.Struct, frozen=True):
    """What is new."""

    role: Literal["assistant"] | msgspec.UnsetType = msgspec.UNSET
    content: str | msgspec.UnsetType = msgspec.UNSET


class ChunkChoice(msgspec.Struct, frozen=True):
    """The only choice that there is."""

    delta: Delta
    finish_reason: Literal["stop", "length"] | None = None
    index: Literal[0] = 0
    logprobs: None = None


class ChatChunk(msgspec.Struct, frozen=True):
    """An event of a stream."""

    id: str
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
    nix_trinity: Facts | msgspec.UnsetType = msgspec.UNSET
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"


class ModelCard(msgspec.Struct, frozen=True):
    """A model's name. ``created`` is not known."""

    id: str
    created: int = 0
    object: Literal["model"] = "model"
    owned_by: str = "nix-trinity"


class ModelsReply(msgspec.Struct, frozen=True):
    """``GET /v1/models``."""

    data: tuple[ModelCard, ...]
    object: Literal["list"] = "list"


class Embedding(msgspec.Struct, frozen=True):
    """A text's vector: numbers, or their 32-bit floats (little-endian) in base64."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingsUsage(msgspec.Struct, frozen=True):
    """Not counted: 0."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class EmbeddingsReply(msgspec.Struct, frozen=True):
    """``POST /v1/embeddings``."""

    data: tuple[Embedding, ...]
    model: str
    usage: EmbeddingsUsage = EmbeddingsUsage()
    object: Literal["list"] = "list"


def decode(body: bytes, kind: type[Message]) -> Message:
    """Read a request's body.

    :raises RequestError: ``bad_json``, or ``bad_request`` with the field that is wrong.
    """
    hint = f"Send JSON: {msgspec.json.encode(getattr(kind, 'EXAMPLE', {})).decode()}"
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        param = where.rstrip("`").lstrip(".")
        at = f"{param}: {what[0].lower()}{what[1:]}" if param else what
        raise FieldError(param, f"{at}.", hint) from error
    except RecursionError as error:
        # Fields that are ignored are read over all the same.
        raise RequestError("The request's body is nested too deeply.", hint, code="bad_json") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"The request's body is not valid JSON in UTF-8: {error}.", hint, code="bad_json") from error
