"""Nix as the renderer uses it: one expression evaluated, with nothing of this machine in what comes out.

Nothing is built and nothing is written to a store; the store that is named is one that holds nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
_REPORT = "trace: golden-file:"
_LIMIT_SECONDS = 300


class RenderError(Exception):
    """The goldens cannot be rendered; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an expression came to: its value and the generated files it refers to, or Nix's message."""

    value: Any
    files: tuple[Mapping[str, Any], ...]
    error: str


@dataclass(frozen=True, slots=True)
class Nix:
    """A Nix to evaluate with: how it is started, and nixpkgs' lib."""

    command: Sequence[str]
    lib: Path

    def evaluate(self, file: Path, **arguments: Path) -> Evaluation:
        """Evaluate a file that is a function of ``libPath`` and other paths.

        :raises RenderError: Nix cannot be run, warns of something, or reports two files at one place.
        """
        done = self._run(file, {"libPath": self.lib, **arguments})
        reports, messages = _split(done.stderr)
        if done.returncode != 0:
            return Evaluation(None, (), self._message("\n".join(messages)))
        if messages:
            raise RenderError(f"{file.name} evaluates, but Nix says:\n" + "\n".join(messages))
        return Evaluation(json.loads(done.stdout), _distinct(reports), "")

    def _run(self, file: Path, arguments: Mapping[str, Path]) -> subprocess.CompletedProcess[str]:
        command = [*self.command, "--eval", "--strict", "--json", "--store", "dummy://", str(file)]
        for name, path in arguments.items():
            command += ["--argstr", name, str(path)]
        with tempfile.TemporaryDirectory(prefix="nix-trinity-nix-") as folder:
            places = dict.fromkeys(("HOME", "NIX_STATE_DIR", "NIX_CONF_DIR", "NIX_LOG_DIR", "XDG_CACHE_HOME"), folder)
            environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "NIX_PATH": "", **places}
            try:
                return subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    env=environment,
                    timeout=_LIMIT_SECONDS,
                    check=False,
                )
            except OSError as error:
                raise RenderError(
                    f"{command[0]} cannot be run: {error.strerror}; name one with --nix-instantiate"
                ) from error

    def _message(self, text: str) -> str:
        """Take what Nix says last (its own word on the error), with no path of this machine in it."""
        last = re.split(r"^\s*error:", text, flags=re.MULTILINE)[-1]
        last = last.replace("(use '--show-trace' to show detailed location information)", "")
        last = last.replace(f"{CHECKOUT}/", "").replace(str(self.lib), "<nixpkgs/lib>")
        return "\n".join(line.strip() for line in last.strip().splitlines()) + "\n"


def _split(stderr: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Part what the stub of nixpkgs reports from what Nix has to say."""
    reports, messages = [], []
    for line in stderr.splitlines():
        if line.startswith(_REPORT):
            reports.append(json.loads(line.removeprefix(_REPORT)))
        elif line.strip():
            messages.append(line)
    return reports, messages


def _distinct(reports: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    found: dict[str, Mapping[str, Any]] = {}
    for report in reports:
        other = found.setdefault(report["path"], report)
        if other != report:
            raise RenderError(
                f"two generated files have the name {report['name']!r}; the goldens have one place for it: rename one"
            )
    return tuple(found[path] for path in sorted(found))
