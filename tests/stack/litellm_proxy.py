"""LiteLLM's real proxy in front of several engines: its package in an environment of its own, pinned, in the cache.

It is far too big for the tests' own environment (https://docs.litellm.ai/docs/proxy/quick_start).
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.stack import cache
from tests.stack.console import run_long, say
from tests.stack.errors import StackError, closing_lines
from tests.stack.guarded import GuardedProcess
from tests.stack.loopback import free_port

REQUIREMENT = "litellm[proxy]==1.108.7"
VERSION = REQUIREMENT.partition("==")[2]
STAMP = "nix-trinity.stamp"
START_SECONDS = 120.0
SERVED = "served"
"""The name under which all engines' models are asked for."""
KEY = "sk-litellm-test-0123456789"


@dataclass(frozen=True, slots=True)
class LiteLLM:
    """The installed package and how this run came by it."""

    program: Path
    origin: str


def obtain(root: Path | None = None) -> LiteLLM:
    """Return the installed package, from the cache or installed now.

    :raises StackError: it cannot be installed.
    """
    root = root or cache.cache_root()
    folder = root / f"litellm-{VERSION}-python{sys.version_info.major}.{sys.version_info.minor}"
    program, stamp = folder / "bin" / "litellm", folder / STAMP
    if stamp.is_file():
        return LiteLLM(program, "found in the cache")
    with cache.locked(root, folder.name):
        if not stamp.is_file():
            say(f"installing {REQUIREMENT} into {folder}")
            venv.create(folder, clear=True, with_pip=True)
            command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", REQUIREMENT]
            run_long("installing LiteLLM", command, log=cache.log_file(root, "litellm-install"))
            cache.write_text(stamp, f"{REQUIREMENT}\n")
    return LiteLLM(program, "installed now")


def openai_api(url: str, model: str) -> dict[str, object]:
    """A server with OpenAI's API; Ollama's ends in /v1."""
    return {"model": f"openai/{model}", "api_base": url, "api_key": "none"}


class LiteLLMProxy:
    """The proxy on a free loopback port, from ``with`` to the end of its block.

    :param engines: what each is to LiteLLM: see :func:`openai_api`.
    """

    def __init__(self, package: LiteLLM, folder: Path, engines: Sequence[Mapping[str, object]]) -> None:
        self._package = package
        self._folder = folder
        self._engines = engines
        self._port = 0
        self._process: GuardedProcess | None = None
        self.log = folder / "litellm.log"

    @property
    def url(self) -> str:
        """What the daemon is to be given."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        self._port = free_port()
        config = self._folder / "config.yaml"
        # JSON is YAML.
        config.write_text(json.dumps(self._config()))
        command = [
            str(self._package.program),
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(self._port),
        ]
        self._process = GuardedProcess(
            [*command, "--telemetry", "False"], environment=self._environment(), log=self.log
        )
        until = time.monotonic() + START_SECONDS
        while not self._alive():
            if time.monotonic() > until or not self._process.running:
                self.__exit__()
                raise StackError(f"LiteLLM does not start:\n{closing_lines(self.log.read_text(errors='replace'))}")
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _config(self) -> dict[str, object]:
        deployments = [
            {"model_name": SERVED, "litellm_params": dict(engine), "model_info": {"id": f"engine-{number}"}}
            for number, engine in enumerate(self._engines)
        ]
        return {
            "model_list": deployments,
            # One that does not answer is left out for a while, and who asked it is sent to the other.
            "router_settings": {"num_retries": 2, "retry_after": 0, "allowed_fails": 0, "cooldown_time": 5},
            "litellm_settings": {"telemetry": False, "drop_params": False, "request_timeout": 120},
            "general_settings": {"master_key": KEY},
        }

    def _environment(self) -> dict[str, str]:
        """Nothing is inherited but PATH; prices of cloud models are not fetched from the internet."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "DISABLE_ADMIN_UI": "True",
            "NO_DOCS": "True",
        }

    def _alive(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health/liveliness")
            with connection.getresponse() as reply:
                return reply.status == 200
        return False
