"""The OpenAPI description, made from the very structs that the routes read and write."""

from __future__ import annotations

from typing import Any

import msgspec

from nix_trinity import __version__
from nix_trinity.answering.question import Ended, Queued, Started, Text
from nix_trinity.api import messages

StreamEvent = Queued | Started | Text | Ended | messages.ErrorEvent


def describe() -> dict[str, Any]:
    """The description, as OpenAPI 3.1."""
    kinds = [
        messages.AskRequest,
        messages.FeedbackRequest,
        messages.Answer,
        messages.FeedbackReply,
        messages.HistoryReply,
        messages.ExchangeReply,
        messages.ForgetReply,
        messages.StatusReply,
        messages.OptionsReply,
        messages.ErrorReply,
        StreamEvent,
    ]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    of: dict[Any, dict[str, Any]] = dict(zip(kinds, schemas, strict=True))
    components["StreamEvent"] = of[StreamEvent]
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
            "/v1/ask": {"post": _operation("Ask", ask_reply, error, body=of[messages.AskRequest])},
            "/v1/feedback": {
                "post": _operation(
                    "Judge an answer",
                    _json(of[messages.FeedbackReply]),
                    error,
                    body=of[messages.FeedbackRequest],
                )
            },
            "/v1/history": {
                "get": _operation("List exchanges", _json(of[messages.HistoryReply]), error, parameters=filters)
            },
            "/v1/history/{id}": {
                "get": _operation(
                    "Show an exchange", _json(of[messages.ExchangeReply]), error, parameters=[identifier]
                ),
                "delete": _operation(
                    "Forget an exchange", _json(of[messages.ForgetReply]), error, parameters=[identifier]
                ),
            },
            "/v1/status": {"get": _operation("Show the daemon's state", _json(of[messages.StatusReply]), error)},
            "/v1/options": {
                "get": _operation(
                    "Search the options", _json(of[messages.OptionsReply]), error, parameters=[words, limit]
                )
            },
            "/v1/backup": {"get": _operation("Copy the database", {"application/vnd.sqlite3": {}}, error)},
            "/v1/openapi.json": {"get": _operation("This description", _json({"type": "object"}), error)},
        },
        "components": {"schemas": components},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _operation(
    summary: str,
    content: dict[str, Any],
    error: dict[str, Any],
    *,
    body: dict[str, Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": content},
            "default": {"description": "What went wrong, and what to do.", "content": _json(error)},
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    if parameters is not None:
        operation["parameters"] = parameters
    return operation
