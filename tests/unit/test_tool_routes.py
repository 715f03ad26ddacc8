"""The routes for facts, as the description says, and the commands that show them to people."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from nix_trinity.answering.option_facts import OptionFacts
from nix_trinity.api.http import on_trinity_error
from nix_trinity.api.tool_routes import ToolApi
from nix_trinity.errors import AccessError
from nix_trinity.knowledge.exchanges import Reader
from tests.stack.daemon_process import SAMPLE_OPTIONS, ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama
from tests.unit.test_openapi import Described

GOOD = b"{ pkgs, ... }:\n{\n  services.openssh.enable = true;\n}\n"
WRONG = b"{ pkgs, ... }:\n{\n  services.opensh.enable = true;\n  services.openssh.ports = [ 22 ]\n}\n"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    with (
        FakeOllama() as engine,
        ActivatedDaemon(tmp_path_factory.mktemp("t"), ollama_url=engine.url, model=BASE) as daemon,
    ):
        yield Described(daemon, engine, daemon.json("GET", "/v1/openapi.json"))


def command(described: Described, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    return described.daemon.client("nix-trinity", *words, stdin=stdin)


def test_each_route_answers_as_described(described: Described) -> None:
    for body in ({"code": GOOD.decode()}, {"code": WRONG.decode()}, {"text": "Set `services.openssh.enable`."}):
        assert described.reply("POST", "/v1/check", body)["release"] == "25.05"
    one = described.reply("GET", "/v1/options/services.openssh.enable", route="/v1/options/{name}")
    assert (one["name"], one["type"], one["origin"]) == ("services.openssh.enable", "boolean", "nixos")
    names = described.reply("GET", "/v1/names?beginning=services.openssh&limit=2")
    assert (len(names["names"]), names["has_more"]) == (2, True)
    assert described.reply("GET", "/v1/changes?since=24.05&under=hardware")["known"]
    assert described.engine.chats == []
    assert described.daemon.rows() == []


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/v1/check", {}, "bad_request"),
        ("POST", "/v1/check", {"code": "a", "text": "b"}, "bad_request"),
        ("POST", "/v1/check", {"code": " \n"}, "bad_request"),
        ("POST", "/v1/check", {"code": 7}, "bad_request"),
        ("POST", "/v1/check", {"code": "a", "colour": "red"}, "bad_request"),
        ("POST", "/v1/check", {"code": "x" * 131_073}, "too_large"),
        ("POST", "/v1/check", {"text": "a\0b"}, "nul_byte"),
        ("GET", "/v1/options/services.opensh.enable", None, "not_found"),
        ("GET", "/v1/options/services.openssh", None, "not_found"),
        ("GET", "/v1/options/a..b", None, "not_found"),
        ("GET", f"/v1/options/{'x' * 1001}", None, "too_large"),
        ("GET", "/v1/names?limit=0", None, "bad_request"),
        ("GET", "/v1/changes?since=unstable", None, "bad_request"),
        ("POST", "/v1/changes", None, "method_not_allowed"),
    ],
)
def test_what_cannot_be_answered_is_an_error(
    described: Described, method: str, path: str, body: object, code: str
) -> None:
    assert described.daemon.json(method, path, body)["error"]["code"] == code


def test_an_unknown_option_is_told_with_what_is_near_or_became_of_it(described: Described) -> None:
    def hint(name: str) -> str:
        error: dict[str, Any] = described.daemon.json("GET", f"/v1/options/{name}")["error"]
        return str(error["hint"])

    assert hint("services.opensh.enable") == "Perhaps: services.openssh.enable."
    assert hint("hardware.opengl.enable") == "It is now hardware.graphics.enable."
    assert "services.openssh.enable" in hint("services.openssh")
    assert "users.users.<name>.description" in hint("users.users.alice")
    assert "use an overlay" in hint("environment.noXlibs")
    assert hint("nothing.at.all") == "Search by words: nix-trinity options WORDS"


def test_lines_are_those_of_the_text_whatever_fences_are_in_it(described: Described) -> None:
    code = "# ```\n{\n  services.openssh.extraConfig = ''\n    ```nix\n    x = 1\n    ```\n  '';\n  services.opensh.enable = true;\n}\n"
    (problem,) = described.daemon.json("POST", "/v1/check", {"code": code})["problems"]
    assert (problem["line"], problem["name"]) == (8, "services.opensh.enable")
    text = 'First.\n\n> ```nix\n> services.openssh.enable = "yes";\n> ```\n\nThen `services.opensh.enable`.\n'
    found = described.daemon.json("POST", "/v1/check", {"text": text})["problems"]
    assert [(problem["line"], problem["kind"]) for problem in found] == [(4, "wrong_value"), (7, "unknown_option")]


def test_a_long_check_keeps_nobody_waiting(described: Described) -> None:
    """A file of nothing but wrong names takes seconds; others are served meanwhile."""
    code = "{\n" + "".join(f"  services.wrong{number}.enable = true;\n" for number in range(2500)) + "}\n"
    reply: dict[str, Any] = {}
    checking = threading.Thread(target=lambda: reply.update(described.daemon.json("POST", "/v1/check", {"code": code})))
    began = time.monotonic()
    checking.start()
    longest = 0.0
    while checking.is_alive():
        asked = time.monotonic()
        described.daemon.json("GET", "/v1/status")
        longest = max(longest, time.monotonic() - asked)
    assert len(reply["problems"]) == 2500
    assert longest < (time.monotonic() - began) / 2


def test_check_tells_what_is_wrong_and_exits_with_1(described: Described, tmp_path: Path) -> None:
    good, wrong = tmp_path / "good.nix", tmp_path / "wrong.nix"
    good.write_bytes(GOOD)
    wrong.write_bytes(WRONG)
    done = command(described, "check", str(good))
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == f"{good}: verified: nothing wrong was found by the options of NixOS 25.05; 1 option in it exists\n"
    )
    done = command(described, "check", str(good), str(wrong))
    assert done.returncode == 1
    assert f"{wrong}: line 3: services.opensh.enable: not an option of this NixOS (25.05); perhaps" in done.stdout
    assert f"{wrong}: line 4: a `;` is missing" in done.stdout
    assert command(described, "check", "-", stdin=WRONG).returncode == 1
    assert command(described, "check", "-", stdin=GOOD).stdout.startswith("verified:")
    done = command(described, "check", "--json", str(wrong))
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "flagged")


def test_check_reads_a_document_by_its_blocks(described: Described, tmp_path: Path) -> None:
    document = tmp_path / "answer.md"
    document.write_text(
        "See `services.openssh.enable`.\n\n```sh\nls = 1\n```\n\n```nix\nservices.openssh.enable = 1;\n```\n"
    )
    done = command(described, "check", str(document))
    assert done.returncode == 1
    assert done.stdout.startswith(f"{document}: line 8: services.openssh.enable: takes `true` or `false`")
    assert command(described, "check", "-", stdin=document.read_bytes()).returncode == 1


def test_a_danger_is_a_warning_and_no_error(described: Described) -> None:
    done = command(described, "check", "-", stdin=b"Run this:\n\n```sh\nrm -rf /\n```\n")
    assert done.returncode == 0
    assert done.stdout.startswith("line 4: careful: rm -rf /: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: No such file or directory."), (b"\xff\xfe", "is not text in UTF-8."),
     (b"x" * (5 << 20), "has more than 4 MiB."), (b"x" * 200_000, "the limit is 131072")],
)  # fmt: skip
def test_what_cannot_be_checked_is_said(described: Described, tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "file.nix"
    if content is not None:
        file.write_bytes(content)
    done = command(described, "check", str(file))
    assert (done.returncode, done.stdout, said in done.stderr) == (2, "", True)


def test_option_shows_one_whole(described: Described) -> None:
    done = command(described, "option", "users.users.alice.shell")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["users.users.<name>.shell", "  asked for    users.users.alice.shell"]
    assert [line.split()[0] for line in lines[2:7]] == ["type", "default", "example", "declared", "of"]
    assert json.loads(command(described, "option", "--json", "services.openssh.enable").stdout)["type"] == "boolean"
    done = command(described, "option", "services.opensh.enable")
    assert (done.returncode, "Perhaps: services.openssh.enable." in done.stderr) == (1, True)
    assert command(described, "option").returncode == 2


def test_changes_tells_of_the_upgrade_that_was_seen(tmp_path: Path) -> None:
    options: dict[str, Any] = json.loads(SAMPLE_OPTIONS.read_text())
    moved = {name.replace("services.openssh.", "services.sshd.", 1): value for name, value in options.items()}
    for name, value in moved.items():
        value = (
            {**value, "loc": ["services", "sshd", *value["loc"][2:]]} if name.startswith("services.sshd.") else value
        )
        moved[name] = value
    before = {**moved, "system.nixos.release": {**options["system.nixos.release"], "default": _text('"24.11"')}}
    listed = tmp_path / "options.json"
    listed.write_text(json.dumps(before))
    with ActivatedDaemon(tmp_path, ollama_url="http://127.0.0.1:9", model=BASE, options=listed) as daemon:
        first = daemon.client("nix-trinity", "changes").stdout
        assert first.startswith("No change of the options of NixOS 24.11 was seen here.\n")
        listed.write_text(SAMPLE_OPTIONS.read_text())
        done = daemon.client("nix-trinity", "changes", "--under", "services.openssh.ports")
        assert done.stdout.startswith("From 24.11 to 25.05, seen 2")
        assert done.stdout.splitlines()[0].endswith(": 0 came, 0 went, 1 were renamed")
        assert "  renamed  services.sshd.ports -> services.openssh.ports\n" in done.stdout
        whole = daemon.json("GET", "/v1/changes")
        (upgrade,) = whole["upgrades"]
        assert (upgrade["from_release"], upgrade["to_release"], whole["release"]) == ("24.11", "25.05", "25.05")
        # What NixOS itself renamed counts from the release that this machine had.
        assert [row["old"] for row in whole["known"]] == ["hardware.pulseaudio"]
        assert daemon.json("GET", "/v1/changes?since=25.05")["upgrades"] == []


def _text(code: str) -> dict[str, str]:
    return {"_type": "literalExpression", "text": code}


def test_who_may_not_ask_gets_nothing_of_it() -> None:
    async def facts() -> OptionFacts:
        raise AssertionError("asked all the same")

    def nobody(_request: Request) -> Reader:
        raise AccessError("You may not.", "Ask who may.")

    routes = ToolApi(facts).routes(nobody)
    assert len(routes) == 4
    application = Starlette(routes=routes, exception_handlers={AccessError: on_trinity_error})

    async def statuses() -> list[int]:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            asked = [
                client.post("/v1/check", json={"code": "a = 1;"}),
                *(client.get(path) for path in ("/v1/options/a.b", "/v1/names", "/v1/changes")),
            ]
            return [(await reply).status_code for reply in asked]

    assert asyncio.run(statuses()) == [403] * 4
