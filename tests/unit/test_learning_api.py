"""The routes of the learn line, with the line itself played: who may do what, what is refused, what comes back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

import httpx
import jsonschema  # type: ignore[import-untyped]  # ships no type information
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nix_trinity.api import http
from nix_trinity.api.access import Access
from nix_trinity.api.learning_routes import LearningApi
from nix_trinity.api.openapi import describe
from nix_trinity.api.routes import Api
from nix_trinity.api.server import ApiServer
from nix_trinity.errors import BusyError, EngineUnreachableError, NotFoundError, TrinityError
from nix_trinity.host.activation import own_listener
from nix_trinity.host.peer import Peer
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.learning import Build, BuildKind, Decision, Lesson
from nix_trinity.knowledge.portable import Form, ImportReport
from nix_trinity.knowledge.statistics import LessonCounts, Measures, Row, Spread, Statistics, Topic
from nix_trinity.training.learning import Difference, Pruned, WrittenReport
from nix_trinity.training.progress import BuildEnded, BuildEvent, BuildStarted, BuildStep, RoleResult
from nix_trinity.training.version import Learned, Manifest, Scores
from tests.stack.waiting import eventually
from tests.unit.test_client import MAIN, environment, run

ROOT, PERSON = 0, 54321
TEXT = {"accept": "text/plain"}
LEARNED = Learned(
    id="k3f9bcdfgh", question="How do I enable SSH?", answer="services.openssh.enable = true;", kind="corrected",
    topic="ssh", judged_by=1000, by_operator=True, judged_at_ms=1_795_600_000_000, options_release="26.11",
)  # fmt: skip
MANIFEST = Manifest(
    name="nix-expert-20261125", role="expert", kind="weekly", state="deployed", built_at_ms=1_795_600_000_000,
    base="mistral:7b", num_ctx=4096, content="c" * 64, token_budget=1200, tokens=900, learned=(LEARNED,),
    why="better on 40 questions",
    scores=Scores(questions=40, right_option=0.5, valid=0.975, facts=None, corrections=1.0, first_token_ms=80.0, tokens_per_second=30.0),
)  # fmt: skip
LESSON = Lesson(
    exchange_id="k3f9bcdfgh", role="expert", topic="ssh", kind="confirmed", state="review",
    reason="only one person confirmed it", value=0.4, cluster="c1", question="How do I enable SSH?",
    answer="services.openssh.enable = true;",
)  # fmt: skip
STARTED = BuildStarted("b2c3d4f5gh", "weekly", ("expert",), "the timer")
STEP = BuildStep("expert", "evaluate", 1, 2, "")
RESULT = RoleResult("expert", "deployed", "nix-expert-20261125", "nix-expert-20261118", 3, 1, "better")
ENDED = BuildEnded("b2c3d4f5gh", "done", "expert: deployed", 12.5)
STATISTICS = Statistics(
    since_ms=1_795_000_000_000, until_ms=1_795_600_000_000,
    whole=Measures(exchanges=5, answered=4, good=2, bad=1, corrected=1, accuracy=0.5, first_token_ms=Spread(80.0, 120.0, 4)),
    roles=(Row(role="expert", measures=Measures(exchanges=5, answered=4)),), versions=(), weeks=(),
    topics=(Topic(topic="ssh", asked=5, good=2, bad=1, corrected=1, ungrounded=0),), bad_answers=(),
    bad_answers_withheld=0, notes=(), lessons=LessonCounts(eligible=2, review=1),
)  # fmt: skip


@dataclass
class PlayedLearning:
    """Remembers what it was asked; the events of a build are given."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    events: list[BuildEvent | TrinityError] = field(default_factory=lambda: [STARTED, STEP, RESULT, ENDED])
    gate: asyncio.Event | None = None
    """Holds the build after its first event."""
    finished: bool = False

    async def build(
        self, kind: BuildKind, roles: Sequence[str], *, force: bool, reason: str
    ) -> AsyncGenerator[BuildEvent, None]:
        self.asked.append(("build", kind, tuple(roles), force, reason))
        queue: asyncio.Queue[BuildEvent | TrinityError | None] = asyncio.Queue()
        self.task = asyncio.create_task(self._work(queue))
        while (event := await queue.get()) is not None:
            if isinstance(event, TrinityError):
                raise event
            yield event

    async def _work(self, queue: asyncio.Queue[BuildEvent | TrinityError | None]) -> None:
        for number, event in enumerate(self.events):
            if number == 1 and self.gate is not None:
                await self.gate.wait()
            await queue.put(event)
        self.finished = True
        await queue.put(None)

    async def builds(self, limit: int) -> Sequence[Build]:
        self.asked.append(("builds", limit))
        results = json.dumps([{"role": "expert", "result": "rejected", "version": None, "why": "worse"}])
        done = Build(
            id="b2", kind="weekly", state="done", roles=("expert",), reason="timer", started_at_ms=0, results=results,
            ended_at_ms=60_000,
        )  # fmt: skip
        failed = Build(
            id="b1", kind="manual", state="failed", roles=("expert",), reason="", started_at_ms=0,
            error_code="engine_unreachable", error="Ollama does not answer.",
        )  # fmt: skip
        return [done, failed]

    async def versions(self, role: str | None = None) -> Sequence[Manifest]:
        self.asked.append(("versions", role))
        return [MANIFEST] if role in (None, "expert") else []

    async def difference(self, older: str, newer: str) -> Difference:
        self.asked.append(("difference", older, newer))
        return Difference(older, newer, (LEARNED,), (), 4)

    async def rollback(self, role: str, version: str | None) -> Manifest:
        self.asked.append(("rollback", role, version))
        return MANIFEST

    async def prune(self, *, dry_run: bool) -> Pruned:
        self.asked.append(("prune", dry_run))
        return Pruned(
            dry_run, (("nix-expert-20260101", "older than what is kept"),), ((MANIFEST.name, "deployed"),), 7, 2_500_000
        )

    async def candidates(self, limit: int) -> Sequence[Lesson]:
        self.asked.append(("candidates", limit))
        return [LESSON]

    async def review(self, exchange: str, decision: Decision, uid: int, seen: str | None = None) -> Lesson:
        self.asked.append(("review", exchange, decision, uid, *([seen] if seen is not None else [])))
        if exchange == "nothing":
            raise NotFoundError("There is no exchange 'nothing'.", "List them with: nix-trinity review")
        return LESSON

    async def report(self, month: str) -> WrittenReport:
        self.asked.append(("report", month))
        return WrittenReport(f"/state/reports/{month}.md", f"# {month}\n")


