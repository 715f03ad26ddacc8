"""The other pure parts of nix/lib: where Ollama is, and what a Modelfile of one's own says. Builtins alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.modelfile.parameters import typed_parameters
from nix_trinity.modelfile.parse import parse_modelfile
from tests.nix.evaluation import CHECKOUT

# host; then the daemon's URL, and whether it is this machine and an address that systemd can be told.
HOSTS = {
    "127.0.0.1": ("http://127.0.0.1:11434", True, True),
    "127.0.0.53": ("http://127.0.0.53:11434", True, True),
    "localhost": ("http://localhost:11434", True, False),
    "::1": ("http://[::1]:11434", True, True),
    "[::1]": ("http://[::1]:11434", True, True),
    # What a server listens on when it listens everywhere.
    "0.0.0.0": ("http://127.0.0.1:11434", True, True),
    "[::]": ("http://[::1]:11434", True, True),
    "192.168.1.20": ("http://192.168.1.20:11434", False, True),
    "2001:db8::20": ("http://[2001:db8::20]:11434", False, True),
    "ollama.example": ("http://ollama.example:11434", False, False),
    "127.example": ("http://127.example:11434", False, False),
    "https://ollama.example": ("https://ollama.example", False, False),
    "http://192.168.1.20:8080": ("http://192.168.1.20:8080", False, True),
    "http://[2001:db8::20]:8080": ("http://[2001:db8::20]:8080", False, True),
    "http://localhost:8080": ("http://localhost:8080", True, False),
}
MODELFILES = {
    "plain": "FROM mistral:7b\nPARAMETER num_ctx 8192\n",
    "nothing": "# only ours is changed\nPARAMETER temperature 0.2\n",
    "small letters": "from phi\nparameter num_ctx 1024\n",
    "indented": "  FROM phi  \n\tPARAMETER num_ctx 1024 \n",
    "from Windows": "FROM phi\r\nPARAMETER num_ctx 1024\r\n",
    "commented out": "# FROM llama2:70b\nFROM phi\n# PARAMETER num_ctx 9\n",
    "quoted": 'FROM "phi"\nPARAMETER num_ctx "1024"\n',
    "in a text": 'SYSTEM """\nFROM elsewhere\nPARAMETER num_ctx 16\n"""\nFROM phi\nPARAMETER num_ctx 1024\n',
    "twice": "FROM phi\nPARAMETER num_ctx 1024\nPARAMETER num_ctx 2048\n",
}

QUESTIONS = """
{ folder, hosts, files }: {
  hosts = map (host: { inherit (import (folder + "/address.nix") { inherit host; port = 11434; }) url isLoopback isAddress; })
    (builtins.fromJSON hosts);
  modelfiles = map (file: import (folder + "/modelfile.nix") { file = /. + file; }) (builtins.fromJSON files);
  asString = map (file: import (folder + "/modelfile.nix") { inherit file; })
    [ (builtins.head (builtins.fromJSON files)) "/home/alice/expert.Modelfile" null ];
}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("modelfiles")
    for number, text in enumerate(MODELFILES.values()):
        (folder / f"{number}.Modelfile").write_text(text, newline="")
    own = [folder / f"{number}.Modelfile" for number in range(len(MODELFILES))]
    return own + sorted(modelfiles_dir().glob("*.Modelfile"))


@pytest.fixture(scope="module")
def answers(nix_instantiate: str, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("lib")
    (folder / "questions.nix").write_text(QUESTIONS)
    command = [nix_instantiate, "--eval", "--strict", "--json", "--store", "dummy://", str(folder / "questions.nix")]
    command += ["--arg", "folder", str(CHECKOUT / "nix" / "lib"), "--argstr", "hosts", json.dumps(list(HOSTS))]
    command += ["--argstr", "files", json.dumps([str(file) for file in files])]
    environment = {**os.environ, "HOME": str(folder), "NIX_STATE_DIR": str(folder), "NIX_PATH": ""}
    environment["NIX_STORE_DIR"] = str(files[0].parent)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_where_ollama_is(answers: dict[str, Any]) -> None:
    found = {
        host: (answer["url"], answer["isLoopback"], answer["isAddress"])
        for host, answer in zip(HOSTS, answers["hosts"], strict=True)
    }
    assert found == HOSTS


def test_a_modelfile_says_the_same_to_nix_and_to_the_daemon(answers: dict[str, Any], files: list[Path]) -> None:
    titles = [*MODELFILES, *(file.name for file in files[len(MODELFILES) :])]
    expected, found = {}, {}
    for title, file, answer in zip(titles, files, answers["modelfiles"], strict=True):
        parsed = parse_modelfile(file.read_bytes(), origin=file.name)
        parameters = typed_parameters(parsed, origin=file.name)
        expected[title] = (parsed.base, parameters.get("num_ctx"))
        found[title] = (answer["model"], answer["numCtx"])
    assert found == expected


def test_a_modelfile_in_the_store_is_read_and_one_that_no_build_can_see_is_not(answers: dict[str, Any]) -> None:
    nothing = {"model": None, "numCtx": None}
    assert answers["asString"] == [{"model": "mistral:7b", "numCtx": 8192}, nothing, nothing]
