"""``nix run .#demo`` is a script around programs that the flake puts on its PATH: here it runs with the tests' own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.stack import chat_model
from tests.stack.daemon_process import BIN, SAMPLE_OPTIONS
from tests.stack.environment import CHECKOUT
from tests.stack.loopback import free_port
from tests.stack.ollama_binary import OllamaBinary
from tests.stack.server import OllamaServer


def run(ollama: OllamaBinary, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    # As writeShellApplication makes a program of it.
    script = "set -o errexit -o nounset -o pipefail\n" + (CHECKOUT / "nix" / "demo.sh").read_text(encoding="utf-8")
    return subprocess.run(
        ["bash", "-c", script],
        env={
            "PATH": f"{BIN}:{ollama.path.parent}:{os.environ['PATH']}",
            "TMPDIR": str(folder),
            "NIX_TRINITY_DEMO_PORT": str(free_port()),
            "NIX_TRINITY_DEMO_OPTIONS": str(SAMPLE_OPTIONS),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_it_answers_two_questions_and_leaves_nothing_behind(
    ollama: OllamaBinary, chat_gguf: Path, tmp_path: Path
) -> None:
    models = tmp_path / "ollama"
    with OllamaServer(ollama, models) as server:
        server.create_from_gguf(chat_model.NAME, chat_gguf)
    folder = tmp_path / "tmp"
    folder.mkdir()
    done = run(ollama, folder, NIX_TRINITY_DEMO_MODEL=chat_model.NAME, NIX_TRINITY_DEMO_MODELS=str(models / "models"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "services.openssh.enable = true;" in done.stdout
    assert "networking.firewall.allowedTCPPorts" in done.stdout
    assert ", 2 exchanges," in done.stdout
    assert not list(folder.iterdir())
    assert subprocess.run(["pgrep", "--full", str(folder)], check=False, capture_output=True).returncode == 1


def test_a_model_that_cannot_be_had_is_said_with_what_to_do(ollama: OllamaBinary, tmp_path: Path) -> None:
    # An address of this machine where nobody listens: nothing leaves it.
    done = run(
        ollama,
        tmp_path,
        NIX_TRINITY_DEMO_MODEL="http://127.0.0.1:9/no/such-model",
    )
    assert done.returncode == 1
    assert "error: http://127.0.0.1:9/no/such-model cannot be pulled" in done.stderr
    assert "NIX_TRINITY_DEMO_MODEL=NAME" in done.stderr
    assert not list(tmp_path.iterdir())
