"""The part of the OpenAPI description that is about knowledge packs."""

from __future__ import annotations

from typing import Any

from nix_trinity.answering.pack_check import PackReport
from nix_trinity.api.openapi import json_content, operation
from nix_trinity.api.pack_routes import PackFile, PackRequest
from nix_trinity.knowledge.packs_writing import WrittenPack

KINDS: list[Any] = [PackRequest, PackFile, WrittenPack, PackReport]


def paths(of: dict[Any, dict[str, Any]], error: dict[str, Any]) -> dict[str, Any]:
    """The paths; ``of`` has the schema of each of :data:`KINDS`."""
    check = operation("Check the files of a knowledge pack", json_content(of[PackReport]), error)
    check["requestBody"] = {"required": True, "content": {"application/x-ndjson": {"schema": of[PackFile]}}}
    return {
        "/v1/packs": {
            "post": operation(
                "Accepted exchanges as a knowledge pack", json_content(of[WrittenPack]), error, body=of[PackRequest]
            )
        },
        "/v1/packs/check": {"post": check},
    }
