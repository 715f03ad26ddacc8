"""The part of the OpenAPI description that is OpenAI's API."""

from __future__ import annotations

from typing import Any

from nix_trinity.api import openai_messages as messages
from nix_trinity.api.openai_errors import OpenAIErrorReply
from nix_trinity.api.openapi import json_content, operation

KINDS: list[Any] = [
    messages.ChatRequest,
    messages.ChatReply,
    messages.ChatChunk,
    messages.ModelsReply,
    messages.ModelCard,
    messages.EmbeddingsRequest,
    messages.EmbeddingsReply,
    OpenAIErrorReply,
]


def paths(of: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """The paths; ``of`` has the schema of each of :data:`KINDS`."""
    error = of[OpenAIErrorReply]
    name = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    reply = {**json_content(of[messages.ChatReply]), "text/event-stream": {"schema": {"type": "string"}}}
    chat = operation("Ask, as programs do that speak to OpenAI", reply, error, body=of[messages.ChatRequest])
    chat["responses"]["200"]["description"] = (
        "With stream: server-sent events; the data of each is a ChatChunk, an OpenAIErrorReply, or the word [DONE]."
    )
    return {
        "/v1/chat/completions": {"post": chat},
        "/v1/models": {"get": operation("List the models' names", json_content(of[messages.ModelsReply]), error)},
        "/v1/models/{id}": {
            "get": operation("Show a model's name", json_content(of[messages.ModelCard]), error, parameters=[name])
        },
        "/v1/embeddings": {
            "post": operation(
                "Make vectors of texts",
                json_content(of[messages.EmbeddingsReply]),
                error,
                body=of[messages.EmbeddingsRequest],
            )
        },
    }