@dataclass
class Played:
    """The application with everything behind it played."""

    learning: PlayedLearning = field(default_factory=PlayedLearning)
    consents: dict[int, bool] = field(default_factory=dict)
    corrected: list[tuple[str, Feedback]] = field(default_factory=list)
    exported: list[tuple[int, str, bool]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    uid: int = ROOT

    async def get_learning(self) -> PlayedLearning:
        return self.learning

    # What a correction needs of the store, and what checks it.
    async def find(self, _reader: Reader, prefix: str) -> tuple[Exchange, list[Feedback]]:
        if prefix == "nothing":
            raise NotFoundError("There is no exchange 'nothing' of yours.", "List yours with: nix-trinity history")
        exchange = Exchange(
            id="k3f9bcdfgh", asked_at_ms=0, uid=PERSON, session="s", interface="cli", question="How do I enable SSH?"
        )
        return exchange, []

    async def judge(self, _reader: Reader, prefix: str, feedback: Feedback) -> None:
        self.corrected.append((prefix, feedback))

    async def inspect(self, _question: str, answer: str) -> Inspection:
        wrong = ("There is no option services.ssh",) if "services.ssh." in answer else ()
        return Inspection("26.11", "flagged" if wrong else "verified", problems=wrong)

    async def consent_of(self, uid: int) -> bool | None:
        return self.consents.get(uid)

    async def say_consent(self, uid: int, allows: bool) -> None:
        self.consents[uid] = allows

    async def stats(self, weeks: int) -> Statistics:
        self.learning.asked.append(("stats", weeks))
        return STATISTICS

    async def metrics(self) -> bytes:
        return b"# TYPE nix_trinity_questions_total counter\nnix_trinity_questions_total 5.0\n"

    async def export(self, reader: Reader, form: Form, everybody: bool) -> AsyncIterator[bytes]:
        self.exported.append((reader.uid, form, everybody))
        if reader.uid == PERSON:
            return
        yield b'{"id": "k3f9"}\n'
        yield b'{"id": "k4f9"}\n'

    async def import_lines(self, reader: Reader, lines: AsyncIterator[bytes]) -> ImportReport:
        self.taken = [line async for line in lines]
        bad = tuple((number, "not an exchange") for number, line in enumerate(self.taken, 1) if b"question" not in line)
        self.owners.append(reader.uid)
        return ImportReport(len(self.taken) - len(bad), 0, bad, len(bad))

    def application(self) -> ASGIApp:
        api = Api(
            answering=cast(Any, None),
            store=cast(Any, self),
            search=cast(Any, None),
            access=Access("", "no-such-group"),
            status_of=cast(Any, None),
            inspect=self.inspect,
            learning=LearningApi(
                learning=self.get_learning,
                consent_of=self.consent_of,
                say_consent=self.say_consent,
                consent_by_default=False,
                stats=self.stats,
                metrics=self.metrics,
                export=self.export,
                import_lines=self.import_lines,
                wall_clock=lambda: 1_795_600_000.0,
            ),
        ).application()

        async def with_peer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"] = {"peer": Peer(1, self.uid, self.uid)}
            await api(scope, receive, send)

        return with_peer

    def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(self.application(), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://d") as client:
                content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
                return await client.request(method, path, content=content, headers=headers)

        return asyncio.run(go())

    def error(self, method: str, path: str, body: object = None) -> tuple[int, str, str]:
        reply = self.request(method, path, body)
        error = reply.json()["error"]
        assert error["hint"], "every error says what to do next"
        return reply.status_code, error["code"], f"{error['message']} {error['hint']}"


@pytest.fixture
def played() -> Played:
    return Played()


DOCUMENT = describe()
OPERATORS_ONLY = [
    ("POST", "/v1/builds", {"kind": "weekly"}),
    ("GET", "/v1/builds", None),
    ("GET", "/v1/versions", None),
    ("GET", "/v1/versions/diff?older=nix-expert-20261118&newer=nix-expert-20261125", None),
    ("POST", "/v1/rollback", {"role": "expert"}),
    ("POST", "/v1/prune", {}),
    ("GET", "/v1/review", None),
    ("POST", "/v1/review", {"id": "k3f9", "decision": "accepted"}),
    ("GET", "/v1/stats", None),
    ("GET", "/metrics", None),
    ("POST", "/v1/reports", {"month": "2026-11"}),
    ("GET", "/v1/export?all=1", None),
]
EVERYBODY = [
    ("GET", "/v1/consent", None),
    ("PUT", "/v1/consent", {"allows": True}),
    ("GET", "/v1/export", None),
    ("POST", "/v1/import", {"question": "q", "answer": "a"}),
]


@pytest.mark.parametrize(("method", "path", "body"), [*OPERATORS_ONLY, *EVERYBODY])
def test_every_route_answers_an_operator_as_described(played: Played, method: str, path: str, body: object) -> None:
    operation = DOCUMENT["paths"][path.partition("?")[0]][method.lower()]
    reply = played.request(method, path, body)
    assert reply.status_code == 200, reply.text
    kind = reply.headers["content-type"].partition(";")[0]
    schema = operation["responses"]["200"]["content"][kind].get("schema")
    if schema is None:
        assert kind in ("application/x-ndjson", "text/plain")
        return
    values = [json.loads(line) for line in reply.content.splitlines()] if "ndjson" in kind else [reply.json()]
    for value in values:
        whole = {**schema, "components": DOCUMENT["components"]}
        jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(("method", "path", "body"), OPERATORS_ONLY)
def test_who_is_no_operator_is_told_the_fix(played: Played, method: str, path: str, body: object) -> None:
    played.uid = PERSON
    status, code, said = played.error(method, path, body)
    assert (status, code) == (403, "forbidden")
    assert "services.nixTrinity.operators" in said
    assert played.learning.asked == []
    assert (played.exported, played.taken) == ([], [])


@pytest.mark.parametrize(("method", "path", "body"), EVERYBODY)
def test_what_concerns_oneself_is_everybodys(played: Played, method: str, path: str, body: object) -> None:
    played.uid = PERSON
    assert played.request(method, path, body).status_code == 200


def test_the_description_has_every_route_of_the_line_and_no_other() -> None:
    routes = {
        (method.lower(), route.path)
        for route in LearningApi.routes(cast(Any, None), cast(Any, None), cast(Any, None))
        for method in route.methods or ()
    }
    described = {(method, path) for path, operations in DOCUMENT["paths"].items() for method in operations}
    missing = {one for one in routes - described if one[0] != "head"}
    assert missing == set()
    assert all(one in described for one in routes if one[0] != "head")
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "said"),
    [
        ("POST", "/v1/builds", b"", "bad_json", '"kind"'),
        ("POST", "/v1/builds", b"{", "bad_json", "not valid JSON"),
        ("POST", "/v1/builds", {}, "bad_request", "`kind`"),
        ("POST", "/v1/builds", {"kind": "wekly"}, "bad_request", "weekly, monthly, immediate, manual"),
        ("POST", "/v1/builds", {"kind": "weekly", "roles": ["exprt"]}, "unknown_role", "Did you mean expert?"),
        ("POST", "/v1/builds", {"kind": "weekly", "roles": ["wizard"]}, "unknown_role", "expert, empathy, coder, quick"),
        ("POST", "/v1/builds", {"kind": "weekly", "roles": "expert"}, "bad_request", "'roles'"),
        ("POST", "/v1/builds", {"kind": "weekly", "now": True}, "bad_request", "`now`"),
        ("POST", "/v1/builds", {"kind": "weekly", "reason": "x" * 201}, "bad_request", "'reason'"),
        ("POST", "/v1/builds", {"kind": "weekly", "reason": "a\0b"}, "nul_byte", "'reason'"),
        ("GET", "/v1/builds?limit=-1", None, "bad_request", "limit='-1'"),
        ("GET", "/v1/builds?limit=0", None, "bad_request", "limit='0'"),
        ("GET", "/v1/builds?limit=many", None, "bad_request", "from 1 to 1000"),
        ("GET", "/v1/builds?limit=²", None, "bad_request", "limit="),
        ("GET", f"/v1/builds?limit={'9' * 5000}", None, "bad_request", "from 1 to 1000"),
        ("GET", "/v1/versions?role=codr", None, "unknown_role", "Did you mean coder?"),
        ("GET", "/v1/versions?role=", None, "unknown_role", "The roles are"),
        ("GET", "/v1/versions/diff", None, "bad_request", "'older'"),
        ("GET", "/v1/versions/diff?older=nix-expert-20261118", None, "bad_request", "'newer'"),
        ("GET", "/v1/versions/diff?older=mistral:7b&newer=nix-expert-20261118", None, "not_found", "nix-trinity versions"),
        ("POST", "/v1/rollback", {}, "bad_request", "`role`"),
        ("POST", "/v1/rollback", {"role": "qick"}, "unknown_role", "Did you mean quick?"),
        ("POST", "/v1/rollback", {"role": "expert", "version": "../../etc/passwd"}, "not_found", "no version called"),
        ("POST", "/v1/rollback", {"role": "expert", "version": ""}, "bad_request", "not given"),
        ("POST", "/v1/rollback", {"role": "expert", "version": "nix-coder-20261118"}, "bad_request", "no version of the role expert"),
        ("POST", "/v1/prune", {"dry_run": "yes"}, "bad_request", "'dry_run'"),
        ("POST", "/v1/prune", [], "bad_request", "array"),
        ("GET", "/v1/review?limit=1001", None, "bad_request", "from 1 to 1000"),
        ("POST", "/v1/review", {"decision": "accepted"}, "bad_request", "`id`"),
        ("POST", "/v1/review", {"id": " ", "decision": "accepted"}, "bad_request", "no id"),
        ("POST", "/v1/review", {"id": "x" * 65, "decision": "accepted"}, "too_large", "'id'"),
        ("POST", "/v1/review", {"id": "k3f9", "decision": "perhaps"}, "bad_request", "accepted, rejected"),
        ("POST", "/v1/review", {"id": "k3f9", "decision": "rejected", "correction": "x"}, "bad_request", "--edit"),
        ("POST", "/v1/review", {"id": "k3f9", "decision": "accepted", "correction": " "}, "bad_request", "--edit"),
        ("POST", "/v1/review", {"id": "k3f9", "decision": "accepted", "correction": "a\0"}, "nul_byte", "'correction'"),
        ("POST", "/v1/review", {"id": "nothing", "decision": "accepted"}, "not_found", "nothing"),
        ("PUT", "/v1/consent", {}, "bad_request", "`allows`"),
        ("PUT", "/v1/consent", {"allows": "yes"}, "bad_request", "'allows'"),
        ("POST", "/v1/consent", {"allows": True}, "method_not_allowed", "GET"),
        ("GET", "/v1/stats?weeks=0", None, "bad_request", "from 1 to 520"),
        ("POST", "/v1/reports", {"month": "2026-13"}, "bad_request", "'month'"),
        ("POST", "/v1/reports", {"month": "../x"}, "bad_request", "'month'"),
        ("GET", "/v1/export?form=csv", None, "bad_request", "exchanges, chat"),
        ("GET", "/v1/export?all=maybe", None, "bad_request", "0 nor 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_the_next_step(
    played: Played, method: str, path: str, body: object, code: str, said: str
) -> None:
    status, found, words = played.error(method, path, body)
    assert (found, 400 <= status < 500) == (code, True)
    assert said in words
    assert [one for one in played.learning.asked if one[0] != "review"] == []
    assert played.corrected == []


def test_a_build_streams_its_events(played: Played) -> None:
    body = {"kind": "monthly", "roles": ["coder", "expert", "coder"], "force": True, "reason": "Größer"}
    reply = played.request("POST", "/v1/builds", body)
    events = [json.loads(line) for line in reply.content.splitlines()]
    assert reply.headers["content-type"] == "application/x-ndjson"
    assert [event["event"] for event in events] == ["build_started", "build_step", "role_result", "build_ended"]
    assert events[2]["version"] == "nix-expert-20261125"
    assert played.learning.asked == [("build", "monthly", ("coder", "expert"), True, "Größer")]


def test_a_second_build_is_refused_and_names_the_running_one(played: Played) -> None:
    busy = BusyError("The weekly build b2c3 is running.", "See: nix-trinity builds", retry_after_seconds=60)
    played.learning.events = [busy]
    reply = played.request("POST", "/v1/builds", {"kind": "manual"})
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "60")
    assert reply.json()["error"]["code"] == "busy"
    assert "weekly build b2c3" in reply.json()["error"]["message"]


def test_a_build_that_fails_in_the_middle_ends_with_the_error(played: Played) -> None:
    played.learning.events = [STARTED, EngineUnreachableError("Ollama went away.", "systemctl status ollama")]
    events = [
        json.loads(line) for line in played.request("POST", "/v1/builds", {"kind": "manual"}).content.splitlines()
    ]
    assert [event["event"] for event in events] == ["build_started", "error"]
    assert events[1]["error"]["code"] == "engine_unreachable"


@pytest.mark.parametrize("events", [[STARTED, STEP], []])
def test_a_build_that_the_daemon_stops_says_so(played: Played, events: list[BuildEvent | TrinityError]) -> None:
    played.learning.events = events
    reply = played.request("POST", "/v1/builds", {"kind": "manual"})
    assert json.loads(reply.content.splitlines()[-1])["error"]["code"] == "shutting_down"
    assert reply.status_code == (200 if events else 503)


@pytest.mark.parametrize("state", ["put_off", "nothing_new"])
def test_a_build_may_end_with_its_first_event(played: Played, state: str) -> None:
    played.learning.events = [BuildEnded("b2", state, "on battery", 0.0)]
    (line,) = played.request("POST", "/v1/builds", {"kind": "weekly"}).content.splitlines()
    assert json.loads(line)["state"] == state


def test_a_build_goes_on_when_its_reader_goes_away(played: Played) -> None:
    async def go() -> list[bytes]:
        gate = played.learning.gate = asyncio.Event()
        gone = asyncio.Event()
        sent: list[bytes] = []
        requests = iter([{"type": "http.request", "body": b'{"kind": "weekly"}', "more_body": False}])

        async def receive() -> Message:
            if (message := next(requests, None)) is not None:
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message.get("body", b""))
            if message.get("body"):
                gone.set()

        scope = {
            "type": "http", "method": "POST", "path": "/v1/builds", "raw_path": b"/v1/builds", "query_string": b"",
            "headers": [], "asgi": {"spec_version": "2.3"}, "http_version": "1.1",
        }  # fmt: skip
        await played.application()(scope, receive, send)
        assert not played.learning.finished
        gate.set()
        await played.learning.task
        return sent

    sent = asyncio.run(asyncio.wait_for(go(), 10))
    assert played.learning.finished
    assert b"build_ended" not in b"".join(sent)


