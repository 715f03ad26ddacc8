"""The learn line's commands against a server that replays given bytes: what is sent, what is shown, how it ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.client.importing import _parts
from tests.stack.terminal import Terminal
from tests.unit.test_client import MAIN, FakeDaemon, chunked, environment, fixed, lines, refused, run

STARTED = {"event": "build_started", "id": "b2c3", "kind": "weekly", "roles": ["expert", "quick"], "reason": "timer"}
ENDED = {"event": "build_ended", "id": "b2c3", "state": "done", "why": "", "seconds": 61.7}
DEPLOYED = {
    "event": "role_result", "role": "expert", "result": "deployed", "version": "nix-expert-20261125",
    "previous": "nix-expert-20261118", "added": 3, "dropped": 1, "why": "better on 40 questions",
}  # fmt: skip
FAILED = {**DEPLOYED, "role": "quick", "result": "failed", "version": None, "previous": None, "why": "no room"}
CANDIDATE = {
    "exchange_id": "k3f9bcdfgh", "role": "expert", "topic": "ssh", "kind": "confirmed", "state": "review",
    "reason": "one person's word", "question": "How do I enable SSH?", "answer": "services.ssh = true;",
}  # fmt: skip
OTHER = {**CANDIDATE, "exchange_id": "m4f9bcdfgh", "question": "And mosh?", "answer": "programs.mosh.enable = true;"}
THIRD = {**CANDIDATE, "exchange_id": "p5f9bcdfgh", "question": "And tmux?"}


def step(done: int, total: int = 40, name: str = "evaluate", text: str = "") -> dict[str, Any]:
    return {"event": "build_step", "role": "expert", "step": name, "done": done, "total": total, "text": text}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "socket")
    yield fake
    fake.close()


def at_terminal(path: Path, *words: str, **more: str) -> Terminal:
    return Terminal([sys.executable, "-c", MAIN, *words], environment(path, **more), columns=60)


def test_a_build_in_the_journal_is_told_in_plain_lines(daemon: FakeDaemon) -> None:
    steps = [step(done) for done in range(41)]
    daemon.replies = [chunked(lines(STARTED, step(1, 1, "create"), *steps, DEPLOYED, ENDED), 7)]
    done = run(
        daemon.path, "build", "--kind", "weekly", "--role", "expert", "--role=quick", "--force", "--reason", "timer"
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert daemon.body() == {"kind": "weekly", "roles": ["expert", "quick"], "force": True, "reason": "timer"}
    assert daemon.head().startswith("POST /v1/builds ")
    assert done.stdout.decode().splitlines() == [
        "weekly build b2c3 of expert, quick (timer)",
        "expert: create",
        *(f"expert: evaluate {count} of 40" for count in (0, 10, 20, 30, 40)),
        "expert: deployed nix-expert-20261125 in place of nix-expert-20261118, 3 learned, 1 dropped: better on 40 questions",
        "Done after 62 s",
    ]


def test_a_build_without_words_is_a_manual_one_of_all_roles(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(lines(STARTED, ENDED))]
    assert run(daemon.path, "build").returncode == 0
    assert daemon.body() == {"kind": "manual", "roles": [], "force": False, "reason": ""}


@pytest.mark.parametrize("words", [[], ["--json"]])
@pytest.mark.parametrize(
    ("state", "said", "code"),
    [
        ("nothing_new", "Nothing new was learned, so nothing was built: on battery", 0),
        ("not_due", "Not due: on battery", 0),
        ("put_off", "Put off: on battery", 75),
    ],
)
def test_only_a_build_that_is_put_off_asks_to_be_tried_again(
    daemon: FakeDaemon, state: str, said: str, code: int, words: list[str]
) -> None:
    event = {**ENDED, "state": state, "why": "on battery"}
    daemon.replies = [chunked(lines(event))]
    done = run(daemon.path, "build", "--kind", "weekly", *words)
    assert (done.returncode, done.stderr) == (code, b"")
    assert json.loads(done.stdout) == event if words else done.stdout.decode() == f"{said}\n"


def test_the_usage_tells_how_a_build_that_was_put_off_ends(tmp_path: Path) -> None:
    assert "\n  75 a build was put off" in run(tmp_path / "none", "--help").stdout.decode().partition("Exit codes")[2]


@pytest.mark.parametrize("events", [[FAILED, ENDED], [{**ENDED, "state": "failed", "why": "no room"}]])
@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_failed_build_ends_with_1(daemon: FakeDaemon, events: list[dict[str, Any]], words: list[str]) -> None:
    daemon.replies = [chunked(lines(STARTED, *events))]
    done = run(daemon.path, "build", *words)
    assert done.returncode == 1
    assert b"no room" in done.stdout


def test_the_events_of_a_build_as_json(daemon: FakeDaemon) -> None:
    events = [STARTED, step(1), DEPLOYED, ENDED]
    daemon.replies = [chunked(lines(*events))]
    done = run(daemon.path, "build", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == events


def test_a_build_is_a_bar_at_a_terminal_and_results_stay_above_it(daemon: FakeDaemon) -> None:
    steps = [step(done, text="a long \x1b[31mquestion " * 9) for done in (0, 20, 40)]
    daemon.replies = [chunked(lines(STARTED, *steps, DEPLOYED, ENDED))]
    with at_terminal(daemon.path, "build") as terminal:
        assert terminal.exit_code() == 0
    bars = re.findall(r"\r\x1b\[K(\[[#.]+\][^\r\n\x1b]*)", terminal.screen)
    assert [bar.count("#") for bar in bars] == [0, 12, 24]
    assert all(len(bar) < 60 for bar in bars), "a bar that wraps cannot be drawn over"
    assert "\x1b[31m" not in terminal.screen
    after = terminal.screen.rpartition("\x1b[K")[2]
    assert after.replace("\r\n", "\n").endswith("better on 40 questions\nDone after 62 s\n")


def test_a_build_that_breaks_off_or_ends_with_an_error(daemon: FakeDaemon) -> None:
    error = {"event": "error", "error": {"code": "engine_unreachable", "message": "Gone.", "hint": "Start it."}}
    stopped = {"event": "error", "error": {"code": "shutting_down", "message": "Stopped.", "hint": "Ask again."}}
    daemon.replies = [
        chunked(lines(STARTED, step(1), error)),
        chunked(lines(STARTED), whole=False),
        chunked(lines(STARTED, stopped)),
        refused("busy", 429),
    ]
    done = run(daemon.path, "build")
    assert (done.returncode, done.stderr) == (6, b"error: Gone.\n  Start it.\n")
    for _ in range(2):
        # A switch restarts the daemon: systemd is to try the build again.
        done = run(daemon.path, "build")
        assert done.returncode == 75
        assert done.stderr.startswith(b"error: The daemon was stopped in the middle of the build.\n  It begins anew")
    assert run(daemon.path, "build").returncode == 5


def test_a_build_that_breaks_off_before_it_began_is_no_build_to_try_again(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(lines(), whole=False)]
    assert run(daemon.path, "build").returncode == 1


@pytest.mark.parametrize(
    "event", [{"event": "build_step"}, {**step(1), "total": "x"}, {"event": "role_result", "role": "expert"}]
)
def test_events_of_something_else_are_named_so(daemon: FakeDaemon, event: dict[str, Any]) -> None:
    daemon.replies = [chunked(lines(STARTED, event, ENDED))]
    done = run(daemon.path, "build")
    assert done.returncode == 1
    assert b"Something else answers" in done.stderr


def test_ctrl_c_leaves_the_build_to_the_daemon_and_says_so(daemon: FakeDaemon) -> None:
    closed = threading.Event()

    def hold(connection: Any) -> None:
        for block in chunked(lines(STARTED), whole=False):
            connection.sendall(block)
        if connection.recv(1) == b"":
            closed.set()

    daemon.replies = [hold]
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "build"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(daemon.path),
    ) as client:  # fmt: skip
        assert client.stdout
        assert client.stdout.readline().startswith(b"weekly build")
        client.send_signal(signal.SIGINT)
        _, said = client.communicate(timeout=10)
    assert client.returncode == 130
    assert b"goes on in the daemon; see: nix-trinity builds" in said
    assert b"Traceback" not in said
    assert closed.wait(5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "--kind", "wekly"], "Did you mean weekly?"),
        (["build", "--kind"], "--kind needs a value"),
        (["build", "--role"], "--role needs a value"),
        (["build", "expert"], "one word too many"),
        (["build", "--now"], "--now"),
        (["builds", "expert"], "one word too many"),
        (["versions", "expert", "quick"], "'quick'"),
        (["diff", "nix-expert-20261118"], "which two versions"),
        (["diff", "a", "b", "c"], "'c'"),
        (["rollback"], "which role"),
        (["rollback", ""], "which role"),
        (["prune", "--dryrun"], "--dryrun"),
        (["review", "--accept", "a", "--reject", "b"], "do not go together"),
        (["review", "--accept", ""], "needs an id"),
        (["review", "--accept", "a", "--text", "x"], "--text is the new answer of --edit"),
        (["review", "k3f9"], "'k3f9'"),
        (["stats", "--weeks"], "--weeks needs a value"),
        (["report", "2026-11", "2026-12"], "'2026-12'"),
        (["consent", "maybe"], "yes, no"),
        (["consent", "yess"], "Did you mean yes?"),
        (["export"], "where the export"),
        (["export", "x", "--form", "chta"], "Did you mean chat?"),
        (["import"], "what to import"),
        (["import", "/no/such/file"], "/no/such/file cannot be read: No such file"),
        (["import", "/no/such/file", "--good-from", "high"], "--good-from is 'high'"),
        (["bild"], "Did you mean build?"),
        (["reviw"], "Did you mean review?"),
        (["imprt"], "Did you mean import?"),
    ],
)  # fmt: skip
def test_wrong_usage_is_named_and_sends_nothing(daemon: FakeDaemon, words: list[str], said: str) -> None:
    done = run(daemon.path, *words)
    assert (done.returncode, done.stdout, daemon.requests) == (2, b"", [])
    assert said in done.stderr.decode()


@pytest.mark.parametrize(
    ("words", "first", "body"),
    [
        (["builds", "--limit", "-1"], "GET /v1/builds?limit=-1 ", None),
        (["builds"], "GET /v1/builds?limit=20 ", None),
        (["versions"], "GET /v1/versions ", None),
        (["versions", "ex pert"], "GET /v1/versions?role=ex%20pert ", None),
        (["diff", "a&b", "c"], "GET /v1/versions/diff?older=a%26b&newer=c ", None),
        (["rollback", "expert"], "POST /v1/rollback ", {"role": "expert", "version": None}),
        (["rollback", "expert", "nix-expert-1"], "POST /v1/rollback ", {"role": "expert", "version": "nix-expert-1"}),
        (["prune", "--dry-run"], "POST /v1/prune ", {"dry_run": True}),
        (["prune"], "POST /v1/prune ", {"dry_run": False}),
        (["review", "--limit", "3"], "GET /v1/review?limit=3 ", None),
        (["review", "--accept", "k3"], "POST /v1/review ", {"id": "k3", "decision": "accepted"}),
        (["review", "--reject=k3"], "POST /v1/review ", {"id": "k3", "decision": "rejected"}),
        (["review", "--edit", "k3", "--text", "Ü"], "POST /v1/review ", {"id": "k3", "decision": "accepted", "correction": "Ü"}),
        (["stats", "--weeks", "0"], "GET /v1/stats?weeks=0 ", None),
        (["report"], "POST /v1/reports ", {"month": None}),
        (["report", "2026-13"], "POST /v1/reports ", {"month": "2026-13"}),
        (["consent"], "GET /v1/consent ", None),
        (["consent", "yes"], "PUT /v1/consent ", {"allows": True}),
        (["consent", "no"], "PUT /v1/consent ", {"allows": False}),
    ],
)  # fmt: skip
def test_commands_show_the_daemons_words_or_its_json(
    daemon: FakeDaemon, words: list[str], first: str, body: dict[str, Any] | None
) -> None:
    daemon.replies = [
        fixed("so ist es ✓\n".encode()),
        fixed(b'{"a": 1}\n'),
        refused("bad_request"),
        refused("forbidden", 403),
    ]
    done = run(daemon.path, *words)
    assert (done.returncode, done.stdout.decode()) == (0, "so ist es ✓\n")
    assert daemon.head().startswith(first)
    assert "Accept: text/plain" in daemon.head()
    if body is not None:
        assert daemon.body() == body
    done = run(daemon.path, *words, "--json")
    assert (done.returncode, done.stdout) == (0, b'{"a": 1}\n')
    assert "Accept: application/json" in daemon.head()
    done = run(daemon.path, *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"error: It went wrong.\n  Do this.\n")
    assert run(daemon.path, *words).returncode == 4


def test_an_edit_takes_its_text_from_a_pipe(daemon: FakeDaemon) -> None:
    daemon.replies = [fixed(b"done\n")]
    assert run(daemon.path, "review", "--edit", "k3", given=b"services.openssh.enable = true;\n").returncode == 0
    assert daemon.body()["correction"] == "services.openssh.enable = true;\n"
    done = run(daemon.path, "review", "--edit", "k3", given=b" \n")
    assert (done.returncode, len(daemon.requests)) == (1, 1)
    assert b"nothing was sent" in done.stderr


def candidates(*several: dict[str, Any]) -> list[bytes]:
    return fixed(json.dumps({"candidates": several}).encode())


def test_an_edit_by_id_opens_the_answer_that_waits_or_the_exchanges(daemon: FakeDaemon) -> None:
    code = f"import sys; sys.stdin.isatty = lambda: True; {MAIN}"
    found = fixed(json.dumps({"exchange": {"id": "zz99", "answer": "Old ssh."}, "feedback": []}).encode())
    daemon.replies = [candidates(CANDIDATE, OTHER), fixed(b"done\n"), candidates(CANDIDATE), found, fixed(b"done\n")]
    assert run(daemon.path, "review", "--edit", "k3", code=code, EDITOR="sed -i s/ssh/openssh/").returncode == 0
    assert daemon.body() == {"id": "k3f9bcdfgh", "decision": "accepted", "correction": "services.openssh = true;"}
    assert run(daemon.path, "review", "--edit", "zz", code=code, EDITOR="sed -i s/ssh/openssh/").returncode == 0
    assert daemon.body() == {"id": "zz99", "decision": "accepted", "correction": "Old openssh."}
    daemon.replies.append(candidates(CANDIDATE))
    done = run(daemon.path, "review", "--edit", "k3", code=code, EDITOR="true")
    assert done.returncode == 1
    assert b"unchanged" in done.stderr


def test_reviewing_at_a_terminal_goes_one_after_the_other(daemon: FakeDaemon) -> None:
    daemon.replies = [
        candidates({**CANDIDATE, "answer": "\x1b[31mservices.ssh = true;"}, OTHER, THIRD, {**OTHER, "question": "Unseen?"}),
        refused("not_found", 404), fixed(b"k3f9bcdfgh will not be learned.\n"),
        fixed(b"m4f9bcdfgh may be learned.\n"),
    ]  # fmt: skip
    with at_terminal(daemon.path, "review", EDITOR="sed -i s/mosh/mtr/") as terminal:
        terminal.read_until("quit? ")
        terminal.press("x")
        terminal.read_until("quit? x\r\na accept, r reject, e edit, s skip, q quit? ")
        terminal.press("a")
        terminal.read_until("error: It went wrong.")
        terminal.read_until("  Do this.\r\na accept, r reject, e edit, s skip, q quit? ")
        terminal.press("r")
        terminal.read_until("will not be learned.")
        terminal.read_until("quit? ", after="And mosh?")
        terminal.press("e")
        terminal.read_until("may be learned.")
        terminal.read_until("quit? ", after="And tmux?")
        terminal.press("s")
        terminal.read_until("quit? ", after="Unseen?")
        terminal.press("q")
        assert terminal.exit_code() == 0
    sent = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in daemon.requests[1:]]
    assert sent == [
        {"id": "k3f9bcdfgh", "decision": "accepted", "seen": "\x1b[31mservices.ssh = true;"},
        {"id": "k3f9bcdfgh", "decision": "rejected", "seen": "\x1b[31mservices.ssh = true;"},
        {
            "id": "m4f9bcdfgh",
            "decision": "accepted",
            "seen": OTHER["answer"],
            "correction": "programs.mtr.enable = true;",
        },
    ]
    assert "\x1b[31m" not in terminal.screen
    assert "How do I enable SSH?" in terminal.screen


@pytest.mark.parametrize(("keys", "code"), [("\x04", 0), ("\x03", 130)])
def test_leaving_a_review_leaves_the_terminal_as_it_was(daemon: FakeDaemon, keys: str, code: int) -> None:
    daemon.replies = [candidates(CANDIDATE)]
    with at_terminal(daemon.path, "review") as terminal:
        terminal.read_until("quit? ")
        terminal.press(keys)
        assert terminal.exit_code() == code
    assert len(daemon.requests) == 1
    assert "Traceback" not in terminal.screen


def test_nothing_to_review_at_a_terminal(daemon: FakeDaemon) -> None:
    daemon.replies = [candidates()]
    with at_terminal(daemon.path, "review") as terminal:
        assert terminal.exit_code() == 0
    assert "Nothing waits for a review." in terminal.screen


def test_notices_of_a_correction_are_told(daemon: FakeDaemon) -> None:
    reply = {"id": "k3f9", "verdict": "corrected", "notices": ["There is no option services.ssh."]}
    daemon.replies = [fixed(json.dumps(reply).encode())]
    done = run(daemon.path, "correct", "--text", "services.ssh.enable = true;")
    assert (done.returncode, done.stdout) == (0, b"Marked k3f9 as corrected.\n")
    assert done.stderr == b"note: There is no option services.ssh.\n"
    daemon.replies = [fixed(b'{"id": "k3f9", "verdict": "good"}')]
    assert run(daemon.path, "good").stderr == b""


def test_an_export_is_there_whole_or_not_at_all(daemon: FakeDaemon, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    daemon.replies = [
        chunked(b"half", whole=False),
        chunked(b'{"a": 1}\n' * 9000),
        fixed(b'{"b": 1}\n'),
        refused("forbidden", 403),
    ]
    assert run(daemon.path, "export", str(target)).returncode == 1
    assert not target.exists()
    assert run(daemon.path, "export", str(target), "--all", "--form", "chat").stdout == f"Wrote {target}.\n".encode()
    assert target.read_bytes() == b'{"a": 1}\n' * 9000
    assert daemon.head().startswith("GET /v1/export?form=chat&all=1 ")
    done = run(daemon.path, "export", "-")
    assert (done.returncode, done.stdout) == (0, b'{"b": 1}\n')
    assert daemon.head().startswith("GET /v1/export?form=exchanges&all=0 ")
    assert run(daemon.path, "export", str(tmp_path / "other")).returncode == 4
    done = run(daemon.path, "export", str(target))
    assert (done.returncode, len(daemon.requests)) == (2, 4)
    assert b"is there already" in done.stderr
    done = run(daemon.path, "export", str(tmp_path / "none" / "x"))
    daemon.replies = [fixed(b"x")]
    done = run(daemon.path, "export", str(tmp_path / "none" / "x"))
    assert b"The export cannot be written" in done.stderr


def imported(count: int, known: int = 0, *skipped: tuple[int, str], more: int = 0) -> list[bytes]:
    told = {"imported": count, "already_there": known, "skipped": skipped, "skipped_count": len(skipped) + more}
    return fixed(json.dumps(told).encode())


def sent(daemon: FakeDaemon) -> list[Any]:
    return [json.loads(line) for one in daemon.requests for line in one.partition(b"\r\n\r\n")[2].splitlines()]


def test_json_lines_go_as_they_are_and_their_numbers_come_back(daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf\n{"question": "\xc3\x9c", "answer": "a"}\r\n\n{"question": 7}\n{"question": "q", "answer": "b"}'
    )
    daemon.replies = [imported(1, 1, (2, "field 'question': expected `str`"))]
    done = run(daemon.path, "import", str(file))
    assert (done.returncode, done.stdout) == (0, b"1 imported, 1 known already, 1 skipped.\n")
    assert done.stderr == b"note: line 4: field 'question': expected `str`\n"
    assert sent(daemon) == [{"question": "Ü", "answer": "a"}, {"question": 7}, {"question": "q", "answer": "b"}]
    told = json.loads(run(daemon.path, "import", "--json", str(file)).stdout)
    assert told["skipped"] == [{"where": "line 4", "reason": "field 'question': expected `str`"}]
    assert (told["imported"], told["already_there"], told["skipped_count"]) == (1, 1, 1)


def test_lines_of_question_and_answer(daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("# mine\nHow do I enable SSH?|services.openssh.enable = true; # a | b\nbroken\n|no question\n")
    daemon.replies = [imported(1)]
    done = run(daemon.path, "import", str(file))
    assert sent(daemon) == [{"question": "How do I enable SSH?", "answer": "services.openssh.enable = true; # a | b"}]
    assert done.stdout == b"1 imported, 0 known already, 2 skipped.\n"
    assert b"note: line 3: there is no |" in done.stderr


def test_a_folder_of_the_old_scripts(daemon: FakeDaemon, tmp_path: Path) -> None:
    for name, text in {
        "questions/q_1753500000.txt": "How do I enable SSH?\n", "answers/a_1753500000.txt": "services.openssh.enable = true;\n",
        "meta/m_1753500000.txt": "model:nix-expert,score:4,category:network\n",
        "questions/q_1753500001.txt": "No answer?", "answers/a_7.txt": "no question",
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "questions" / "q_folder.txt").mkdir()
    daemon.replies = [imported(1)]
    done = run(daemon.path, "import", str(tmp_path), "--good-from", "3")
    (record,) = sent(daemon)
    assert (record["question"], record["word"]) == ("How do I enable SSH?", "good")
    assert (record["model"], record["asked_at_ms"]) == ("nix-expert", 1_753_500_000_000)
    for said in (b"q_1753500001.txt: there is no a_1753500001.txt", b"a_7.txt:", b"q_folder.txt: cannot be read"):
        assert said in done.stderr
    assert (done.returncode, done.stdout) == (0, b"1 imported, 0 known already, 3 skipped.\n")


def test_what_is_nothing_to_import_says_what_is(daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.replies = [imported(0)]
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    for path, said in ((empty, b"nothing to import"), (tmp_path, b"no folders questions/ and answers/")):
        done = run(daemon.path, "import", str(path))
        assert (done.returncode, daemon.requests) == (2, [])
        assert said in done.stderr
    (tmp_path / "questions").mkdir()
    (tmp_path / "answers").mkdir()
    assert b"nothing to import" in run(daemon.path, "import", str(tmp_path)).stderr


def test_when_nothing_could_be_taken_it_failed(daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text("".join(f'{{"n": {n}}}\n' for n in range(1, 31)))
    daemon.replies = [imported(0, 0, *((n, "no question") for n in range(1, 26)), more=5)]
    done = run(daemon.path, "import", str(file))
    assert (done.returncode, done.stdout) == (1, b"0 imported, 0 known already, 30 skipped.\n")
    assert done.stderr.count(b"no question") == 20
    assert b"and 10 more" in done.stderr


def test_a_file_that_may_not_be_read(daemon: FakeDaemon, tmp_path: Path) -> None:
    # As root no mode forbids anything, so the kernel's answer is put in place.
    file = tmp_path / "secret.jsonl"
    file.write_text("{}")
    before = "import builtins\nreal = open\ndef refuse(path, *a, **k):\n  if str(path).endswith('secret.jsonl'): raise PermissionError(13, 'Permission denied', path)\n  return real(path, *a, **k)\nbuiltins.open = refuse"
    done = run(daemon.path, "import", str(file), code=f"{before}\n{MAIN}")
    assert (done.returncode, daemon.requests) == (1, [])
    assert b"secret.jsonl cannot be read: Permission denied" in done.stderr


def test_a_big_file_goes_in_parts(daemon: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    line = json.dumps({"question": "x" * 1_000_000, "answer": "y"})
    file.write_text(f"{line}\n" * 20)
    daemon.replies = [imported(8), imported(7, 0, (1, "too long")), imported(4)]
    done = run(daemon.path, "import", str(file))
    assert len(daemon.requests) == 3
    assert all(len(one) < 9 << 20 for one in daemon.requests)
    assert done.stdout == b"19 imported, 0 known already, 1 skipped.\n"
    assert done.stderr == b"note: line 9: too long\n"


def test_one_line_larger_than_a_part_goes_alone() -> None:
    small, big = ("a", b"x"), ("b", b"x" * (9 << 20))
    assert list(_parts(iter([big, small, big, small, small]))) == [[big], [small], [big], [small, small]]


def test_help_has_every_command_within_80_columns_or_so(tmp_path: Path) -> None:
    done = run(tmp_path / "none", "--help")
    text = done.stdout.decode()
    for command in (
        "build",
        "builds",
        "versions",
        "diff",
        "rollback",
        "prune",
        "review",
        "stats",
        "report",
        "export",
        "import",
        "consent",
    ):
        assert f"\n  {command} " in text
        assert run(tmp_path / "none", command, "--help").stdout == done.stdout
    assert max(map(len, text.splitlines())) <= 120


def test_status_loads_none_of_it(daemon: FakeDaemon) -> None:
    daemon.replies = [fixed(b"ready\n")]
    code = f"import sys\ntry:\n  {MAIN}\nexcept SystemExit: pass\nprint(sorted(n for n in sys.modules if n.startswith('nix_trinity.client.')), file=sys.stderr)"
    done = run(daemon.path, "status", code=code)
    assert done.stderr.decode().strip() == str(
        ["nix_trinity.client.arguments", "nix_trinity.client.commands", "nix_trinity.client.main",
         "nix_trinity.client.report", "nix_trinity.client.wire"]
    )  # fmt: skip
