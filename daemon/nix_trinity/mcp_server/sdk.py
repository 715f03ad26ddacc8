"""The official library, of its first or its second form, under the second one's names. Nothing else imports it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from mcp.types import (
    CallToolResult,
    Completion,
    PromptReference,
    ResourceTemplateReference,
    ToolAnnotations,
)

from nix_trinity import __version__

__all__ = [
    "CallToolResult",
    "Completion",
    "Context",
    "PromptReference",
    "ResourceError",
    "ResourceTemplateReference",
    "ToolAnnotations",
    "ToolError",
    "complete_with",
    "new_server",
]

_IS_FIRST = version("mcp").startswith("1.")

if TYPE_CHECKING or not _IS_FIRST:
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import ResourceError, ToolError
else:
    from mcp.server.fastmcp import Context
    from mcp.server.fastmcp import FastMCP as MCPServer
    from mcp.server.fastmcp.exceptions import ResourceError, ToolError


Complete = Callable[[PromptReference | ResourceTemplateReference, Any, Any], Awaitable[Completion | None]]


def complete_with(server: MCPServer[Any], complete: Complete) -> None:
    """Let ``complete`` complete arguments: it is given what they belong to, the argument, and those before it."""
    untyped: Any = server
    untyped.completion()(complete)


def new_server(name: str, instructions: str) -> MCPServer[Any]:
    """A server without tools. What goes wrong in one is the client's to tell: the log has faults of ours alone."""
    if _IS_FIRST:
        first: Any = MCPServer(name, instructions=instructions, log_level="ERROR")
        # It takes no version; without one it would tell the library's.
        first._mcp_server.version = __version__
        server: MCPServer[Any] = first
        return server
    return MCPServer(name, instructions=instructions, version=__version__, log_level="ERROR")
