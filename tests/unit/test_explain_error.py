"""``ask-nix-guru --explain-error`` against a server that replays an answer: what passes through, what is asked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.terminal import Terminal
from tests.unit.test_client import ANSWER, ASK, FakeDaemon, chunked, environment, refused, run

SAMPLES = Path(__file__).parents[1] / "data" / "build_errors"
FAILED = (SAMPLES / "failed_assertion.txt").read_bytes()
WENT_WELL = (SAMPLES / "success.txt").read_bytes()
SAID = "Grüße, 日本 ❄\n".encode()
# A rebuild that writes to both of its outputs and fails as nixos-rebuild does.
FAILING = ("sh", "-c", "echo /nix/store/result; echo 'error: attribute '\\''x'\\'' missing' >&2; exit 3")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[FakeDaemon]:
    fake = FakeDaemon(tmp_path / "socket")
    fake.replies = [chunked(ANSWER)]
    yield fake
    fake.close()


def explained(daemon: FakeDaemon, *words: str, given: bytes = b"", **more: str) -> subprocess.CompletedProcess[bytes]:
    return run(daemon.path, "--explain-error", *words, code=ASK, given=given, **more)


def test_what_is_piped_in_passes_through_unchanged_and_its_error_is_explained(daemon: FakeDaemon) -> None:
    done = explained(daemon, given=FAILED, NIX_TRINITY_ROLE="quick", USER_LEVEL="beginner")
    assert done.returncode == 1
    assert done.stdout == FAILED + SAID
    asked = daemon.body()
    assert (asked["role"], asked["level"]) == ("expert", "beginner")
    assert "This rebuild of NixOS failed." in asked["question"]
    assert "Failed assertions:\n       - You must set the option" in asked["attachment"]
    assert "\x1b" not in asked["attachment"]


def test_what_went_well_passes_through_and_nobody_is_asked(daemon: FakeDaemon) -> None:
    done = explained(daemon, given=WENT_WELL)
    assert (done.returncode, done.stdout, done.stderr, daemon.requests) == (0, WENT_WELL, b"", [])


def test_bytes_of_any_kind_pass_through(daemon: FakeDaemon) -> None:
    raw = bytes(range(256)) * 20_000 + b"\nno newline at the end"
    done = explained(daemon, given=raw)
    assert (done.returncode, done.stdout == raw) == (0, True)


def test_output_is_seen_as_it_comes(daemon: FakeDaemon) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASK, "--explain-error"],
        env=environment(daemon.path), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"building")
        process.stdin.flush()
        assert process.stdout.read(8) == b"building"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(20) == 0


def test_words_role_and_session_are_the_persons(daemon: FakeDaemon) -> None:
    explained(daemon, "--role", "coder", "--no-log", "why", "that?", given=FAILED)
    asked = daemon.body()
    assert (asked["question"], asked["role"], asked["log"]) == ("why that?", "coder", False)


def test_a_command_keeps_its_output_and_its_exit_code(daemon: FakeDaemon) -> None:
    done = explained(daemon, "--", *FAILING)
    assert done.returncode == 3
    assert done.stdout == b"/nix/store/result\n"
    assert done.stderr.startswith(b"error: attribute 'x' missing\n")
    assert SAID.strip() in done.stderr
    assert daemon.body()["attachment"] == "error: attribute 'x' missing"


def test_a_command_that_fails_in_its_own_words_is_explained_by_the_last_of_them(daemon: FakeDaemon) -> None:
    done = explained(daemon, "--", "sh", "-c", "seq 1000 >&2; exit 9")
    assert done.returncode == 9
    assert daemon.body()["attachment"].splitlines()[-1] == "1000"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("echo fine; echo 'error: x' >&2", 0),
        ("exit 7", 7),
        ("echo 'error: x' >&2; exit 130", 130),
        # So Nix ends on Ctrl-C, and a nixos-rebuild around it.
        ("echo 'error: interrupted by the user' >&2; exit 1", 1),
    ],
)
def test_nobody_is_asked_of_what_went_well_says_nothing_or_was_stopped(
    daemon: FakeDaemon, command: str, code: int
) -> None:
    assert explained(daemon, "--", "sh", "-c", command).returncode == code
    assert daemon.requests == []


def test_a_command_killed_by_a_signal_ends_as_a_shell_tells_it(daemon: FakeDaemon) -> None:
    assert explained(daemon, "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_what_a_command_leaves_in_the_background_is_not_waited_for(daemon: FakeDaemon) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, "--explain-error", "--", "sh", "-c", "sleep 60 >/dev/null & echo \"$!\"; exit 0"],
        env=environment(daemon.path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        timeout=30, check=False,
    )  # fmt: skip
    subprocess.run(["kill", done.stdout.decode().strip()], check=True)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--", "/no/such/program"), 127, b"/no/such/program cannot be run: No such file or directory."),
        (("--", "/etc/passwd"), 126, b"cannot be run: Permission denied."),
        (("--",), 2, b"Nothing is piped in, and no command is named."),
        (("--json",), 2, b"Leave out --json."),
        (("--role", "wizard", "--", "false"), 2, b"no role"),
    ],
)
def test_what_cannot_be_begun_is_refused(daemon: FakeDaemon, words: tuple[str, ...], code: int, said: bytes) -> None:
    done = explained(daemon, *words)
    assert (done.returncode, said in done.stderr + done.stdout, daemon.requests) == (code, True, [])


def test_offer_alone_is_refused(daemon: FakeDaemon) -> None:
    assert run(daemon.path, "--offer", "why", code=ASK).returncode == 2


def test_an_explanation_that_fails_changes_no_exit_code(daemon: FakeDaemon, tmp_path: Path) -> None:
    daemon.replies = [refused("busy", 429)]
    done = explained(daemon, "--", *FAILING)
    assert (done.returncode, b"error: It went wrong." in done.stderr) == (3, True)
    done = run(tmp_path / "none", "--explain-error", code=ASK, given=FAILED)
    assert (done.returncode, done.stdout, b"No daemon listens on" in done.stderr) == (1, FAILED, True)


def test_plain_piping_works_as_before(daemon: FakeDaemon) -> None:
    daemon.replies = [chunked(ANSWER)]
    done = run(daemon.path, code=ASK, given=FAILED)
    assert (done.returncode, done.stdout) == (0, SAID)
    assert daemon.body()["attachment"] == FAILED.decode()


def terminal(daemon: FakeDaemon, *words: str) -> Terminal:
    return Terminal([sys.executable, "-c", ASK, "--explain-error", *words], environment(daemon.path))


def test_at_a_terminal_a_command_sees_one(daemon: FakeDaemon) -> None:
    with terminal(daemon, "--", "sh", "-c", "test -t 2 && stty size <&2 >&2 && echo seen >&2") as shown:
        shown.read_until("seen")
        assert shown.exit_code() == 0, shown.screen


@pytest.mark.parametrize(("key", "asked"), [("\r", 1), ("y\r", 1), ("n\r", 0), ("\x03", 0), ("\x04", 0)])
def test_at_a_terminal_the_explanation_can_be_offered(daemon: FakeDaemon, key: str, asked: int) -> None:
    with terminal(daemon, "--offer", "--", *FAILING) as shown:
        shown.read_until("Explain this error? [Y/n] ")
        shown.press(key)
        assert shown.exit_code() == 3, shown.screen
    assert len(daemon.requests) == asked


def test_without_a_terminal_nothing_is_offered(daemon: FakeDaemon) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK, "--explain-error", "--offer", "--", *FAILING],
        env=environment(daemon.path), capture_output=True, timeout=30, check=False, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, daemon.requests) == (3, [])


def test_ctrl_c_is_the_commands(daemon: FakeDaemon) -> None:
    with terminal(
        daemon, "--", "sh", "-c", "trap 'echo stopped >&2; exit 130' INT; echo ready >&2; while :; do sleep 0.1; done"
    ) as shown:
        shown.read_until("ready")
        shown.press("\x03")
        shown.read_until("stopped")
        assert shown.exit_code() == 130, shown.screen
    assert daemon.requests == []


@pytest.mark.parametrize(("shell", "snippet"), [("bash", "sh"), ("zsh", "sh"), ("fish", "fish")])
def test_the_snippet_offers_it_for_a_rebuild_and_leaves_the_rest_alone(
    tmp_path: Path, shell: str, snippet: str
) -> None:
    if shutil.which(shell) is None:
        pytest.fail(f"{shell} is not installed; get it with: make prepare", pytrace=False)
    for program in ("ask-nix-guru", "sudo", "nixos-rebuild"):
        (tmp_path / program).write_text('#!/bin/sh\necho "${0##*/} $*"\nexit 4\n')
        (tmp_path / program).chmod(0o755)
    file = Path(__file__).parents[2] / "share" / f"explain-error.{snippet}"
    # A person's alias must not get in the way.
    alias = "" if shell == "fish" else "shopt -s expand_aliases 2>/dev/null; alias sudo='sudo '\n"
    lines = ["nixos-rebuild switch --flake '.#a b'", "sudo nixos-rebuild boot", "sudo systemctl restart x", "sudo"]
    code = "\n".join(f"{line}; echo {'$status' if shell == 'fish' else '$?'}" for line in lines)
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *quiet, "-c", f"{alias}source {file}\n{code}\n"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "ask-nix-guru --explain-error --offer -- nixos-rebuild switch --flake .#a b", "4",
        "ask-nix-guru --explain-error --offer -- sudo nixos-rebuild boot", "4",
        "sudo systemctl restart x", "4",
        "sudo ", "4",
    ]  # fmt: skip
