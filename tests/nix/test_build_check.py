"""What the build of a system runs to check the daemon's configuration: the very script, on the real programs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.nix.evaluation import CHECKOUT
from tests.nix.rendered import golden, good

COMMAND = "store/nix-trinity-config.toml.command.json"
SCRIPT = (CHECKOUT / "nix/module/check-config.sh").read_text(encoding="utf-8")


def build(config: str, calendars: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script as Nix does with structured attributes: lists are bash's arrays, what is built goes to ``out``."""
    (folder / "given.toml").write_text(config, encoding="utf-8")
    programs = folder / "bin"
    programs.mkdir()
    for program in (str(Path(sys.executable).with_name("nix-trinityd")), shutil.which("systemd-analyze")):
        assert program is not None
        (programs / Path(program).name).symlink_to(program)
    script = 'calendars=("$@")\n' + SCRIPT
    environment = {**os.environ, "PATH": f"{programs}:/usr/bin:/bin", "config": str(folder / "given.toml")}
    environment["out"] = str(folder / "out")
    # As Nix's own builder: the first command that fails ends it.
    command = ["bash", "-euo", "pipefail", "-c", script, "build", *calendars]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def given() -> tuple[str, dict[str, Any]]:
    default = golden("default")
    return default.text("config.toml"), default.json(COMMAND)["environment"]


def test_every_configuration_is_checked_by_it() -> None:
    checksum = hashlib.sha256(SCRIPT.encode()).hexdigest()
    for configuration in good():
        if (configuration.folder / "config.toml").is_file():
            assert configuration.json(COMMAND)["script_sha256"] == checksum, configuration.name


def test_the_script_gets_what_it_reads() -> None:
    _, environment = given()
    assert environment["__structuredAttrs"] is True
    assert environment["config"].endswith("-nix-trinity-unchecked-config.toml")
    assert [Path(one).name.partition("-")[2] for one in environment["nativeBuildInputs"]] == [
        "nix-trinity-0.1.0",
        "systemd",
    ]


def test_what_is_right_is_built(tmp_path: Path) -> None:
    config, environment = given()
    done = build(config, environment["calendars"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text(encoding="utf-8") == config


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        ("timers.weekly.onCalendar=every Friday", "services.nixTrinity.timers.weekly.onCalendar"),
        ("timers.prune.onCalendar=--version", '"--version" is no calendar expression'),
    ],
)
def test_a_bad_calendar_expression_stops_it(calendar: str, said: str, tmp_path: Path) -> None:
    config, environment = given()
    done = build(config, [*environment["calendars"], calendar], tmp_path)
    assert done.returncode != 0
    assert said in done.stderr
    assert "systemd-analyze calendar" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[retention]\nprevious = -1\n", ["services.nixTrinity.retention.previous"]),
        ("[answring]\nmax_running = 1\n", ["answring", "'answering'"]),
        (
            '[models]\ntier = "minimum"\n[models.roles.quick]\nnum_ctx = 2048\n',
            ["services.nixTrinity.roles.quick.numCtx"],
        ),
        ('[models.roles.coder]\nmodelfile = "BAD"\n', ["services.nixTrinity.roles.coder.modelfile"]),
        (
            '[models]\ntier = "recommended"\n[learning.adapters]\nexpert = "/a.gguf"\ncoder = "/a.gguf"\n',
            ["services.nixTrinity.roles.expert.adapter", "services.nixTrinity.roles.coder.adapter"],
        ),
    ],
)
def test_what_the_daemon_refuses_stops_it(more: str, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "bad.Modelfile").write_text("FORM mistral:7b\n")
    done = build(more.replace("BAD", str(tmp_path / "bad.Modelfile")), [], tmp_path)
    assert done.returncode != 0
    for words in said:
        assert words in done.stderr
    assert not (tmp_path / "out").exists()
