"""``nix-trinity mcp``: say what is missing, or serve."""

from __future__ import annotations

import importlib
import importlib.util
import io
import sys

from nix_trinity.client.arguments import read_arguments
from nix_trinity.client.wire import Refusal


def serve(given: list[str]) -> int:
    """Serve on standard input and output until the input ends.

    :raises Refusal: the library that speaks the protocol is not installed.
    """
    read_arguments(given, most_words=0)
    if importlib.util.find_spec("mcp") is None:
        raise Refusal(
            1,
            "The MCP server needs the Python package 'mcp', which is not installed here.",
            "In NixOS' package it is there; with pip: pip install 'nix-trinity[mcp]'",
            "mcp_missing",
        )
    if sys.stdin is not None and sys.stdin.isatty():
        sys.stderr.write(
            "This is for programs: name it in their configuration (docs/how-to/use-with-agents.md). Ctrl-D ends.\n"
        )
    # Here, since it takes half a second to import.
    importlib.import_module("nix_trinity.mcp_server.server").run()
    if sys.stdout is None or sys.stdout.closed:
        # The library's first form closes what it has written to; the program still wants to flush it at its end.
        sys.stdout = io.StringIO()
    return 0
