"""The TCP port: the same API for whoever brings the token, and for nobody else."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.api.door import TokenDoor
from nix_trinity.host.loopback import own_loopback
from nix_trinity.host.peer import BY_TOKEN, TOKEN_UID, Peer
from tests.stack.daemon_process import ActivatedDaemon
from tests.stack.fake_ollama import BASE, Call, FakeOllama
from tests.stack.guarded import GuardedProcess
from tests.stack.loopback import free_port
from tests.stack.waiting import eventually

TOKEN = "correct+horse/battery=staple"
OURS = {"Authorization": f"Bearer {TOKEN}"}
QUESTION = {"question": "what is a flake", "role": "quick", "stream": False}
Headers = Sequence[tuple[str, str]] | dict[str, str]


def http_section(folder: Path, port: int) -> str:
    (folder / "token").write_text(f"{TOKEN}\n")
    return f'[http]\nport = {port}\ntoken_file = "{folder / "token"}"'


class Door:
    """A daemon with a port."""

    def __init__(self, daemon: ActivatedDaemon, engine: FakeOllama, port: int) -> None:
        self.daemon = daemon
        self.engine = engine
        self.port = port

    def request(
        self, method: str, path: str, body: object = None, *, headers: Headers = OURS, host: str = "127.0.0.1"
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(host, self.port, timeout=30)
        with closing(connection):
            given = list(headers.items() if isinstance(headers, dict) else headers)
            named = {name.lower() for name, _ in given}
            content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            connection.putrequest(method, path, skip_host="host" in named)
            for name, value in [*given, ("Content-Length", str(len(content)))]:
                connection.putheader(name, value)
            connection.endheaders(content)
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()

    def json(self, method: str, path: str, body: object = None, *, headers: Headers = OURS) -> Any:
        return json.loads(self.request(method, path, body, headers=headers)[2])

    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.json("GET", "/v1/history?limit=1000")["exchanges"]
        return rows


def loopback_addresses(port: int) -> list[str]:
    with own_loopback(free_port()) as listeners:
        families = {one.family for one in listeners}
    return [f"127.0.0.1:{port}", *([f"[::1]:{port}"] if socket.AF_INET6 in families else [])]


@contextmanager
def opened(folder: Path, engine: FakeOllama, *, config: str, **more: Any) -> Iterator[Door]:
    """A daemon with a port, which asks ``engine``."""
    port = free_port()
    whole = f"{config}\n{http_section(folder, port)}"
    addresses = loopback_addresses(port)
    with ActivatedDaemon(folder, ollama_url=engine.url, model=BASE, config=whole, http=addresses, **more) as daemon:
        daemon.json("GET", "/v1/status")
        yield Door(daemon, engine, port)


@pytest.fixture(scope="module")
def module_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Nobody is in its groups: whoever may ask, may by the token."""
    config = '[access]\nusers_group = "no-such-group"\noperators_group = "none-either"'
    with FakeOllama() as engine, opened(tmp_path_factory.mktemp("d"), engine, config=config, options=None) as door:
        yield door


@pytest.fixture
def door(module_door: Door) -> Door:
    module_door.engine.reset()
    return module_door


def test_the_token_opens_the_same_api(door: Door) -> None:
    status, headers, body = door.request("GET", "/v1/status")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["pid"] == door.daemon.json("GET", "/v1/status")["pid"]
    answer = door.json("POST", "/v1/ask", QUESTION)
    assert answer["answer"] == "A flake is a folder with a lock file."
    assert answer["kept"]
    document = door.json("GET", "/v1/openapi.json")
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}


def test_it_is_listened_on_for_ipv6_too(door: Door) -> None:
    for host in ["127.0.0.1", "localhost", *(["::1"] if len(loopback_addresses(door.port)) > 1 else [])]:
        assert door.request("GET", "/v1/status", host=host)[0] == 200, host


