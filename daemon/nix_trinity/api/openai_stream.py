"""An answer in the form of OpenAI's chat completions: one object, or server-sent events."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from starlette.responses import Response

from nix_trinity.answering.question import Ended, Event, Queued, Started, Text
from nix_trinity.api.http import error_response_at, json_response, status_of
from nix_trinity.api.openai_errors import openai_error
from nix_trinity.api.openai_footer import Mask, footer, masked
from nix_trinity.api.openai_messages import (
    AnswerMessage,
    ChatChunk,
    ChatReply,
    Choice,
    ChunkChoice,
    Delta,
    Facts,
    Usage,
)
from nix_trinity.errors import TrinityError

PATH = "/v1/chat/completions"
_DONE = b"data: [DONE]\n\n"


class OpenAIForm:
    """How one reply is written; see :class:`~nix_trinity.api.stream.Form`."""

    media_type = "text/event-stream"

    def __init__(
        self,
        exchange_id: str,
        model: str,
        *,
        with_usage: bool = False,
        with_footer: bool = True,
        notices: tuple[str, ...] = (),
    ) -> None:
        """``model`` is the name that was asked for; ``notices`` are about the request."""
        self._id = exchange_id
        self._model = model
        self._created = int(time.time())
        self._with_usage = with_usage
        self._with_footer = with_footer
        self._notices = notices
        self._started: Started | None = None
        self._said_role = False
        self._mask = Mask()
        self._answer: list[str] = []

    def of_event(self, event: Event) -> bytes:
        """The chunks of an event; a comment, which clients skip, while the question waits."""
        if isinstance(event, Queued):
            return self._role() + f": waiting: position {event.position}\n\n".encode()
        if isinstance(event, Started):
            self._started = event
            return self._role()
        if isinstance(event, Text):
            return self._role() + self._text(self._mask.add(event.text))
        return self._role() + self._end(event)

    def of_error(self, error: TrinityError) -> bytes:
        """What ends a stream that has begun and cannot go on."""
        rest = self._text(self._mask.rest())
        return rest + _event(openai_error(error, status_of(error))) + _DONE

    def whole(self, started: Started, answer: str, ended: Ended) -> Response:
        """The reply in one piece."""
        facts = self._facts(started, ended)
        answer = masked(answer)
        text = answer + footer(answer, facts) if self._with_footer else answer
        choice = Choice(AnswerMessage(text), _finish_reason(ended))
        return json_response(
            ChatReply(f"chatcmpl-{self._id}", self._created, self._model, (choice,), _usage(ended), facts)
        )

    def refusal(self, error: TrinityError) -> Response:
        """The reply where an error comes before anything else."""
        return error_response_at(PATH, error)

    def _end(self, ended: Ended) -> bytes:
        assert self._started is not None  # noqa: S101 (Started comes before Ended)
        facts = self._facts(self._started, ended)
        last = self._text(self._mask.rest())
        if self._with_footer:
            last += self._text(footer("".join(self._answer), facts))
        last += self._chunk(Delta(), finish_reason=_finish_reason(ended), facts=facts)
        if self._with_usage:
            last += _event(ChatChunk(f"chatcmpl-{self._id}", self._created, self._model, (), _usage(ended)))
        return last + _DONE

    def _role(self) -> bytes:
        """The first chunk, which says who speaks; once."""
        if self._said_role:
            return b""
        self._said_role = True
        return self._chunk(Delta(role="assistant", content=""))

    def _text(self, text: str) -> bytes:
        self._answer.append(text)
        return self._chunk(Delta(content=text)) if text else b""

    def _chunk(
        self, delta: Delta, *, finish_reason: Literal["stop", "length"] | None = None, facts: Facts | None = None
    ) -> bytes:
        return _event(
            ChatChunk(
                f"chatcmpl-{self._id}",
                self._created,
                self._model,
                (ChunkChoice(delta, finish_reason),),
                None if self._with_usage else msgspec.UNSET,
                facts or msgspec.UNSET,
            )
        )

    def _facts(self, started: Started, ended: Ended) -> Facts:
        return Facts(
            id=self._id,
            role=started.role,
            role_reason=started.role_reason,
            model=started.model,
            model_version=started.model_version,
            verdict=ended.verdict,
            sources=ended.sources,
            options_release=ended.options_release,
            degraded=ended.degraded,
            known=started.known,
            kept=ended.kept,
            truncated=ended.truncated,
            notices=(*self._notices, *started.notices, *ended.notices),
        )


def _finish_reason(ended: Ended) -> Literal["stop", "length"]:
    return "length" if ended.cut_off else "stop"


def _usage(ended: Ended) -> Usage:
    prompt, answer = ended.prompt_tokens or 0, ended.answer_tokens or 0
    return Usage(prompt, answer, prompt + answer)


def _event(content: msgspec.Struct) -> bytes:
    return b"data: " + msgspec.json.encode(content) + b"\n\n"
