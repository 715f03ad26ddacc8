"""The part of the OpenAPI description that is about facts for programs."""

from __future__ import annotations

from typing import Any

from nix_trinity.answering.option_changes import Changes
from nix_trinity.answering.option_facts import Check, ExplainedOption, Names
from nix_trinity.api.openapi import json_content, operation
from nix_trinity.api.tool_routes import MOST_NAMES, CheckRequest

KINDS: list[Any] = [CheckRequest, Check, ExplainedOption, Names, Changes]


def paths(of: dict[Any, dict[str, Any]], error: dict[str, Any]) -> dict[str, Any]:
    """The paths; ``of`` has the schema of each of :data:`KINDS`."""

    def does(summary: str, reply: Any, **more: Any) -> dict[str, Any]:
        return operation(summary, json_content(of[reply]), error, **more)

    def text(name: str, where: str, description: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "in": where, "schema": {"type": "string"}, "description": description, **more}

    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST_NAMES}}
    changes = [
        text("since", "query", "A release, as in 24.11; without it: since the list of options before this one."),
        text("under", "query", "Only this option and what is below it."),
    ]
    return {
        "/v1/check": {"post": does("Check Nix code, or a text with code blocks", Check, body=of[CheckRequest])},
        "/v1/options/{name}": {
            "get": does(
                "Show an option", ExplainedOption, parameters=[text("name", "path", "Its name.", required=True)]
            )
        },
        "/v1/names": {
            "get": does(
                "List names of options", Names, parameters=[text("beginning", "query", "How they begin."), limit]
            )
        },
        "/v1/changes": {"get": does("What came, went and was renamed", Changes, parameters=changes)},
    }