def test_who_comes_with_the_token_sees_what_came_with_it_and_is_no_operator(door: Door) -> None:
    others = door.daemon.ask("what is a secret flake")["id"]
    ours = door.json("POST", "/v1/ask", QUESTION)["id"]
    rows = door.rows()
    assert ours in {row["id"] for row in rows}
    assert {row["uid"] for row in rows} == {TOKEN_UID}
    assert others not in {row["id"] for row in rows}
    assert door.json("GET", "/v1/history/last")["exchange"]["id"] == ours
    assert door.request("GET", f"/v1/history/{others}")[0] == 404
    assert door.request("DELETE", f"/v1/history/{others}")[0] == 404
    assert door.request("POST", "/v1/feedback", {"id": others, "verdict": "bad"})[0] == 404
    assert door.json("POST", "/v1/feedback", {"id": ours, "verdict": "good"})["id"] == ours
    exported = door.request("GET", "/v1/export")[2].decode()
    assert ours in exported
    assert others not in exported
    assert door.request("DELETE", f"/v1/history/{ours}")[0] == 200
    assert others in {row["id"] for row in door.daemon.rows()}, "operators at the socket see all, and it is still there"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/backup", None),
        ("POST", "/v1/builds", {"kind": "manual"}),
        ("GET", "/v1/builds", None),
        ("GET", "/v1/versions", None),
        ("POST", "/v1/rollback", {"role": "quick"}),
        ("POST", "/v1/prune", {"dry_run": True}),
        ("GET", "/v1/review", None),
        ("GET", "/v1/stats", None),
        ("POST", "/v1/reports", {}),
        ("GET", "/v1/export?all=1", None),
        ("GET", "/metrics", None),
    ],
)
def test_what_is_for_operators_is_not_for_the_token(door: Door, method: str, path: str, body: object) -> None:
    status, _, reply = door.request(method, path, body)
    assert status == 403
    assert json.loads(reply)["error"]["code"] == "forbidden"


def test_consent_is_the_doors_own(door: Door) -> None:
    before = door.daemon.json("GET", "/v1/consent")
    assert door.json("GET", "/v1/consent")["allows"] is None
    door.json("PUT", "/v1/consent", {"allows": True})
    assert door.json("GET", "/v1/consent")["allows"] is True
    assert door.daemon.json("GET", "/v1/consent") == before


def test_the_row_says_that_it_came_over_http(door: Door) -> None:
    imposter = {**OURS, "User-Agent": "nix-trinity-client/0.1.0"}
    asked = door.json("POST", "/v1/ask", QUESTION, headers=imposter)["id"]
    assert door.json("GET", f"/v1/history/{asked}")["exchange"]["interface"] == "http"
    with_client = door.daemon.client("ask-nix-guru", "--json", "--role", "quick", "what is a flake")
    there = door.daemon.json("GET", f"/v1/history/{json.loads(with_client.stdout)['id']}")["exchange"]
    assert there["interface"] == "cli"


