"""The OpenAPI description, made from the very structs that the routes read and write."""

from __future__ import annotations

from typing import Any

import msgspec

from nix_trinity import __version__
from nix_trinity.answering.question import Ended, Queued, Started, Text
from nix_trinity.api import messages, status_messages

StreamEvent = Queued | Started | Text | Ended | messages.ErrorEvent


def describe() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    # Not above: it loads the learn line, for which status need not wait.
    from nix_trinity.api import learning_messages, openapi_learning, openapi_openai, openapi_packs, openapi_tools

    kinds: list[Any] = [
        messages.AskRequest,
        messages.FeedbackRequest,
        messages.Answer,
        messages.FeedbackReply,
        messages.HistoryReply,
        messages.ExchangeReply,
        messages.ForgetReply,
        status_messages.StatusReply,
        messages.OptionsReply,
        messages.ErrorReply,
        StreamEvent,
        *openapi_learning.KINDS,
        *openapi_tools.KINDS,
        *openapi_packs.KINDS,
        *openapi_openai.KINDS,
    ]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    of: dict[Any, dict[str, Any]] = dict(zip(kinds, schemas, strict=True))
    components["StreamEvent"] = of[StreamEvent]
    components["BuildStreamEvent"] = of[learning_messages.BuildStreamEvent]
    identifier = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": "The id, its beginning, or 'last'.",
    }
    limit = {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": messages.MOST_HISTORY},
    }
    words = {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
    filters = [
        limit,
        {"name": "session", "in": "query", "schema": {"type": "string"}},
    ]
    ask_reply = {
        "application/x-ndjson": {"schema": {"$ref": "#/components/schemas/StreamEvent"}},
        "application/json": {"schema": of[messages.Answer]},
    }
    error = of[messages.ErrorReply]
    return {
        "openapi": "3.1.0",
        "info": {"title": "NixTrinity", "version": __version__},
        "paths": {
            "/v1/ask": {"post": operation("Ask", ask_reply, error, body=of[messages.AskRequest])},
            "/v1/feedback": {
                "post": operation(
                    "Judge an answer",
                    json_content(of[messages.FeedbackReply]),
                    error,
                    body=of[messages.FeedbackRequest],
                )
            },
            "/v1/history": {
                "get": operation("List exchanges", json_content(of[messages.HistoryReply]), error, parameters=filters)
            },
            "/v1/history/{id}": {
                "get": operation(
                    "Show an exchange", json_content(of[messages.ExchangeReply]), error, parameters=[identifier]
                ),
                "delete": operation(
                    "Forget an exchange", json_content(of[messages.ForgetReply]), error, parameters=[identifier]
                ),
            },
            "/v1/status": {
                "get": operation("Show the daemon's state", json_content(of[status_messages.StatusReply]), error)
            },
            "/v1/options": {
                "get": operation(
                    "Search the options", json_content(of[messages.OptionsReply]), error, parameters=[words, limit]
                )
            },
            "/v1/backup": {"get": operation("Copy the database", {"application/vnd.sqlite3": {}}, error)},
            "/v1/openapi.json": {"get": operation("This description", json_content({"type": "object"}), error)},
            **openapi_learning.paths(of, error, limit),
            **openapi_tools.paths(of, error),
            **openapi_packs.paths(of, error),
            **openapi_openai.paths(of),
        },
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        # Nothing on the Unix socket, whose peers the kernel names; the token on TCP.
        "security": [{}, {"token": []}],
    }


def json_content(schema: dict[str, Any]) -> dict[str, Any]:
    """Content of one JSON schema."""
    return {"application/json": {"schema": schema}}


def operation(
    summary: str,
    content: dict[str, Any],
    error: dict[str, Any],
    *,
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """What one method of a path does."""
    described: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": content},
            "default": {"description": "What went wrong, and what to do.", "content": json_content(error)},
        },
    }
    if body is not None:
        described["requestBody"] = {"required": True, "content": json_content(body)}
    if parameters is not None:
        described["parameters"] = parameters
    return described
