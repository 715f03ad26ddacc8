"""The scripts of tests/scenarios on the booted machine, with the module installed for them and people to ask."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tomli_w

from tests.container import ollama_service
from tests.container.golden import CONFIG, GOLDEN, Golden
from tests.container.install import install
from tests.container.machine import Machine
from tests.container.product import SAMPLE_OPTIONS
from tests.stack.environment import CHECKOUT

SCENARIOS = CHECKOUT / "tests" / "scenarios"
PEOPLE = ("alice", "bob")
QUICK: dict[str, dict[str, Any]] = {
    "answering": {"passages_tokens": 150, "answer_tokens": 48},
    "daemon": {"idle_timeout_seconds": 5},
    "learning": {"evaluation_questions": 1},
}
"""Short prompts, short answers, few questions: two cores do the model's work. The VM tests have the same."""
_JOBS = "nix-trinity-weekly.service nix-trinity-monthly.service nix-trinity-prune.service nix-trinity-immediate.service"


def sample_options() -> dict[str, Any]:
    """Return the project's own sample of a list of options."""
    options: dict[str, Any] = json.loads(SAMPLE_OPTIONS)
    return options


@contextmanager
def installed(
    machine: Machine, golden: str = "container", settings: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Machine]:
    """Install the module with nothing known yet, and with QUICK and ``settings`` over the golden's; undo it at the end.

    :raises StackError: it cannot be installed.
    """
    for person in PEOPLE:
        machine.succeed(f"id {person} || useradd --create-home --gid users {person}")
    try:
        _install(machine, golden)
        configure(machine, QUICK)
        configure(machine, settings or {})
        yield machine
    finally:
        # As one that comes next finds it after its own installation: nothing known, and nothing of ours changed.
        _install(machine, "container")


def our_models(machine: Machine) -> list[str]:
    """The models in the machine's Ollama that are ours: the roles' and their versions."""
    found = json.loads(machine.succeed(f"curl --silent --fail {ollama_service.URL}/api/tags"))["models"]
    return [one["name"] for one in found if one["name"].startswith("nix-")]


def configure(machine: Machine, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Change keys of the configuration by their sections, and have the daemon read it at its next start."""
    config = tomllib.loads(machine.read(CONFIG))
    for section, keys in settings.items():
        config[section] = {**config.get(section, {}), **keys}
    machine.write(CONFIG, tomli_w.dumps(config))
    machine.succeed("systemctl stop nix-trinity.service")


def scenario(machine: Machine, name: str, timeout: float = 180.0, **environment: str) -> str:
    """Run a script of tests/scenarios to its end and return what it printed.

    :raises StackError: it fails; the end of what it printed says where.
    """
    script = "".join((SCENARIOS / f"{part}.sh").read_text("utf-8") for part in ("shared", name))
    variables = [f"{key}={value}" for key, value in environment.items()]
    # Standard error beside standard output, so that what failed stands after what was seen.
    command = f"exec env {shlex.join(variables)} /bin/bash -s 2>&1"
    return machine.succeed(command, input=script, timeout=timeout)


def _install(machine: Machine, golden: str) -> None:
    machine.succeed(
        f"systemctl stop $(systemctl list-units --plain --no-legend 'nix-trinity*' | cut -d ' ' -f 1) {_JOBS} || true"
    )
    machine.succeed("systemctl reset-failed; rm -rf /var/lib/nix-trinity /run/systemd/system/nix-trinity*")
    for name in our_models(machine):
        machine.succeed([ollama_service.PROGRAM, "rm", name])
    read = Golden(GOLDEN / golden)
    install(machine, read, dict.fromkeys(_corpus(read), SAMPLE_OPTIONS))


def _corpus(golden: Golden) -> list[str]:
    """The places of what the configuration answers from."""
    corpus = tomllib.loads(golden.etc()[CONFIG].text)["corpus"]
    return [corpus["options"], *([f"{corpus['manual']}/manual.md"] if corpus["manual"] else [])]
