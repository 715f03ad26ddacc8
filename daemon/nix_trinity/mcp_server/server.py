"""The tools and resources. Their descriptions are what a model chooses by: short, and true."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from pydantic import Field

from nix_trinity.client.arguments import quoted
from nix_trinity.client.facts import has_block
from nix_trinity.client.wire import Refusal
from nix_trinity.mcp_server.door import asked, events_of, in_words
from nix_trinity.mcp_server.incoming import watch_input
from nix_trinity.mcp_server.sdk import (
    CallToolResult,
    Completion,
    Context,
    PromptReference,
    ResourceError,
    ResourceTemplateReference,
    ToolAnnotations,
    ToolError,
    complete_with,
    new_server,
)

_INSTRUCTIONS = (
    "Facts about the NixOS of this very machine, from the options of its own release and modules. Look options up "
    "before you write them, and pass Nix code through check_nix before you show it."
)
_FACTS = ToolAnnotations.model_validate({"readOnlyHint": True, "openWorldHint": False})
_ASKING = ToolAnnotations.model_validate({"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False})
# Of each kind of change; all of an upgrade's names would fill a model's window.
_MOST_NAMES = 100
_MOST_FOUND = 50

Role = Literal["auto", "expert", "empathy", "coder", "quick"]
Level = Literal["beginner", "intermediate", "expert"]

server = new_server("nix-trinity", _INSTRUCTIONS)


def run() -> None:
    """Serve until standard input ends."""
    watch_input()
    server.run("stdio")


@server.tool(title="Ask about this NixOS", annotations=_ASKING)
async def ask(
    context: Context[Any, Any],
    question: Annotated[str, Field(description="In plain words.")],
    attachment: Annotated[str, Field(description="A log, an error or a file that the question is about.")] = "",
    role: Annotated[Role, Field(description="Who answers; auto: chosen by the question.")] = "auto",
    level: Annotated[Level | None, Field(description="For whom the answer is.")] = None,
    session: Annotated[str | None, Field(description="Go on with the session that an earlier answer named.")] = None,
) -> CallToolResult:
    """Ask the assistant of this machine. A local model answers, so it may take minutes; each option and code block in the answer is checked."""
    message = {
        "question": question,
        "attachment": attachment,
        "role": None if role == "auto" else role,
        "level": level,
        "session": session,
    }
    pieces: list[str] = []
    told: dict[str, Any] = {}
    with _tool_errors():
        async for event in _followed(message, context):
            kind = event.pop("event", None)
            if kind == "text":
                pieces.append(str(event.get("text", "")))
            elif kind in ("started", "ended"):
                notices = [*told.get("notices", ()), *(event.get("notices") or ())]
                told |= {**event, "notices": notices}
    answer = "".join(pieces)
    kept = ("id", "session", "role", "model", "verdict", "sources", "options_release", "degraded", "notices", "known")
    structured = {"answer": answer, **{name: told.get(name) for name in kept}}
    text = "\n\n".join((answer.rstrip(), *_grounds(told)))
    return CallToolResult.model_validate({"content": [{"type": "text", "text": text}], "structuredContent": structured})


@server.tool(title="Search NixOS options", annotations=_FACTS)
async def search_options(
    words: Annotated[str, Field(description="What is to be set up or changed, or a part of a name.")],
    limit: Annotated[int, Field(description="How many at most.", ge=1, le=_MOST_FOUND)] = 10,
) -> dict[str, Any]:
    """Find options of this NixOS by what they do, best first, with notes that fit. No model is asked. confident=false: nothing clearly fits."""
    with _tool_errors():
        found = await asked("GET", f"/v1/options?q={quoted(words)}&limit={limit}")
        if not found.get("options") and found.get("release") is None:
            # Nothing was searched: where there are no options, this says why.
            await asked("GET", "/v1/names?limit=1")
    for option in found.get("options", ()):
        # How the search ranks says nothing about the option.
        option.pop("score", None)
        option.pop("why", None)
    return found


@server.tool(title="Explain a NixOS option", annotations=_FACTS)
async def explain_option(
    name: Annotated[str, Field(description="Its full name, as in services.openssh.enable.")],
) -> dict[str, Any]:
    """One option of this NixOS whole: type, default, example, description, declaration, release. An unknown name is an error that tells the nearest ones, or what it was renamed to."""
    with _tool_errors():
        return await asked("GET", f"/v1/options/{quoted(name.strip())}")


@server.tool(title="Check Nix code", annotations=_FACTS)
async def check_nix(
    content: Annotated[str, Field(description="A NixOS module, settings out of one, or an answer with code blocks.")],
    kind: Annotated[
        Literal["auto", "code", "text"], Field(description="auto: text if it has a code block, else code.")
    ] = "auto",
) -> dict[str, Any]:
    """Check configuration for this NixOS: options that do not exist or were renamed, values of the wrong type, syntax errors, dangerous commands; each with its line and real names to use. Evaluates and runs nothing."""
    is_text = kind == "text" or (kind == "auto" and has_block(content))
    with _tool_errors():
        return await asked("POST", "/v1/check", {"text" if is_text else "code": content})


@server.tool(title="What changed in the options", annotations=_FACTS)
async def what_changed(
    since: Annotated[
        str | None, Field(description="A release, as in 24.11; none: since the last upgrade of this machine.")
    ] = None,
    under: Annotated[str, Field(description="Only this option and what is below it, as in services.nginx.")] = "",
) -> dict[str, Any]:
    """Options that came, went and were renamed: seen on this machine when it was upgraded (upgrades), and what NixOS itself renamed or removed (known). Long lists are cut; narrow them with under."""
    query = [f"{name}={quoted(value)}" for name, value in (("since", since), ("under", under)) if value]
    with _tool_errors():
        changes = await asked("GET", "/v1/changes" + (f"?{'&'.join(query)}" if query else ""))
    for upgrade in changes.get("upgrades", ()):
        for what in ("came", "went", "renamed"):
            names = upgrade.get(what, [])
            upgrade[f"{what}_count"] = len(names)
            upgrade[what] = names[:_MOST_NAMES]
    return changes


@server.resource("nixos-option://{name}", name="NixOS option", mime_type="text/plain")
async def option(name: str) -> str:
    """One option of this NixOS in words, by its full name."""
    try:
        return await in_words(f"/v1/options/{quoted(unquote(name))}")
    except Refusal as refusal:
        raise ResourceError(_said(refusal)) from refusal


async def names(
    reference: PromptReference | ResourceTemplateReference, argument: Any, _context: Any
) -> Completion | None:
    """Names of options that begin so."""
    if not isinstance(reference, ResourceTemplateReference) or argument.name != "name":
        return None
    try:
        found = await asked("GET", f"/v1/names?beginning={quoted(argument.value)}")
    except Refusal:
        # A completion that cannot be made is none; the resource itself will say what is wrong.
        return None
    return Completion.model_validate({"values": found.get("names", []), "hasMore": found.get("has_more")})


complete_with(server, names)


async def _followed(message: dict[str, Any], context: Context[Any, Any]) -> AsyncIterator[dict[str, Any]]:
    """The events of an answer, told as progress to a client that asked for it."""
    done = 0
    async with contextlib.aclosing(events_of(message)) as events:
        async for event in events:
            done += 1
            if (told := _progress(event)) is not None:
                await context.report_progress(done, None, told)
            yield event


def _progress(event: dict[str, Any]) -> str | None:
    match event.get("event"):
        case "queued":
            return f"waiting: position {event.get('position')}"
        case "started":
            return f"{event.get('role')} answers ({event.get('model') or 'no model'})"
        case "text":
            return str(event.get("text", ""))
        case _:
            return None


def _grounds(told: dict[str, Any]) -> list[str]:
    """The verdict, the sources and the notices, in words."""
    release = told.get("options_release")
    lines = [f"Checked: {told.get('verdict')}" + (f" by the options of NixOS {release}" if release else "")]
    sources = [str(source.get("name")) for source in told.get("sources") or ()]
    lines += [f"Sources: {', '.join(sources)}"] if sources else []
    return ["\n".join([*lines, *(f"Note: {notice}" for notice in told.get("notices") or ())])]


@contextlib.contextmanager
def _tool_errors() -> Any:
    try:
        yield
    except Refusal as refusal:
        raise ToolError(_said(refusal)) from refusal


def _said(refusal: Refusal) -> str:
    return "\n".join(part for part in (refusal.message, refusal.hint, f"({refusal.code})") if part)
