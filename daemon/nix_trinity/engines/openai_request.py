"""The body of a chat completion, and what of it a server was found not to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nix_trinity.engines.definitions import Definition
from nix_trinity.engines.openai_faults import OPTIONAL_FIELDS, SYSTEM_ROLE
from nix_trinity.engines.openai_form import asked_in_words
from nix_trinity.engines.protocol import ChatMessage, ChatRequest

# The parameters of a Modelfile that OpenAI's API has too. The others (top_k, repeat_penalty, …) are Ollama's own, and
# whoever serves the model sets them there.
_SHARED = ("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty")
_MESSAGES = "messages"


def body_of(request: ChatRequest, definition: Definition) -> dict[str, Any]:
    """What is sent: the definition's own texts first, then the request's."""
    own = {name: definition.parameters[name] for name in _SHARED if name in definition.parameters}
    body: dict[str, Any] = {
        "model": definition.base,
        _MESSAGES: [_message(one) for one in _messages(request, definition)],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": _most(request, definition),
        **own,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None:
        form = {"name": "answer", "strict": True, "schema": dict(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


class Fields:
    """What each model's server refused so far, so that it is asked without from then on."""

    def __init__(self) -> None:
        self._refused: dict[str, set[str]] = {}

    def refused(self, model: str, field: str, body: Mapping[str, Any]) -> bool:
        """Take down that a field was refused; False where it was not sent, so that asking again helps nothing."""
        there = (
            field in body
            if field in OPTIONAL_FIELDS
            else any(one["role"] == SYSTEM_ROLE for one in body.get(_MESSAGES, ()))
        )
        self._refused.setdefault(model, set()).add(field)
        return there

    def kept(self, model: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body without what was refused, said in another way where there is one."""
        refused = self._refused.get(model, set())
        kept = {name: value for name, value in body.items() if name not in refused}
        if "max_tokens" in refused and "max_tokens" in body and "max_completion_tokens" not in refused:
            kept["max_completion_tokens"] = body["max_tokens"]
        if "response_format" in refused and "response_format" in body:
            schema = body["response_format"]["json_schema"]["schema"]
            kept[_MESSAGES] = _with_words(body[_MESSAGES], asked_in_words(schema))
        if SYSTEM_ROLE in refused and _MESSAGES in body:
            kept[_MESSAGES] = _without_system(kept[_MESSAGES])
        return kept


def _messages(request: ChatRequest, definition: Definition) -> list[ChatMessage]:
    system = [ChatMessage("system", definition.system)] if definition.system else []
    return [*system, *definition.messages, *request.messages]


def _message(message: ChatMessage) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


def _most(request: ChatRequest, definition: Definition) -> int:
    own = definition.parameters.get("num_predict")
    limit = own if isinstance(own, int) and not isinstance(own, bool) and own > 0 else request.max_tokens
    return min(request.max_tokens, limit)


def _with_words(messages: Sequence[Mapping[str, str]], words: str) -> list[dict[str, str]]:
    """At the end of the last message, so that all before it stays the same."""
    *before, last = messages
    return [*map(dict, before), {**last, "content": f"{last['content']}\n\n{words}"}]


def _without_system(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The system text before the first message of the user."""
    system = "\n\n".join(one["content"] for one in messages if one["role"] == SYSTEM_ROLE)
    rest = [dict(one) for one in messages if one["role"] != SYSTEM_ROLE]
    for one in rest:
        if system and one["role"] == "user":
            one["content"] = f"{system}\n\n{one['content']}"
            break
    return rest