EVIL = "http://evil.example"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        pytest.param([], 401, "unauthorized", id="no token"),
        pytest.param([("Authorization", f"Bearer {TOKEN[:-1]}")], 401, "unauthorized", id="most of it"),
        pytest.param([("Authorization", f"Bearer {TOKEN}x")], 401, "unauthorized", id="more than it"),
        pytest.param([("Authorization", f"Bearer {TOKEN.upper()}")], 401, "unauthorized", id="in capitals"),
        pytest.param([("Authorization", "Bearer")], 401, "unauthorized", id="an empty one"),
        pytest.param([("Authorization", TOKEN)], 401, "unauthorized", id="without its scheme"),
        pytest.param([("Authorization", f"Basic {TOKEN}")], 401, "unauthorized", id="another scheme"),
        pytest.param([("Authorization", "Bearer \xff\xfe" + "x" * 30)], 401, "unauthorized", id="not ASCII"),
        pytest.param([*OURS.items(), ("Authorization", "Bearer x")], 401, "unauthorized", id="two of them"),
        pytest.param([("X-Token", TOKEN)], 401, "unauthorized", id="in another header"),
        pytest.param([*OURS.items(), ("Host", "evil.example")], 421, "host_refused", id="another host"),
        pytest.param([*OURS.items(), ("Host", "127.0.0.1.evil.example")], 421, "host_refused", id="begins like ours"),
        pytest.param([*OURS.items(), ("Host", "evil-localhost")], 421, "host_refused", id="ends like ours"),
        pytest.param([*OURS.items(), ("Host", "localhost:80@evil.example")], 421, "host_refused", id="user info"),
        pytest.param([*OURS.items(), ("Host", "localhost:http")], 421, "host_refused", id="no port"),
        pytest.param([*OURS.items(), ("Host", "::1")], 421, "host_refused", id="without brackets"),
        pytest.param([*OURS.items(), ("Host", "")], 421, "host_refused", id="no host"),
        pytest.param([*OURS.items(), ("Host", "0.0.0.0:80")], 421, "host_refused", id="all addresses"),
        pytest.param([*OURS.items(), ("Origin", EVIL)], 403, "origin_refused", id="another origin"),
        pytest.param([*OURS.items(), ("Origin", "null")], 403, "origin_refused", id="a sandboxed page or a file"),
        pytest.param([*OURS.items(), ("Origin", "")], 403, "origin_refused", id="an empty origin"),
        pytest.param([*OURS.items(), ("Origin", "http://localhost.evil.example")], 403, "origin_refused", id="prefix"),
        pytest.param([*OURS.items(), ("Origin", "moz-extension://x")], 403, "origin_refused", id="an extension"),
        pytest.param(
            [*OURS.items(), ("Origin", "http://localhost"), ("Origin", EVIL)], 403, "origin_refused", id="two origins"
        ),
    ],
)
def test_a_request_is_refused_before_any_route_sees_it(
    door: Door, headers: list[tuple[str, str]], status: int, code: str
) -> None:
    before = {row["id"] for row in door.daemon.rows()}
    for method, path, body in (("POST", "/v1/ask", QUESTION), ("GET", "/v1/status", None), ("OPTIONS", "/no", None)):
        found, answered, reply = door.request(method, path, body, headers=headers)
        assert found == status
        error = json.loads(reply)["error"]
        assert error["code"] == code
        assert error["message"]
        assert error["hint"]
        assert TOKEN[:-1] not in reply.decode()
        assert answered["www-authenticate"] == ("Bearer" if status == 401 else None)
        assert not [name for name in answered if name.lower().startswith("access-control")]
    assert {row["id"] for row in door.daemon.rows()} == before
    assert door.engine.chats == []


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", f"bearer   {TOKEN} ")],
        [*OURS.items(), ("Host", "LOCALHOST:1")],
        [*OURS.items(), ("Host", "[::1]:65535")],
        [*OURS.items(), ("Origin", "http://localhost:3000")],
        [*OURS.items(), ("Origin", "https://127.0.0.1")],
        [*OURS.items(), ("Origin", "http://[::1]:8080")],
    ],
)
def test_what_this_machine_sends_is_let_in_without_cors(door: Door, headers: list[tuple[str, str]]) -> None:
    status, answered, _ = door.request("GET", "/v1/status", headers=headers)
    assert status == 200
    assert not [name for name in answered if name.lower().startswith("access-control")]


def test_the_unix_socket_stays_as_it_is(door: Door) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.connect(str(door.daemon.socket))
        lines = ["GET /v1/status HTTP/1.1", "Host: evil.example", f"Origin: {EVIL}", "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
def test_no_other_words_open_it(words: str) -> None:
    reached: list[object] = []

    async def application(*_: object) -> None:
        reached.append(1)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Any:
        raise AssertionError

    statuses: list[int] = []
    token_door = TokenDoor(application, TOKEN.encode())
    for given_headers in ([(b"authorization", words)], [(b"authorization", f"Bearer {words}")]):
        raw = [(b"host", b"localhost"), *((name, value.encode("latin-1")) for name, value in given_headers)]
        scope = {"type": "http", "headers": raw, "state": {"peer": BY_TOKEN}, "method": "GET"}
        asyncio.run(token_door(scope, receive, send))
    if words.strip(" ") == TOKEN or words.split(" ")[-1:] == [TOKEN]:
        return
    assert statuses == [401, 401]
    assert reached == []
    asyncio.run(token_door({**scope, "state": {"peer": Peer(1, 1000, 100)}}, receive, send))
    assert reached == [1], "over the Unix socket nobody is asked for it"


def read_all(connection: socket.socket) -> bytes:
    whole = b""
    while block := connection.recv(65536):
        whole += block
    return whole


def test_headers_of_a_megabyte_are_refused_clearly_and_the_connection_ends(door: Door) -> None:
    with closing(socket.create_connection(("127.0.0.1", door.port), timeout=10)) as connection:
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n")
        reply = read_all(connection)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    error = json.loads(body)["error"]
    assert error["code"] == "headers_too_large"
    assert "16384 bytes" in error["message"]
    assert "Bearer" in error["hint"]


def test_what_is_no_http_is_refused_and_the_connection_ends(door: Door) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 500, b"GET / HTTP/1.1\r\n\r\n", b"\0"):
        with closing(socket.create_connection(("127.0.0.1", door.port), timeout=40)) as connection:
            connection.sendall(garbage)
            if garbage == b"\0":
                connection.sendall(b"\r\n\r\n")
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error"]["code"] == "bad_request"


