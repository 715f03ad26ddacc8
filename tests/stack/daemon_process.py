"""The product's own daemon, really socket-activated, for tests, the demonstration and benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.stack.errors import StackError

_BIN = Path(sys.executable).parent


class ActivatedDaemon:
    """``systemd-socket-activate`` holding the socket, which starts ``nix-trinityd`` at the first connection."""

    def __init__(
        self, folder: Path, *, ollama_url: str, model: str, config: str = "", daemon: str = "", restarts: bool = False
    ) -> None:
        """``config`` and ``daemon`` are further TOML; ``restarts`` starts the daemon again after it has ended."""
        self._restarts = restarts
        self.folder = folder
        self.socket = folder / "socket"
        self.state = folder / "state"
        self.config = folder / "config.toml"
        self.log = folder / "daemon.log"
        self.state.mkdir(exist_ok=True)
        roles = "\n".join(
            f'[models.roles.{role}]\nmodel = "{model}"' for role in ("expert", "empathy", "coder", "quick")
        )
        self.config.write_text(
            f'[daemon]\nsocket = "{self.socket}"\n{daemon}\n[state]\ndirectory = "{self.state}"\n'
            f'[ollama]\nurl = "{ollama_url}"\n[models]\ntier = "minimum"\n{roles}\n{config}\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs to find this daemon."""
        kept = {name: value for name, value in os.environ.items() if name != "USER_LEVEL"}
        return {**kept, "NIX_TRINITY_SOCKET": str(self.socket), "PATH": f"{_BIN}:{os.environ.get('PATH', '')}"}

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            holder = ["systemd-socket-activate", f"--listen={self.socket}"]
            if self._restarts:
                holder = [sys.executable, "-m", "tests.stack.activator", str(self.socket)]
            self._process = subprocess.Popen(
                [*holder, str(_BIN / "nix-trinityd"), "--config", str(self.config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        until = time.monotonic() + 10
        while not self.socket.exists():
            if time.monotonic() > until or self._process.poll() is not None:
                raise StackError(f"systemd-socket-activate did not make {self.socket}: {self.log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def client(
        self, *arguments: str, stdin: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the thin client, ``ask-nix-guru`` or ``nix-trinity``, as a person would."""
        return subprocess.run(
            [str(_BIN / arguments[0]), *arguments[1:]],
            env={**self.environment, **environment},
            input=(stdin or b"").decode("utf-8", "surrogateescape"),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
            check=False,
        )
