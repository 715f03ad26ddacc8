"""``make demo``: one question, from the thin client to the stored row, on the real parts."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.stack import chat_model, ollama_binary
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.server import OllamaServer

QUESTION = "How do I enable the SSH server on NixOS?"
MODEL = "smollm2:135m"


def main() -> int:
    """Show it, and return the exit code."""
    binary, gguf = ollama_binary.obtain(), chat_model.obtain().gguf
    with tempfile.TemporaryDirectory(prefix="nix-trinity-demo-") as folder, OllamaServer(binary) as server:
        print(f"Ollama {binary.version} runs at {server.url}", flush=True)
        server.create_from_gguf(MODEL, gguf)
        print(f"It has the model {MODEL}: real, but far too small to be right. It shows that all parts work.")
        with ActivatedDaemon(Path(folder), ollama_url=server.url, model=MODEL) as daemon:
            print(f"A socket waits at {daemon.socket}; the first connection starts the daemon.\n")
            print(f"$ ask-nix-guru {QUESTION}", flush=True)
            command = [str(Path(sys.executable).parent / "ask-nix-guru"), *QUESTION.split()]
            code = subprocess.run(command, env=daemon.environment, stdin=subprocess.DEVNULL, check=False).returncode
            for command_words in (["show"], ["status"]):
                print(f"\n$ nix-trinity {' '.join(command_words)}", flush=True)
                print(daemon.client("nix-trinity", *command_words).stdout, end="")
            if code:
                print(f"\nIt failed; the daemon's log:\n{daemon.log.read_text()}", file=sys.stderr)
            print(f"\nThe exchange was kept in {daemon.state / 'knowledge.db'}; all of this is removed now.")
    return code


if __name__ == "__main__":
    sys.exit(main())