def test_builds_are_told(played: Played) -> None:
    first, second = played.request("GET", "/v1/builds?limit=2").json()["builds"]
    assert first["results"] == [{"role": "expert", "result": "rejected", "version": None, "why": "worse"}]
    assert second["error_code"] == "engine_unreachable"
    assert played.learning.asked == [("builds", 2)]
    words = played.request("GET", "/v1/builds", headers=TEXT).text
    assert "rejected: worse" in words
    assert "engine_unreachable: Ollama does not answer." in words


def test_versions_in_words(played: Played) -> None:
    words = played.request("GET", "/v1/versions?role=expert", headers=TEXT).text
    for said in (
        "nix-expert-20261125",
        "deployed",
        "1 learned example,",
        "900 of 1200 tokens",
        "40 questions",
        "valid 98%",
        "better on",
    ):
        assert said in words
    assert "No version was built yet" in played.request("GET", "/v1/versions?role=quick", headers=TEXT).text


def test_the_difference_in_words_says_who_stands_for_what(played: Played) -> None:
    path = "/v1/versions/diff?older=nix-expert-20261118&newer=nix-expert-20261125-2"
    words = played.request("GET", path, headers=TEXT).text
    assert played.learning.asked == [("difference", "nix-expert-20261118", "nix-expert-20261125-2")]
    for said in (
        "4 examples kept",
        "learned: 1",
        "dropped: nothing",
        "corrected by an operator",
        "NixOS 26.11",
        "How do I enable SSH?",
    ):
        assert said in words