def test_a_refusal_reaches_whoever_is_still_sending(door: Door) -> None:
    body = json.dumps({**QUESTION, "attachment": "x" * (20 << 20)}).encode()
    status, _, reply = door.request("POST", "/v1/ask", body, headers={"Authorization": "Bearer wrong"})
    assert (status, json.loads(reply)["error"]["code"]) == (401, "unauthorized")


def test_many_can_ask_at_both_doors_at_once(door: Door) -> None:
    def slowly(call: Call) -> None:
        call.start()
        call.say("A flake ", "is a folder.", pause=0.2)
        call.end()

    door.engine.chat = slowly
    with closing(http.client.HTTPConnection("127.0.0.1", door.port, timeout=30)) as connection:
        connection.request("POST", "/v1/ask", json.dumps({**QUESTION, "stream": True, "fresh": True}), OURS)
        there = door.daemon.ask("what is a flake", fresh=True)
        events = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    assert events[-1]["event"] == "ended"
    assert there["answer"] == "A flake is a folder."


def test_the_token_is_in_no_log(door: Door) -> None:
    door.request("GET", "/v1/status", headers={"Authorization": "Bearer " + TOKEN[::-1]})
    log = door.daemon.log.read_text()
    assert f"127.0.0.1:{door.port}" in log
    assert "refused at the TCP port" in log
    assert TOKEN not in log
    assert TOKEN[::-1] not in log


def held(folder: Path, sockets: Sequence[str], idle_seconds: float) -> tuple[GuardedProcess, Path]:
    """The daemon as a service manager holds it, by the sockets of the units that are active."""
    config = folder / "config.toml"
    config.write_text(
        f'[daemon]\nsocket = "{folder / "not-made"}"\nidle_timeout_seconds = {idle_seconds}\n'
        f'[state]\ndirectory = "{folder}"\n[ollama]\nenabled = false\n[corpus]\noptions = ""\n'
        f"{http_section(folder, 0)}\n"
    )
    daemon = str(Path(sys.executable).parent / "nix-trinityd")
    log = folder / "log"
    command = [sys.executable, "-m", "tests.stack.holder", *sockets, "--", daemon, "--config", str(config)]
    return GuardedProcess(command, environment=dict(os.environ), log=log), log


def pid_over_tcp(port: int, host: str = "127.0.0.1") -> int:
    with closing(http.client.HTTPConnection(host, port, timeout=30)) as connection:
        connection.request("GET", "/v1/status", headers=OURS)
        status = json.loads(connection.getresponse().read())
    assert status["activated"]
    pid: int = status["pid"]
    return pid


def accepts(port: int) -> bool:
    with closing(socket.socket()) as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_requests_over_tcp_keep_it_awake_start_it_and_are_served_when_it_alone_is_active(tmp_path: Path) -> None:
    port = free_port()
    process, log = held(tmp_path, [f"http=127.0.0.1:{port}"], idle_seconds=1.5)
    try:
        eventually(lambda: accepts(port))
        first = pid_over_tcp(port)
        until = time.monotonic() + 3.5
        while time.monotonic() < until:
            assert pid_over_tcp(port) == first
            time.sleep(0.5)
        eventually(lambda: "idle for" in log.read_text())
        eventually(lambda: not Path(f"/proc/{first}").exists())
        assert pid_over_tcp(port) != first
        assert not (tmp_path / "not-made").exists(), "the Unix socket is its unit's business"
    finally:
        process.stop()


def test_both_units_sockets_are_served(tmp_path: Path) -> None:
    port = free_port()
    unix = tmp_path / "socket"
    process, _ = held(tmp_path, [f"http=127.0.0.1:{port}", f"nix-trinity.socket={unix}"], idle_seconds=600)
    try:
        eventually(unix.exists)
        with closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect(str(unix))
            connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            status = json.loads(read_all(connection).partition(b"\r\n\r\n")[2])
        assert status["activated"]
        assert status["idle_timeout_seconds"] == 600
        assert pid_over_tcp(port) == status["pid"]
    finally:
        process.stop()


def test_a_port_that_its_unit_does_not_hold_is_not_taken_and_said_in_the_log(tmp_path: Path) -> None:
    """Under systemd the daemon may bind nothing: it answers at the socket that it has."""
    port = free_port()
    with ActivatedDaemon(
        tmp_path, ollama_url="http://127.0.0.1:9", model=BASE, config=http_section(tmp_path, port), options=None
    ) as daemon:
        assert daemon.json("GET", "/v1/status")["activated"]
        assert not accepts(port)
        assert "nix-trinity-http.socket" in daemon.log.read_text()
