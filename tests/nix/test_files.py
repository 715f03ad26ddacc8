"""Every Nix file of the project is read by a real Nix, formatted as nixpkgs is, and has nothing in it that nothing uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.nix.format import COMMAND, nix_files
from tests.stack.cargo_tools import NIXFMT
from tests.stack.errors import StackError


def output(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)


def test_a_real_nix_reads_them(nix_instantiate: str) -> None:
    done = output(nix_instantiate, "--parse", "--store", "dummy://", *nix_files())
    assert done.returncode == 0, done.stderr


def test_they_are_formatted(nixfmt: Path) -> None:
    done = output(nixfmt, "--check", *nix_files())
    assert done.returncode == 0, f"{done.stderr}\nPut them into shape with: {COMMAND}"


def test_nothing_in_them_is_unused(deadnix: Path) -> None:
    done = output(deadnix, "--fail", *nix_files())
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("nix_instantiate", ["--parse", "--store", "dummy://"], "{ a = ; }\n"),
        ("nixfmt", ["--check"], "{a=1;}\n"),
        ("deadnix", ["--fail"], "let unused = 1; in { }\n"),
    ],
)
def test_each_of_these_tools_finds_its_fault(
    tool: str, arguments: list[str], text: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "bad.nix").write_text(text)
    assert output(request.getfixturevalue(tool), *arguments, tmp_path / "bad.nix").returncode != 0


def test_without_cargo_a_tool_is_missing_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StackError, match=r"built with cargo, and there is none here\.\n    Install Rust"):
        NIXFMT.obtain(tmp_path)