def test_rolling_back(played: Played) -> None:
    assert played.request("POST", "/v1/rollback", {"role": "expert"}).json()["name"] == "nix-expert-20261125"
    body = {"role": "expert", "version": "nix-expert-20261118"}
    assert "nix-expert is nix-expert-20261125 again" in played.request("POST", "/v1/rollback", body, TEXT).text
    assert played.learning.asked == [("rollback", "expert", None), ("rollback", "expert", "nix-expert-20261118")]


def test_pruning(played: Played) -> None:
    assert played.request("POST", "/v1/prune", {}).json()["freed_bytes"] == 2_500_000
    words = played.request("POST", "/v1/prune", {"dry_run": True}, TEXT).text
    assert played.learning.asked == [("prune", False), ("prune", True)]
    assert "would be removed" in words
    assert "a dry run" in words
    assert "2.5 MB of disk freed" in played.request("POST", "/v1/prune", {}, TEXT).text


def test_reviewing(played: Played) -> None:
    assert played.request("GET", "/v1/review").json()["candidates"][0]["exchange_id"] == "k3f9bcdfgh"
    assert "only one person confirmed it" in played.request("GET", "/v1/review?limit=5", headers=TEXT).text
    assert played.request("POST", "/v1/review", {"id": "k3f9", "decision": "rejected"}).json()["notices"] == []
    assert played.corrected == []
    edit = {"id": "k3f9", "decision": "accepted", "correction": "services.ssh.enable = true;"}
    reply = played.request("POST", "/v1/review", edit)
    (notice,) = reply.json()["notices"]
    assert "There is no option services.ssh" in notice
    ((exchange, said),) = played.corrected
    assert (exchange, said.uid, said.by_operator) == ("k3f9bcdfgh", ROOT, True)
    assert (said.verdict, said.correction, said.check_verdict) == (
        "corrected",
        "services.ssh.enable = true;",
        "flagged",
    )
    assert played.error("POST", "/v1/review", {**edit, "id": "nothing"})[1] == "not_found"
    assert "There is no option" in played.request("POST", "/v1/review", edit, TEXT).text
    assert ("review", "k3f9bcdfgh", "accepted", ROOT) in played.learning.asked
    played.request("POST", "/v1/review", {"id": "k3f9", "decision": "accepted", "seen": "As it was."})
    assert played.learning.asked[-1] == ("review", "k3f9", "accepted", ROOT, "As it was.")


