"""The product's own daemon, really socket-activated, for tests, the demonstration and benchmarks."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.stack.errors import StackError
from tests.stack.guarded import GuardedProcess

BIN = Path(sys.executable).parent
SAMPLE_OPTIONS = Path(__file__).resolve().parents[1] / "data" / "sample-options.json"


class ActivatedDaemon:
    """``systemd-socket-activate`` holding the socket, which starts ``nix-trinityd`` at the first connection."""

    def __init__(
        self,
        folder: Path,
        *,
        ollama_url: str,
        model: str,
        config: str = "",
        daemon: str = "",
        ollama: str = "",
        options: Path | None = SAMPLE_OPTIONS,
        corpus: str = "",
        models: str = "",
        roles: Mapping[str, str] | None = None,
        restarts: bool = False,
        http: Sequence[str] = (),
        command: Sequence[str] = (str(BIN / "nix-trinityd"),),
    ) -> None:
        """``config``, ``daemon``, ``ollama``, ``corpus`` and ``models`` are further TOML, at the end and in the sections of
        these names; ``roles`` is what stands in a role's own section in place of ``model``.

        ``options`` is the list of options to ground answers in: our own sample unless told otherwise.
        ``restarts`` starts the daemon again after it has ended, ``http`` are addresses (host:port) that it is given as
        well; ``command`` is what starts it.
        """
        self._restarts = restarts or bool(http)
        self._http = http
        self._command = command
        self.folder = folder
        self.socket = folder / "socket"
        self.state = folder / "state"
        self.config = folder / "config.toml"
        self.log = folder / "daemon.log"
        self.state.mkdir(exist_ok=True)
        own = roles or {}
        sections = "\n".join(
            f"[models.roles.{role}]\n" + own.get(role, f'model = "{model}"')
            for role in ("expert", "empathy", "coder", "quick")
        )
        self.config.write_text(
            f'[daemon]\nsocket = "{self.socket}"\n{daemon}\n[state]\ndirectory = "{self.state}"\n'
            f'[ollama]\nurl = "{ollama_url}"\n{ollama}\n'
            f'[corpus]\noptions = "{options or ""}"\n{corpus}\n[models]\ntier = "minimum"\n{models}\n{sections}\n{config}\n'
        )
        self._process: GuardedProcess | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find this daemon."""
        kept = {name: value for name, value in os.environ.items() if name not in ("NIX_TRINITY_ROLE", "USER_LEVEL")}
        return {**kept, "NIX_TRINITY_SOCKET": str(self.socket), "PATH": f"{BIN}:{os.environ.get('PATH', '')}"}

    def __enter__(self) -> Self:
        holder = ["systemd-socket-activate", f"--listen={self.socket}"]
        if self._restarts:
            sockets = [f"nix-trinity.socket={self.socket}", *(f"http={address}" for address in self._http)]
            holder = [sys.executable, "-m", "tests.stack.holder", *sockets, "--"]
        # Under a guardian, so that a test run that is killed leaves no daemon behind.
        self._process = GuardedProcess(
            [*holder, *self._command, "--config", str(self.config)], environment=dict(os.environ), log=self.log
        )
        until = time.monotonic() + 10
        while not _listens(self.socket):
            if time.monotonic() > until or not self._process.running:
                self._process.kill()
                raise StackError(f"nothing made {self.socket}: {self.log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop(patience_seconds=20)

    @property
    def running(self) -> bool:
        """Whether the daemon, or what holds its socket, is still there."""
        return self._process is not None and self._process.running

    def client(
        self, *arguments: str, stdin: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the thin client, ``ask-nix-guru`` or ``nix-trinity``, as a person would."""
        return subprocess.run(
            [str(BIN / arguments[0]), *arguments[1:]],
            env={**self.environment, **environment},
            input=(stdin or b"").decode("utf-8", "surrogateescape"),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
            check=False,
        )

    def request(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """Send a request and return the reply, whose body is still to be read and closes the connection."""
        return unix_request(self.socket, method, path, body)

    def json(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of a reply, be it a success or an error."""
        with self.request(method, path, body) as reply:
            return json.loads(reply.read())

    def ask(self, question: str, **fields: object) -> dict[str, Any]:
        """Ask, and return the whole answer or the error."""
        message = {"question": question, "role": "quick", "stream": False, **fields}
        answer: dict[str, Any] = self.json("POST", "/v1/ask", message)
        return answer

    def rows(self) -> list[dict[str, Any]]:
        """Return the exchanges that are kept, newest first."""
        rows: list[dict[str, Any]] = self.json("GET", "/v1/history?limit=1000")["exchanges"]
        return rows

    def log_lines(self) -> list[Mapping[str, Any]]:
        """Return what the daemon has logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


def _listens(path: Path) -> bool:
    """Whether somebody listens on a Unix socket: its file is there a moment earlier, and connections are refused."""
    # Looked up, since a connection would start what is behind the socket. 00010000 is SO_ACCEPTCON (proc(5)).
    lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.endswith(f" {path}") and line.split()[3] == "00010000" for line in lines)


def unix_request(path: Path, method: str, target: str, body: object = None) -> http.client.HTTPResponse:
    """Send a request to whoever listens on a Unix socket, and return the reply."""
    connection = _UnixConnection(path)
    try:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, target, content, {"Connection": "close"})
        return connection.getresponse()
    finally:
        # The reply keeps the socket until its body has been read or it is closed.
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(self._path))
