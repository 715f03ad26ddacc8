"""The little of Ollama's HTTP API that the stack itself needs, with the standard library alone.

No proxy setting of the environment is ever looked at: these requests go to this machine's loopback.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.stack.errors import StackError


class OllamaHttp:
    """Requests to one Ollama on a loopback port."""

    def __init__(self, port: int, timeout_seconds: float = 120) -> None:
        self._port = port
        self._timeout = timeout_seconds

    def version(self) -> str:
        """Return the server's version."""
        return str(self.get("/api/version")["version"])

    def get(self, path: str) -> Any:
        """Return the JSON of a GET request."""
        with closing(self._connection()) as connection:
            connection.request("GET", path)
            return _json(connection.getresponse(), f"GET {path}")

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the JSON of a POST request that is answered in one piece (``"stream": False``)."""
        with closing(self._connection()) as connection:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            return _json(connection.getresponse(), f"POST {path}")

    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[Any]:
        """Yield the JSON lines of a streamed answer; an error line is raised, since its status was 200."""
        with closing(self._connection()) as connection:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != http.client.OK:
                _json(response, f"POST {path}")
            for line in response:
                item = json.loads(line)
                if "error" in item:
                    raise StackError(f"POST {path}: Ollama says {item['error']}")
                yield item

    def create(self, name: str, request: Mapping[str, object]) -> None:
        """Create a model and wait until it is there."""
        steps = list(self.stream("/api/create", {"model": name, **request}))
        if not steps or steps[-1].get("status") != "success":
            raise StackError(f"creating {name}: Ollama's answer broke off after {steps[-1:]}")

    def upload(self, path: Path, sha256: str) -> str:
        """Give a file to the server unless it has it, and return the name that ``create`` knows it by."""
        digest = f"sha256:{sha256}"
        target = f"/api/blobs/{digest}"
        with closing(self._connection()) as connection:
            connection.request("HEAD", target)
            if connection.getresponse().status == http.client.OK:
                return digest
        with closing(self._connection()) as connection, path.open("rb") as content:
            headers = {"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"}
            connection.request("POST", target, content, headers)
            response = connection.getresponse()
            if response.status != http.client.CREATED:
                _json(response, f"POST {target}")
        return digest

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)


def _json(response: http.client.HTTPResponse, what: str) -> Any:
    """Read a JSON answer, or raise what the server said went wrong."""
    text = response.read().decode()
    if response.status != http.client.OK:
        raise StackError(f"{what}: Ollama answered {response.status}: {text}")
    return json.loads(text)
