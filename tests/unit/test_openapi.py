"""The OpenAPI description, held against the running daemon: every route answers, and as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no type information
import pytest

from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, Call, FakeOllama, refuses

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Described:
    """A running daemon and what it says of itself."""

    daemon: ActivatedDaemon
    engine: FakeOllama
    document: Document

    def check(self, value: object, schema: Document) -> None:
        """Hold a value against a schema of the description."""
        whole = {**schema, "components": self.document["components"]}
        jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)

    def reply(self, method: str, path: str, body: object = None, *, route: str = "") -> Any:
        """Send a request that the description allows, and return the JSON of the reply that it describes."""
        operation = self.document["paths"][route or path.partition("?")[0]][method.lower()]
        if body is not None:
            self.check(body, operation["requestBody"]["content"]["application/json"]["schema"])
        with self.daemon.request(method, path, body) as reply:
            described = operation["responses"].get(str(reply.status), operation["responses"]["default"])
            kind = (reply.getheader("content-type") or "").partition(";")[0]
            schema = described["content"][kind].get("schema")
            content = reply.read()
        if kind == "application/x-ndjson":
            events = [json.loads(line) for line in content.splitlines()]
            for event in events:
                self.check(event, schema)
            return events
        if schema is None:
            return content
        value = json.loads(content)
        self.check(value, schema)
        return value


@pytest.fixture(scope="module")
def module_described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    few = "[answering]\nmax_running = 1\nmax_waiting = 1"
    folder = tmp_path_factory.mktemp("d")
    with FakeOllama() as engine:
        daemon = ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, config=few, options=None)
        with daemon:
            yield Described(daemon, engine, daemon.json("GET", "/v1/openapi.json"))


@pytest.fixture
def described(module_described: Described) -> Described:
    module_described.engine.reset()
    return module_described


def test_every_schema_is_one_and_every_reference_leads_somewhere(described: Described) -> None:
    assert described.document["openapi"].startswith("3.1")
    schemas = described.document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(described.document)
    for piece in text.split('"$ref": "')[1:]:
        reference = piece.partition('"')[0]
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_every_route_answers_as_described(described: Described) -> None:
    whole = described.reply("POST", "/v1/ask", {"question": "what is a flake", "stream": False, "session": "s"})
    described.reply("POST", "/v1/ask", {"question": "and why", "stream": False, "session": "s", "log": False})
    verdicts = (
        {"verdict": "good", "id": whole["id"]},
        {"verdict": "corrected", "id": whole["id"], "correction": "Better."},
    )
    for verdict in verdicts:
        reply = described.reply("POST", "/v1/feedback", verdict)
        assert (reply["id"], reply["verdict"]) == (whole["id"], verdict["verdict"])
    assert described.reply("GET", "/v1/history?limit=5&session=s")["exchanges"]
    one = described.reply("GET", f"/v1/history/{whole['id']}", route="/v1/history/{id}")
    assert [entry["verdict"] for entry in one["feedback"]] == ["good", "corrected"]
    described.reply("GET", "/v1/history/last", route="/v1/history/{id}")
    assert described.reply("GET", "/v1/status")["roles"]
    assert described.reply("GET", "/v1/backup").startswith(b"SQLite format 3")
    assert described.reply("DELETE", f"/v1/history/{whole['id']}", route="/v1/history/{id}") == {"id": whole["id"]}
    assert described.reply("GET", "/v1/openapi.json") == described.document


def test_no_documented_route_is_unknown_to_the_server(described: Described) -> None:
    for path, operations in described.document["paths"].items():
        for method, operation in operations.items():
            # Whoever is answered before the body was read finds the connection closed while sending it.
            body: object = {} if "requestBody" in operation else None
            with described.daemon.request(method.upper(), path.replace("{id}", "nothing"), body) as reply:
                error = json.loads(reply.read()).get("error", {}) if reply.status >= 400 else {}
            assert "There is nothing at" not in error.get("message", ""), path
            assert error.get("code") not in {"method_not_allowed", "internal"}, (method, path)


def test_the_search_answers_as_described(described: Described) -> None:
    found = described.reply("GET", "/v1/options?q=ssh")
    assert "options" in found


def test_the_events_of_a_stream_are_as_described(described: Described) -> None:
    def breaks(call: Call) -> None:
        call.start()
        call.say("This is half an answer. ")
        call.raw(b'{"error": "out of memory"}\n')

    events = described.reply("POST", "/v1/ask", {"question": "what is a flake"})
    kinds = [event["event"] for event in events]
    assert (kinds[0], kinds[-1]) == ("started", "ended")
    assert set(kinds[1:-1]) == {"text"}
    described.engine.chat = breaks
    broken = described.reply("POST", "/v1/ask", {"question": "what is a flake"})
    assert [event["event"] for event in broken][-1] == "error"


def test_who_waits_and_who_is_turned_away_is_told_as_described(described: Described) -> None:
    described.reply("POST", "/v1/ask", {"question": "what is a flake"})
    described.engine.chat = lambda call: call.wait()
    question = {"question": "what is a channel"}
    with described.daemon.request("POST", "/v1/ask", question) as first:
        assert json.loads(first.readline())["event"] == "started"
        with described.daemon.request("POST", "/v1/ask", question) as second:
            queued = json.loads(second.readline())
            described.check(queued, {"$ref": "#/components/schemas/StreamEvent"})
            assert (queued["event"], queued["position"]) == ("queued", 1)
            assert described.reply("POST", "/v1/ask", question)["error"]["code"] == "busy"


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "/v1/ask", {"question": " "}, "question_empty"),
        ("POST", "/v1/ask", {"question": "x", "role": "wizard"}, "unknown_role"),
        ("POST", "/v1/ask", {"question": "x" * 20_000}, "too_large"),
        ("POST", "/v1/ask", {"question": "a\0b"}, "nul_byte"),
        ("POST", "/v1/feedback", {"verdict": "good", "id": "nothing"}, "not_found"),
        ("POST", "/v1/feedback", {"verdict": "corrected"}, "bad_request"),
        ("GET", "/v1/history?limit=0", None, "bad_request"),
        ("GET", f"/v1/history?limit={'9' * 5000}", None, "bad_request"),
        ("GET", f"/v1/options?q=ssh&limit={'9' * 5000}", None, "bad_request"),
        ("GET", "/v1/history/nothing", None, "not_found"),
        ("DELETE", "/v1/history/nothing", None, "not_found"),
    ],
)
def test_errors_are_as_described(described: Described, method: str, path: str, body: object, code: str) -> None:
    route = "/v1/history/{id}" if path.startswith("/v1/history/") else ""
    assert described.reply(method, path, body, route=route)["error"]["code"] == code


def test_an_error_of_the_engine_is_as_described(described: Described) -> None:
    described.engine.chat = refuses(500, "blob is damaged")
    for stream in (True, False):
        reply = described.reply("POST", "/v1/ask", {"question": "what is a flake", "stream": stream})
        assert reply["error"]["code"] == "engine_failed"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": 7},
        {"question": "x", "colour": "red"},
        {"question": "x", "level": "guru"},
        {"question": "x", "session": "a b"},
        {"question": "x", "local_time": "noon"},
        {"question": None},
    ],
)
def test_what_the_description_forbids_the_server_refuses(described: Described, body: Document) -> None:
    schema = described.document["paths"]["/v1/ask"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    with pytest.raises(jsonschema.ValidationError):
        described.check(body, schema)
    assert described.daemon.json("POST", "/v1/ask", body)["error"]["code"] == "bad_request"
