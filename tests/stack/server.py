"""A private, real Ollama: its own port, models and home, and no process left when it is done."""

from __future__ import annotations

import http.client
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.stack import cache
from tests.stack.errors import StackError, closing_lines
from tests.stack.guarded import GuardedProcess
from tests.stack.loopback import free_port
from tests.stack.ollama_binary import OllamaBinary
from tests.stack.ollama_http import OllamaHttp

START_SECONDS = 60.0
PORT_TRIES = 5


class OllamaServer:
    """``ollama serve`` on a free loopback port, from ``with`` to the end of its block.

    :param binary: the Ollama to run.
    :param folder: where its models, home and log go and stay; a temporary folder when not given.
    :param num_parallel: how many requests one model serves at a time.
    """

    def __init__(self, binary: OllamaBinary, folder: Path | None = None, *, num_parallel: int = 1) -> None:
        self.binary = binary
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if folder is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="nix-trinity-ollama-")
            folder = Path(self._temporary.name)
        self.folder = folder
        self.log = folder / "ollama.log"
        self._num_parallel = num_parallel
        self._port = 0
        self._process: GuardedProcess | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address to give to a client; it stays the same across a restart."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of ``ollama serve``."""
        if self._process is None:
            raise StackError("Ollama is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether ``ollama serve`` is there."""
        return self._process is not None and self._process.running

    @property
    def http(self) -> OllamaHttp:
        """Requests to this server."""
        return OllamaHttp(self._port)

    @property
    def environment(self) -> dict[str, str]:
        """The server's whole environment, which also points an ``ollama`` command at this server.

        Nothing is inherited but PATH: no proxy, no OLLAMA_* of the developer's own. Unused files are
        pruned at the start and models unloaded after five minutes, both as on a user's machine.
        """
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "OLLAMA_HOST": f"127.0.0.1:{self._port}",
            "OLLAMA_MODELS": str(self.folder / "models"),
            "OLLAMA_NUM_PARALLEL": str(self._num_parallel),
            "OLLAMA_NO_CLOUD": "1",
        }

    def start(self) -> None:
        """Start the server and return when it answers.

        :raises StackError: it does not come up; the end of its log is in the text.
        """
        if self.running:
            raise StackError("Ollama is already running")
        for name in ("home", "tmp", "models"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        chosen = self._port
        for attempt in range(PORT_TRIES):
            # Another program may take the free port before Ollama does: then try another one. After a
            # restart the clients know the port, so it must be the same one.
            self._port = chosen or free_port()
            written = self.log.stat().st_size if self.log.exists() else 0
            self._process = GuardedProcess([str(self.binary.path), "serve"], environment=self.environment, log=self.log)
            if self._answers():
                return
            self._process.kill()
            if "address already in use" not in self.log.read_text(errors="replace")[written:]:
                break
            time.sleep(0.2 * attempt)
        raise StackError(f"Ollama does not start:\n{self.log_tail()}")

    def stop(self) -> None:
        """End the server and all its processes; may be called at any time and more than once."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def kill(self) -> None:
        """End the server and its runners without warning, as a crash would; models and port stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        """Start again on the same port with the same models, whatever state the server is in."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self.start()

    def pids(self) -> list[int]:
        """Return the server's own process and those of its loaded models."""
        return self._process.pids() if self._process is not None else []

    def log_tail(self, lines: int = 30) -> str:
        """Return the end of the server's log."""
        return closing_lines(self.log.read_text(errors="replace"), lines) if self.log.exists() else ""

    def create_from_gguf(self, name: str, gguf: Path, request: Mapping[str, object] | None = None) -> None:
        """Create a model from a GGUF file; ``request`` adds fields such as ``system`` or ``parameters``."""
        digest = self.http.upload(gguf, cache.sha256_of(gguf))
        self.http.create(name, {"files": {gguf.name: digest}, **(request or {})})

    def _answers(self) -> bool:
        """Wait until the server answers; False when it ended or took too long."""
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            try:
                OllamaHttp(self._port, timeout_seconds=5).version()
            except (OSError, http.client.HTTPException, StackError, ValueError):
                time.sleep(0.05)
            else:
                # On a lost port race it was the other program that answered, and ours has ended.
                time.sleep(0.02)
                return self.running
        return False
