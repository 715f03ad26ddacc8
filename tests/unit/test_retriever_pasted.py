"""Pasted errors: reduced to what identifies them, and led to the note that explains them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.answering.retriever.pasted import looks_pasted, reduced, telling_lines
from nix_trinity.knowledge.corpus.search import IndexReader
from tests.data.corpus.support import real_index, retriever

HASH_MISMATCH = """\
building the system configuration...
\x1b[31;1merror:\x1b[0m hash mismatch in fixed-output derivation '/nix/store/0x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-source.drv':
         specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
            got:    sha256-7e0hTfmd4RZFtYfLsXCIRWkV9Fu5FZuxsDqTAWHp1nI=
\x1b[31;1merror:\x1b[0m 1 dependencies of derivation '/nix/store/1x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-hello-2.12.drv' failed to build
"""
OPTION_MISSING = """\
error:
       … while calling the 'head' builtin

         at /nix/store/4x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-source/lib/attrsets.nix:1575:11:

         1574|         || pred here (elemAt values 1) (head values) then
         1575|           head values
             |           ^
         1576|         else

       … while evaluating the attribute 'value'

       error: The option `services.opensshd' does not exist. Definition values:
       - In `/etc/nixos/configuration.nix':
           {
             enable = true;
           }
"""
UNFREE = """\
error:
       … while evaluating the option `system.build.toplevel':

       error: Package ‘steam-unwrapped-1.0.0.82’ in /nix/store/6x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-source/pkgs/by-name/st/steam-unwrapped/package.nix:55 has an unfree license (‘unfreeRedistributable’), refusing to evaluate.

       a) To temporarily allow unfree packages, you can use an environment variable
"""
UNIT_FAILED = """\
Nov 12 08:15:01 box systemd[1]: Starting My own backup...
Nov 12 08:15:01 box (backup.sh)[4711]: backup.service: Failed to locate executable /home/a/backup.sh: No such file or directory
Nov 12 08:15:01 box (backup.sh)[4711]: backup.service: Failed at step EXEC spawning /home/a/backup.sh: No such file or directory
Nov 12 08:15:01 box systemd[1]: backup.service: Main process exited, code=exited, status=203/EXEC
"""
NO_SPACE = """\
copying path '/nix/store/8x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-linux-firmware-20241210' from 'https://cache.nixos.org'...
error: writing to file: No space left on device
"""
RECURSION = """\
error:
       … while evaluating the module argument `pkgs' in "/etc/nixos/configuration.nix":
       … noting that argument `pkgs` is not externally provided, so querying `_module.args` instead, requiring `config`
       error: infinite recursion encountered
       at /nix/store/9x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-source/lib/modules.nix:515:28:
"""
UNTRACKED = """\
warning: Git tree '/etc/nixos' is dirty
error: getting status of '/nix/store/2x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-source/hosts/box.nix': No such file or directory
"""
DYNAMIC = """\
$ ./node_modules/.bin/esbuild
Could not start dynamically linked executable: ./node_modules/.bin/esbuild
NixOS cannot run dynamically linked executables intended for generic
linux environments out of the box. For more information, see:
https://nix.dev/permalink/stub-ld
"""
COLLISION = """\
error: builder for '/nix/store/3x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-system-path.drv' failed with exit code 25;
       last 2 log lines:
       > pkgs.buildEnv error: collision between `/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a-1/bin/x' and `/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-b-2/bin/x'
       For full logs, run 'nix log /nix/store/3x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-system-path.drv'.
"""
FULL_LOG = "".join(f"Nov 12 08:15:{n % 60:02d} box kernel: usb 1-{n}: new high-speed device\n" for n in range(4_000))


@pytest.fixture(scope="module")
def index(data_dir: Path) -> IndexReader:
    return real_index(data_dir)


@pytest.mark.parametrize("where", ["attached", "in the question"])
@pytest.mark.parametrize(
    ("text", "note"),
    [
        (HASH_MISMATCH, "hash-mismatch"),
        (OPTION_MISSING, "option-does-not-exist"),
        (UNFREE, "unfree-package"),
        (UNIT_FAILED, "service-exec-failed"),
        (NO_SPACE, "no-space-during-build"),
        (RECURSION, "infinite-recursion"),
        (UNTRACKED, "file-not-tracked-by-git"),
        (DYNAMIC, "dynamically-linked-program"),
        (COLLISION, "package-collision"),
        (FULL_LOG + HASH_MISMATCH + FULL_LOG, "hash-mismatch"),
        (HASH_MISMATCH.replace("\n", "\r\n"), "hash-mismatch"),
    ],
    ids=["hash", "option", "unfree", "unit", "space", "recursion", "git", "dynamic", "collision", "long log", "crlf"],
)
def test_a_pasted_error_leads_to_its_note(index: IndexReader, text: str, note: str, where: str) -> None:
    if where == "attached":
        found = retriever().retrieve(index, "what is wrong here?", text)
    else:
        found = retriever().retrieve(index, f"What is wrong here?\n\n{text}")
    assert found.about_error
    assert Path(found.notes[0].file).stem == note


def test_the_same_error_of_two_machines_is_one_question(index: IndexReader) -> None:
    other = HASH_MISMATCH.replace("0x4j2k", "7y4j2k").replace("1x4j2k", "8y4j2k").replace("7e0hTfmd", "QQQQQQQQ")
    one, two = (retriever().retrieve(index, "why?", text) for text in (HASH_MISMATCH, other))
    assert one.query.terms == two.query.terms
    assert [found.option.name for found in one.options] == [found.option.name for found in two.options]


def test_a_question_is_not_taken_for_an_error(index: IndexReader) -> None:
    for question in ("turn on bluetooth", "How do I print?\nIt is a laser printer.", "what does the word error mean"):
        assert not retriever().retrieve(index, question).about_error


def test_of_a_pasted_text_the_lines_count_that_say_what_went_wrong() -> None:
    assert telling_lines(UNIT_FAILED)[0].endswith(
        "backup.service: Failed at step EXEC spawning /home/a/backup.sh: No such file or directory"
    )
    assert telling_lines(OPTION_MISSING)[:1] == [
        "error: The option `services.opensshd' does not exist. Definition values:"
    ]
    assert not any("builtin" in line or "head values" in line for line in telling_lines(OPTION_MISSING))
    assert "error: hash mismatch in fixed-output derivation" in " ".join(telling_lines(HASH_MISMATCH))
    assert "\x1b" not in "".join(telling_lines(HASH_MISMATCH))
    assert len(telling_lines(FULL_LOG * 10)) <= 12
    assert telling_lines("") == []


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (
            "error: builder for '/nix/store/3x4j2k3l5m6n7p8q9r0s1v2w3x4y5z6a-hello-2.12.drv' failed with exit code 25;",
            "error: builder for ' hello- .drv ' failed with exit code ;",
        ),
        ("cannot open /home/anna/.config/x.toml:12:3", "cannot open"),
        ("got: sha256-7e0hTfmd4RZFtYfLsXCIRWkV9Fu5FZuxsDqTAWHp1nI=", "got:"),
        ("commit 0123456789abcdef0123456789abcdef01234567 at 10:23:45", "commit at"),
        ("port 8080 on 127.0.0.1 in use", "port on in use"),
    ],
)
def test_what_differs_between_machines_is_left_out(line: str, left: str) -> None:
    assert reduced(line) == left


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 100_000,
        " " * 100_000,
        "error: " * 50_000,
        "/" * 100_000,
        "/a" * 100_000,
        "\x1b[" * 100_000,
        "error:\n" * 100_000,
    ],
    ids=range(7),
)
def test_hostile_text_takes_a_moment(index: IndexReader, text: str) -> None:
    began = time.process_time()
    looks_pasted(text)
    retriever().retrieve(index, text[:16_000])
    retriever().retrieve(index, "why?", text)
    # Backtracking over these takes minutes; the limit is wide, since it is no measurement.
    assert time.process_time() - began < 20


@given(st.text(max_size=200))
def test_any_text_can_be_reduced(text: str) -> None:
    for line in telling_lines(text):
        assert len(reduced(line)) <= 500
    assert looks_pasted(text) in (True, False)
