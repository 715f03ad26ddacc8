"""``nix-trinity mcp``, asked by the official client."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ResourceTemplateReference, TextContent, TextResourceContents

from tests.stack.daemon_process import BIN, SAMPLE_OPTIONS, ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama, answers
from tests.unit.test_client import STARTED, FakeDaemon, chunked, lines, text

TOOLS = {"ask", "search_options", "explain_option", "check_nix", "what_changed"}
TEMPLATE = "nixos-option://{name}"
Asked = Callable[[ClientSession], Awaitable[None]]


@pytest.fixture(scope="module")
def engine() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, engine: FakeOllama) -> Iterator[ActivatedDaemon]:
    with ActivatedDaemon(tmp_path_factory.mktemp("m"), ollama_url=engine.url, model=BASE) as activated:
        yield activated


@asynccontextmanager
async def session(socket: Path) -> AsyncIterator[ClientSession]:
    """The official client, connected to our server, which asks the daemon at ``socket``."""
    environment = {**os.environ, "NIX_TRINITY_SOCKET": str(socket)}
    server = StdioServerParameters(command=str(BIN / "nix-trinity"), args=["mcp"], env=environment)
    async with stdio_client(server) as (read, write), ClientSession(read, write) as client:
        await client.initialize()
        yield client


def at(socket: Path, asked: Asked) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), session(socket) as client:
            await asked(client)

    asyncio.run(run())


async def called(client: ClientSession, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    structured = result.structured_content
    assert isinstance(structured, dict)
    return structured


async def refused(client: ClientSession, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error, result
    return said(result)


def said(result: CallToolResult) -> str:
    return "".join(block.text for block in result.content if isinstance(block, TextContent))


def test_it_says_what_it_is_and_offers_its_tools(daemon: ActivatedDaemon) -> None:
    async def asked(client: ClientSession) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == TOOLS
        for tool in tools.values():
            assert tool.description
            assert len(tool.description) < 300
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is (tool.name != "ask")
            assert all("description" in argument for argument in tool.input_schema["properties"].values())
        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == [TEMPLATE]
        assert client.server_info is not None
        assert (client.server_info.name, bool(client.server_info.version)) == ("nix-trinity", True)
        assert "check_nix" in (client.instructions or "")

    at(daemon.socket, asked)


def test_asking_streams_progress_and_leaves_a_row_of_its_own_interface(
    daemon: ActivatedDaemon, engine: FakeOllama
) -> None:
    engine.reset()
    engine.chat = answers("A flake is a folder with a lock file. ", "It pins what it is made from.")
    told: list[str | None] = []

    async def told_by(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    async def asked(client: ClientSession) -> None:
        arguments = {"question": "what is a flake", "role": "quick", "level": "beginner", "attachment": "flake.lock"}
        result = await client.call_tool("ask", arguments, progress_callback=told_by)
        assert isinstance(result, CallToolResult)
        whole = result.structured_content or {}
        assert whole["answer"] == "A flake is a folder with a lock file. It pins what it is made from."
        assert (whole["role"], whole["verdict"], whole["options_release"]) == ("quick", "verified", "25.05")
        assert said(result).startswith(whole["answer"])
        assert "Checked: verified by the options of NixOS 25.05" in said(result)
        assert whole["sources"]
        assert whole["sources"][0]["name"] in said(result)
        assert told[0] == "quick answers (nix-quick)"
        assert "".join(str(piece) for piece in told[1:]) == whole["answer"]
        again = await called(client, "ask", question="and what pins it?", session=whole["session"], role="quick")
        assert again["session"] == whole["session"]

    at(daemon.socket, asked)
    newest, first = daemon.rows()[:2]
    assert (newest["interface"], newest["session"]) == ("mcp", first["session"])
    assert (first["interface"], first["question"], first["attachment"]) == ("mcp", "what is a flake", "flake.lock")


def test_the_options_are_searched_and_explained(daemon: ActivatedDaemon) -> None:
    async def asked(client: ClientSession) -> None:
        found = await called(client, "search_options", words="ssh server", limit=3)
        assert len(found["options"]) <= 3
        assert found["options"][0]["name"].startswith("services.openssh")
        assert "score" not in found["options"][0]
        one = await called(client, "explain_option", name="users.users.alice.shell")
        assert (one["name"], one["asked"]) == ("users.users.<name>.shell", "users.users.alice.shell")
        assert all(one[field] for field in ("type", "default", "example", "description", "declarations", "release"))

    at(daemon.socket, asked)


def test_nix_is_checked_as_code_and_as_an_answer(daemon: ActivatedDaemon) -> None:
    async def asked(client: ClientSession) -> None:
        fine = await called(client, "check_nix", content="{ services.openssh.enable = true; }")
        assert (fine["verdict"], fine["problems"], fine["options"]) == ("verified", [], ["services.openssh.enable"])
        code = (
            "{\n  services.opensh.enable = true;\n  services.openssh.enable = 1;\n  hardware.opengl.enable = true;\n}"
        )
        wrong = await called(client, "check_nix", content=code)
        kinds = [(problem["line"], problem["kind"]) for problem in wrong["problems"]]
        assert kinds == [(2, "unknown_option"), (3, "wrong_value"), (4, "renamed_option")]
        assert wrong["problems"][0]["suggestions"] == ["services.openssh.enable"]
        answer = (
            "Do this:\n\n```nix\nservices.openssh.ports = [ 22 ]\n```\n\nThen `rm -rf /` and set `services.sshd2.x`."
        )
        wrong = await called(client, "check_nix", content=answer)
        told = {(problem["line"], problem["kind"], problem["is_error"]) for problem in wrong["problems"]}
        assert told == {(4, "syntax_error", True), (7, "dangerous_command", False), (7, "unknown_option", True)}

    at(daemon.socket, asked)


def test_what_changed_is_told_of_the_last_upgrade(tmp_path: Path) -> None:
    options = json.loads(SAMPLE_OPTIONS.read_text())
    listed = tmp_path / "options.json"
    listed.write_text(json.dumps({name: options[name] for name in options if name != "services.openssh.ports"}))
    # Nobody is asked, so no engine is needed.
    with ActivatedDaemon(tmp_path, ollama_url="http://127.0.0.1:9", model=BASE, options=listed) as daemon:

        async def asked(client: ClientSession) -> None:
            assert (await called(client, "what_changed"))["upgrades"] == []
            listed.write_text(
                json.dumps({name: options[name] for name in options if name != "services.openssh.banner"})
            )
            (upgrade,) = (await called(client, "what_changed"))["upgrades"]
            assert (upgrade["came"], upgrade["went"]) == (["services.openssh.ports"], ["services.openssh.banner"])
            assert (upgrade["came_count"], upgrade["renamed_count"]) == (1, 0)
            (upgrade,) = (await called(client, "what_changed", under="services.nginx"))["upgrades"]
            assert (upgrade["came"], upgrade["went"]) == ([], [])
            known = (await called(client, "what_changed", since="24.05", under="hardware"))["known"]
            assert {"hardware.opengl", "hardware.pulseaudio"} <= {row["old"] for row in known}
            assert "no NixOS release" in await refused(client, "what_changed", since="yesterday")

        at(daemon.socket, asked)


@pytest.mark.parametrize("name", ["boot.loader.systemd-boot.configurationLimit", "users.users.%3Cname%3E.shell"])
def test_an_option_is_a_resource(daemon: ActivatedDaemon, name: str) -> None:
    async def asked(client: ClientSession) -> None:
        (content,) = (await client.read_resource(TEMPLATE.replace("{name}", name))).contents
        assert isinstance(content, TextResourceContents)
        assert content.mime_type == "text/plain"
        assert content.text.startswith(name.replace("%3C", "<").replace("%3E", ">") + "\n  type ")

    at(daemon.socket, asked)


def test_names_of_options_are_completed(daemon: ActivatedDaemon) -> None:
    reference = ResourceTemplateReference(type="ref/resource", uri=TEMPLATE)

    async def asked(client: ClientSession) -> None:
        found = await client.complete(reference, {"name": "name", "value": "services.openssh.p"})
        assert found.completion.values == ["services.openssh.ports"]
        none = await client.complete(reference, {"name": "name", "value": "nothing.begins.so"})
        assert none.completion.values == []

    at(daemon.socket, asked)


def test_wrong_arguments_are_errors_of_the_tool(daemon: ActivatedDaemon) -> None:
    async def asked(client: ClientSession) -> None:
        assert "question" in await refused(client, "ask")
        wrong = await refused(client, "ask", question=7, role="wizard")
        assert "valid string" in wrong
        assert "'expert'" in wrong
        assert "limit" in await refused(client, "search_options", words="ssh", limit=0)
        assert "The question is empty." in await refused(client, "ask", question="  ")
        assert "Unknown tool" in await refused(client, "format_disk")
        large = await refused(client, "check_nix", content="x" * 5_000_000)
        assert "has 5000000 characters; the limit is 131072" in large
        assert "(too_large)" in large
        assert "Perhaps: services.openssh.enable" in await refused(
            client, "explain_option", name="services.opensh.enable"
        )
        assert "now hardware.graphics.enable" in await refused(client, "explain_option", name="hardware.opengl.enable")
        with pytest.raises(MCPError, match=r"is not an option of NixOS 25\.05"):
            await client.read_resource("nixos-option://nothing")

    at(daemon.socket, asked)


def test_without_a_daemon_each_tool_says_so_and_works_once_there_is_one(tmp_path: Path, engine: FakeOllama) -> None:
    engine.reset()
    arguments: dict[str, dict[str, str]] = {
        "ask": {"question": "what is a flake"},
        "search_options": {"words": "ssh"},
        "explain_option": {"name": "services.openssh.enable"},
        "check_nix": {"content": "a = 1;"},
        "what_changed": {},
    }
    late = ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE)

    async def asked(client: ClientSession) -> None:
        for tool, given in arguments.items():
            error = await refused(client, tool, **given)
            assert f"No daemon listens on {late.socket}" in error
            assert "systemctl status nix-trinity.socket" in error
        with pytest.raises(MCPError, match="No daemon listens"):
            await client.read_resource("nixos-option://services.openssh.enable")
        with late:
            assert (await called(client, "ask", question="what is a flake"))["answer"]

    at(late.socket, asked)


def test_a_daemon_that_goes_in_the_middle_is_an_error_and_no_end(tmp_path: Path) -> None:
    fake = FakeDaemon(tmp_path / "socket")
    fake.replies = [chunked(lines(STARTED, text("Half an answer")), whole=False)]

    async def asked(client: ClientSession) -> None:
        for _ in range(2):
            assert "stopped in the middle of the answer" in await refused(client, "ask", question="what is a flake")
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS

    try:
        at(fake.path, asked)
    finally:
        fake.close()
    assert "User-Agent: nix-trinity-mcp/" in fake.head()


def test_without_options_nothing_is_made_up(tmp_path: Path) -> None:
    async def asked(client: ClientSession) -> None:
        for tool, given in {
            "search_options": {"words": "ssh"},
            "explain_option": {"name": "services.openssh.enable"},
            "check_nix": {"content": "services.openssh.enable = true;"},
            "what_changed": {},
        }.items():
            error = await refused(client, tool, **given)
            assert "There are no NixOS options to check against" in error
            assert "(options_missing)" in error

    with ActivatedDaemon(tmp_path, ollama_url="http://127.0.0.1:9", model=BASE, options=None) as daemon:
        at(daemon.socket, asked)
