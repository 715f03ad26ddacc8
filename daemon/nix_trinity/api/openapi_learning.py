"""The learn line's part of the OpenAPI description."""

from __future__ import annotations

from typing import Any

from nix_trinity.api import learning_messages as messages
from nix_trinity.api.knowledge_routes import FORMS, MOST_WEEKS
from nix_trinity.api.learning_messages import BuildStreamEvent
from nix_trinity.api.openapi import json_content, operation
from nix_trinity.catalogue import ROLES
from nix_trinity.knowledge.portable import ImportReport
from nix_trinity.knowledge.statistics import Statistics
from nix_trinity.training.learning import Difference, Pruned, WrittenReport
from nix_trinity.training.version import Manifest

KINDS: list[Any] = [
    messages.BuildRequest,
    messages.BuildsReply,
    messages.VersionsReply,
    messages.RollbackRequest,
    messages.PruneRequest,
    messages.CandidatesReply,
    messages.ReviewRequest,
    messages.ReviewReply,
    messages.ConsentRequest,
    messages.ConsentReply,
    Statistics,
    messages.ReportRequest,
    ImportReport,
    Difference,
    Pruned,
    WrittenReport,
    Manifest,
    BuildStreamEvent,
]


def paths(of: dict[Any, dict[str, Any]], error: dict[str, Any], limit: dict[str, Any]) -> dict[str, Any]:
    """The paths; ``of`` has the schema of each of :data:`KINDS`."""

    def does(summary: str, reply: Any, **more: Any) -> dict[str, Any]:
        return operation(summary, json_content(of[reply]), error, **more)

    role = {"name": "role", "in": "query", "schema": {"enum": list(ROLES)}}
    versions = [
        {"name": name, "in": "query", "required": True, "schema": {"type": "string"}} for name in ("older", "newer")
    ]
    weeks = {"name": "weeks", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST_WEEKS}}
    export = [
        {"name": "form", "in": "query", "schema": {"enum": list(FORMS)}},
        {"name": "all", "in": "query", "schema": {"enum": ["0", "1"]}},
    ]
    events = {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/BuildStreamEvent"}}}
    lines: dict[str, Any] = {"application/x-ndjson": {}}
    take_in = does("Import exchanges as one's own", ImportReport)
    take_in["requestBody"] = {"required": True, "content": lines}
    return {
        "/v1/builds": {
            "post": operation(
                "Build, evaluate and deploy versions (operators)", events, error, body=of[messages.BuildRequest]
            ),
            "get": does("List builds (operators)", messages.BuildsReply, parameters=[limit]),
        },
        "/v1/versions": {"get": does("List versions (operators)", messages.VersionsReply, parameters=[role])},
        "/v1/versions/diff": {"get": does("Compare two versions (operators)", Difference, parameters=versions)},
        "/v1/rollback": {
            "post": does("Deploy an older version again (operators)", Manifest, body=of[messages.RollbackRequest])
        },
        "/v1/prune": {"post": does("Apply retention now (operators)", Pruned, body=of[messages.PruneRequest])},
        "/v1/review": {
            "get": does("List what waits for a review (operators)", messages.CandidatesReply, parameters=[limit]),
            "post": does("Review an exchange (operators)", messages.ReviewReply, body=of[messages.ReviewRequest]),
        },
        "/v1/consent": {
            "get": does("Whether models may learn from one's exchanges", messages.ConsentReply),
            "put": does("Say so for oneself", messages.ConsentReply, body=of[messages.ConsentRequest]),
        },
        "/v1/stats": {"get": does("Show the figures (operators)", Statistics, parameters=[weeks])},
        "/v1/reports": {
            "post": does("Write a month's report (operators)", WrittenReport, body=of[messages.ReportRequest])
        },
        "/v1/export": {"get": operation("Export exchanges", lines, error, parameters=export)},
        "/v1/import": {"post": take_in},
        "/metrics": {"get": operation("The figures for Prometheus (operators)", {"text/plain": {}}, error)},
    }
