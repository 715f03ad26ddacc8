"""``make demo``: a question from the thin client to the stored row, on the real parts; grounded in our sample of options.
Then what a correction becomes: a version of the model that is built, evaluated, deployed, and asked again.

Without Ollama it shows what the daemon does without a model: it answers from the search alone.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack import chat_model, ollama_binary
from tests.stack.daemon_process import BIN, ActivatedDaemon
from tests.stack.errors import StackError
from tests.stack.parts import WITHOUT_OLLAMA, without_ollama
from tests.stack.server import OllamaServer

QUESTION = "How do I enable the SSH server on NixOS?"
MODEL = "smollm2:135m"
# A question about a house's own habits, which no model knows.
HABIT = "Who looks after our servers?"
CORRECTION = "The platform team looks after them: write to `platform@example.org`."
# A model this small has nothing to add after a sentence or two; and it is asked few evaluation questions, so that the
# demonstration is over in a minute.
_CONFIG = """
[answering]
answer_tokens = 40
[learning]
evaluation_questions = 2
examples_share = 0.6
"""
_NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there
_EXIT_WITHOUT_ENGINE = 6


def main() -> int:
    """Show it, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="nix-trinity-demo-") as name, _engine() as url:
        folder = Path(name)
        with ActivatedDaemon(folder, ollama_url=url or _NOBODY, model=MODEL, config=_CONFIG) as daemon:
            print(f"A socket waits at {daemon.socket}; the first connection starts the daemon.")
            print("Its NixOS is a sample of 426 options; on NixOS they are those of the machine itself.\n")
            code = _shown(daemon, "ask-nix-guru", QUESTION)
            for words in (["options", "--limit", "3", "ssh", "server"], ["show"], ["status"]):
                _shown(daemon, "nix-trinity", *words)
            if code != (0 if url else _EXIT_WITHOUT_ENGINE):
                print(f"\nIt failed; the daemon's log:\n{daemon.log.read_text()}", file=sys.stderr)
                return code or 1
            if url:
                _learns(daemon)
            print(f"\nThe exchanges were kept in {daemon.state / 'knowledge.db'}; all of this is removed now.")
    return 0


def _learns(daemon: ActivatedDaemon) -> None:
    """Correct an answer, let it be learned, and ask again."""
    print("\nNow what no model can know. The answer is corrected, and may be learned from:", flush=True)
    _shown(daemon, "nix-trinity", "consent", "yes")
    _shown(daemon, "ask-nix-guru", "--role", "quick", HABIT)
    _shown(daemon, "nix-trinity", "correct", "--text", CORRECTION)
    print("\nA version is built, and both answer the same questions; only the better one is deployed:", flush=True)
    _shown(daemon, "nix-trinity", "build", "--role", "quick", "--force")
    _shown(daemon, "nix-trinity", "versions")
    print("\nAsked again, the correction is known at once; and with --fresh the model itself answers:", flush=True)
    _shown(daemon, "ask-nix-guru", "--role", "quick", HABIT)
    _shown(daemon, "ask-nix-guru", "--role", "quick", "--fresh", HABIT)


def _shown(daemon: ActivatedDaemon, program: str, *words: str) -> int:
    print(f"\n$ {shlex.join([program, *words])}", flush=True)
    command = [str(BIN / program), *words]
    return subprocess.run(command, env=daemon.environment, stdin=subprocess.DEVNULL, check=False).returncode


@contextmanager
def _engine() -> Iterator[str | None]:
    """A running Ollama's address; None where there is none, with the reason printed."""
    try:
        binary, gguf = _parts()
    except StackError as error:
        print(f"There is no Ollama here ({error}), so the daemon answers from the search alone.", flush=True)
        yield None
        return
    with OllamaServer(binary) as server:
        print(f"Ollama {binary.version} runs at {server.url}", flush=True)
        server.create_from_gguf(MODEL, gguf)
        print(f"It has the model {MODEL}: real, but far too small to be right by itself. What is right in its answer")
        print("comes from the options that it is given, and what it gets wrong is marked.")
        yield server.url


def _parts() -> tuple[ollama_binary.OllamaBinary, Path]:
    if without_ollama():
        raise StackError(f"{WITHOUT_OLLAMA}=1")
    return ollama_binary.obtain(), chat_model.obtain().gguf


if __name__ == "__main__":
    sys.exit(main())