def test_consent_is_ones_own(played: Played) -> None:
    played.uid = PERSON
    assert played.request("GET", "/v1/consent").json() == {"allows": None, "by_default": False}
    assert "the default here is no" in played.request("GET", "/v1/consent", headers=TEXT).text
    assert played.request("PUT", "/v1/consent", {"allows": True}).json() == {"allows": True, "by_default": False}
    assert played.consents == {PERSON: True}
    played.uid = PERSON + 1
    assert played.request("GET", "/v1/consent").json()["allows"] is None
    assert "may not learn" in played.request("PUT", "/v1/consent", {"allows": False}, TEXT).text
    assert played.consents == {PERSON: True, PERSON + 1: False}


def test_figures(played: Played) -> None:
    assert played.request("GET", "/v1/stats?weeks=3").json()["whole"]["accuracy"] == 0.5
    words = played.request("GET", "/v1/stats", headers=TEXT).text
    assert played.learning.asked == [("stats", 3), ("stats", 8)]
    for said in ("50%", "80 ms", "expert", "ssh (5)", "1 wait for a review"):
        assert said in words
    metrics = played.request("GET", "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "nix_trinity_questions_total 5.0" in metrics.text


def test_a_report_is_of_the_month_that_was_said_or_of_this_one(played: Played) -> None:
    assert played.request("POST", "/v1/reports", {"month": "2026-10"}).json()["path"] == "/state/reports/2026-10.md"
    words = played.request("POST", "/v1/reports", {}, TEXT).text
    assert words.startswith("# 2026-11\n")
    assert "Wrote /state/reports/2026-11.md." in words


def test_export(played: Played) -> None:
    reply = played.request("GET", "/v1/export?form=chat&all=1")
    assert (reply.content, reply.headers["content-type"]) == (
        b'{"id": "k3f9"}\n{"id": "k4f9"}\n', "application/x-ndjson",
    )  # fmt: skip
    played.uid = PERSON
    assert played.request("GET", "/v1/export").content == b""
    assert played.exported == [(ROOT, "chat", True), (PERSON, "exchanges", False)]


def test_an_import_is_cut_into_lines_whatever_the_blocks(played: Played) -> None:
    lines = [
        json.dumps({"question": "Größe" * 20_000, "answer": str(n)}, ensure_ascii=False).encode() for n in range(4)
    ]
    reply = played.request("POST", "/v1/import", b"\n".join([*lines, b"{}"]))
    assert played.taken == [*lines, b"{}"]
    assert reply.json() == {
        "imported": 4, "already_there": 0, "skipped": [[5, "not an exchange"]], "skipped_count": 1,
    }  # fmt: skip
    words = played.request("POST", "/v1/import", b"{}\n", TEXT).text
    assert words == "0 exchanges imported, 0 known already.\nline 1 skipped: not an exchange\n"
    assert played.taken == [b"{}"]
    assert played.request("POST", "/v1/import", b"").json()["imported"] == 0


@pytest.mark.parametrize("body", [b"x" * (http.MOST_LINE_BYTES + 1), (b"x" * 999_999 + b"\n") * 68])
def test_an_import_has_limits(played: Played, body: bytes) -> None:
    status, code, said = played.error("POST", "/v1/import", body)
    assert (status, code) == (413, "too_large")
    assert "in parts" in said


def test_the_learn_line_is_not_loaded_with_the_daemon() -> None:
    code = (
        "import sys, nix_trinity.api.routes, nix_trinity.api.learning_routes\n"
        "heavy = ('nix_trinity.training', 'nix_trinity.knowledge.statistics', 'nix_trinity.api.learning_text',"
        " 'nix_trinity.api.learning_messages', 'prometheus_client', 'matplotlib', 'tomli_w', 'nix_trinity.knowledge.portable')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Served:
    """The application on a real socket, served by the daemon's own server in a thread, for the real client."""

    def __init__(self, played: Played, path: Path) -> None:
        self.path = path
        self._played = played
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._server.leave)
        self._thread.join(20)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._played.learning.gate = asyncio.Event()
        self._server = ApiServer(self._played.application(), grace_seconds=1, on_ready=self._ready.set)
        with own_listener(str(self.path), group="") as listener:
            await self._server.serve([listener.socket])

    def let_the_build_go_on(self) -> None:
        gate = self._played.learning.gate
        assert gate is not None
        self.loop.call_soon_threadsafe(gate.set)


def test_a_build_goes_on_when_its_client_is_killed(played: Played, tmp_path: Path) -> None:
    with Served(played, tmp_path / "socket") as served:
        client = subprocess.Popen(
            [sys.executable, "-c", MAIN, "build"], stdout=subprocess.PIPE, env=environment(served.path)
        )
        with client:
            assert client.stdout
            assert client.stdout.readline().startswith(b"weekly build b2c3d4f5gh of expert")
            client.kill()
        assert not played.learning.finished
        served.let_the_build_go_on()
        eventually(lambda: played.learning.finished)


def test_the_real_client_and_the_real_routes_understand_one_another(played: Played, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"question": "q", "answer": "a"}\n\n{"x": 1}\n')
    with Served(played, tmp_path / "socket") as served:
        served.let_the_build_go_on()
        for words, said in (
            (["build", "--role", "expert"], "expert: deployed nix-expert-20261125"),
            (["builds"], "rejected: worse"),
            (["versions", "expert"], "900 of 1200 tokens"),
            (["diff", "nix-expert-20261118", "nix-expert-20261125"], "4 examples kept"),
            (["rollback", "expert"], "nix-expert is nix-expert-20261125 again"),
            (["prune", "--dry-run"], "a dry run"),
            (["review"], "only one person confirmed it"),
            (["review", "--edit", "k3f9", "--text", "services.ssh.enable = true;"], "note: Checked against the options of NixOS 26.11: There is no option services.ssh"),
            (["stats", "--weeks", "2"], "accuracy"),
            (["report", "2026-10"], "Wrote /state/reports/2026-10.md."),
            (["consent", "yes"], "Models may learn from your exchanges"),
            (["export", "-", "--all"], '{"id": "k4f9"}'),
            (["import", str(file)], "1 imported, 0 known already, 1 skipped."),
        ):  # fmt: skip
            done = run(served.path, *words)
            assert (done.returncode, said in done.stdout.decode()) == (0, True), (words, done.stdout, done.stderr)
        done = run(served.path, "versions", "exprt")
        assert done.returncode == 2
        assert b"Did you mean expert?" in done.stderr
        assert b"line 3: not an exchange" in run(served.path, "import", str(file)).stderr
