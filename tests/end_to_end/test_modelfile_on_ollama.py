"""Our Modelfiles, and hostile ones, on a real Ollama: what goes in through the API comes out again."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.catalogue import ROLES, load_catalogue, modelfiles_dir
from nix_trinity.modelfile.grammar import Message, Modelfile
from nix_trinity.modelfile.parameters import typed_parameters
from nix_trinity.modelfile.parse import parse_modelfile
from nix_trinity.modelfile.render import render_modelfile
from tests.stack.server import OllamaServer

NAME = "modelfile-test"

# Texts that quoting, line ends and encodings trip over. Ollama's own writer and parser agree on all of these.
PRINTABLE = [
    'He said "yes" and left.',
    'two lines\nand a "quoted" word',
    "# not a comment\nFROM nothing\nPARAMETER seed 1",
    'three """ in a line\nand more',
    "grüß dich, 你好, здравствуйте, 🦊",
    "it's 'single' and `ticked`, ${HOME} $(id) \\n \\\" %s {{ .System }}",
    "```nix\nservices.openssh.enable = true;\n```\n\nRun `sudo nixos-rebuild switch`.",
]
# What a Modelfile's text cannot carry, or Ollama's own writer gets wrong, and the API can.
API_ONLY = [
    '"quoted" at the start, and at the end "too"',
    'ends in """\nand goes on',
    "l\u2019option\u00a0: oui",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "a trailing tab\t",
    "\n\nblank lines around\n\n",
    "carriage\r\nreturns",
]


class Api:
    """The few requests that these tests need."""

    def __init__(self, url: str) -> None:
        self._url = url

    def post(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        request = urllib.request.Request(
            self._url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
        return answer

    def create(self, modelfile: Modelfile, base: str) -> None:
        body: dict[str, Any] = {"model": NAME, "from": base, "stream": False}
        body |= {"system": modelfile.system} if modelfile.system is not None else {}
        body |= {"parameters": typed_parameters(modelfile)} if modelfile.parameters else {}
        body |= {"license": list(modelfile.licenses)} if modelfile.licenses else {}
        body["messages"] = [{"role": one.role, "content": one.content} for one in modelfile.messages]
        assert self.post("/api/create", body) == {"status": "success"}

    def show(self) -> dict[str, Any]:
        return self.post("/api/show", {"model": NAME})


@pytest.fixture
def api(ollama_server: OllamaServer) -> Iterator[Api]:
    api = Api(ollama_server.url)
    yield api
    api.post("/api/delete", {"model": NAME}, method="DELETE")


def run(server: OllamaServer, *arguments: str) -> str:
    done = subprocess.run(
        [str(getattr(server.binary, "path", server.binary)), *arguments],
        env=server.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown(server: OllamaServer) -> Modelfile:
    return parse_modelfile(run(server, "show", "--modelfile", NAME), origin="ollama show")


def same_content(found: Modelfile, put_in: Modelfile) -> None:
    """All that was put in is there; the base's own parameters may be there besides."""
    assert found.system == put_in.system
    assert found.messages == put_in.messages
    assert found.licenses == put_in.licenses
    parameters = typed_parameters(found)
    for name, value in typed_parameters(put_in).items():
        assert parameters[name] == pytest.approx(value) if isinstance(value, float) else parameters[name] == value


def ours(role: str) -> Modelfile:
    path = modelfiles_dir() / load_catalogue().roles[role].modelfile
    return parse_modelfile(path.read_bytes(), origin=path.name)


def hostile(texts: list[str]) -> Modelfile:
    return Modelfile(
        parameters=(("stop", "<|x|>"), ("stop", 'say "stop"'), ("seed", "7"), ("top_p", "0.55")),
        system=texts[0] + texts[1],
        licenses=("MIT", "Licence\nof two lines"),
        messages=tuple(Message("user" if i % 2 == 0 else "assistant", text) for i, text in enumerate(texts)),
    )


@pytest.mark.parametrize("role", ROLES)
def test_each_of_our_modelfiles_through_the_api(
    api: Api, ollama_server: OllamaServer, chat_model: str, role: str
) -> None:
    modelfile = ours(role)
    api.create(modelfile, chat_model)
    same_content(shown(ollama_server), modelfile)


@pytest.mark.parametrize("role", ROLES)
def test_each_of_our_modelfiles_as_text(
    api: Api, ollama_server: OllamaServer, chat_model: str, tmp_path: Path, role: str
) -> None:
    path = tmp_path / "Modelfile"
    # The file as it is in the repository, with the line that its head tells people to put above it.
    file = (modelfiles_dir() / load_catalogue().roles[role].modelfile).read_text(encoding="utf-8")
    path.write_text(f"FROM {chat_model}\n{file}", encoding="utf-8")
    run(ollama_server, "create", NAME, "-f", str(path))
    same_content(shown(ollama_server), ours(role))


@pytest.mark.parametrize("role", ROLES)
def test_our_modelfiles_leave_room_in_a_small_context(api: Api, chat_model: str, role: str) -> None:
    api.create(ours(role), chat_model)
    body = {"model": NAME, "messages": [{"role": "user", "content": "Hi"}], "stream": False}
    answer = api.post("/api/chat", body | {"options": {"num_ctx": 2048, "num_predict": 1}})
    # SmolLM2's tokenizer; its template adds some 5 tokens a message.
    assert 100 < answer["prompt_eval_count"] < (700 if role == "quick" else 1250)


def test_hostile_texts_through_the_api(api: Api, chat_model: str) -> None:
    modelfile = hostile(PRINTABLE + API_ONLY)
    api.create(modelfile, chat_model)
    answer = api.show()
    assert answer["system"] == modelfile.system
    found = [(one["role"], one["content"]) for one in answer["messages"]]
    assert found == [(one.role, one.content) for one in modelfile.messages]


def test_hostile_texts_as_ollama_shows_them(api: Api, ollama_server: OllamaServer, chat_model: str) -> None:
    modelfile = hostile(PRINTABLE)
    api.create(modelfile, chat_model)
    same_content(shown(ollama_server), modelfile)


def test_what_we_write_ollama_reads(api: Api, ollama_server: OllamaServer, chat_model: str, tmp_path: Path) -> None:
    writable = [text for text in API_ONLY if '"""' not in text and "\u00a0" not in text and "\u200d" not in text]
    modelfile = hostile(PRINTABLE + writable)
    path = tmp_path / "Modelfile"
    # newline="": the carriage returns are part of a text and must reach the file.
    path.write_text(render_modelfile(dataclasses.replace(modelfile, base=chat_model)), encoding="utf-8", newline="")
    run(ollama_server, "create", NAME, "-f", str(path))
    answer = api.show()
    assert answer["system"] == modelfile.system
    assert [one["content"] for one in answer["messages"]] == [one.content for one in modelfile.messages]


def test_text_loses_what_go_calls_unprintable(
    api: Api, ollama_server: OllamaServer, chat_model: str, tmp_path: Path
) -> None:
    """Why models are built through the API; should this fail, Ollama has mended it and we need not care."""
    path = tmp_path / "Modelfile"
    path.write_text(f"FROM {chat_model}\nMESSAGE user a\u00a0b\u200dc\n", encoding="utf-8")
    run(ollama_server, "create", NAME, "-f", str(path))
    assert api.show()["messages"] == [{"role": "user", "content": "abc"}]
