"""What Home Manager makes of one person's settings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.nix.evaluation import CHECKOUT
from tests.nix.rendered import PACKAGE
from tests.nix.sources import GOLDEN

CASES = sorted((CHECKOUT / "tests" / "nix" / "configurations" / "home").glob("*.nix"))


def made(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((GOLDEN / "home" / f"{name}.json").read_text(encoding="utf-8"))
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_it_has_the_programs_and_nothing_fails(case: Path) -> None:
    person = made(case.stem)
    assert person["packages"] == [PACKAGE]
    assert person["assertions"] == person["warnings"] == []


def test_who_says_nothing_sets_nothing() -> None:
    assert made("default")["sessionVariables"] == made("default")["activation"] == {}


def test_what_a_person_chooses_reaches_the_programs() -> None:
    assert made("everything")["sessionVariables"] == {
        "NIX_TRINITY_ROLE": "empathy",
        "NIX_TRINITY_SOCKET": "/run/user/1000/nix-trinity",
        "USER_LEVEL": "beginner",
    }


@pytest.mark.parametrize(("works", "warnings"), [(True, 0), (False, 2)])
def test_consent_is_told_to_the_daemon_and_one_that_is_off_stops_nothing(works: bool, warnings: int) -> None:
    activation = made("everything")["activation"]["nixTrinityConsent"]
    assert activation["after"] == ["writeBoundary"]
    assert f"{PACKAGE}/bin/nix-trinity consent yes" in activation["data"]
    # Home Manager's own two functions, as far as they are used.
    home_manager = f'run() {{ {"true" if works else "false"}; }}\nwarnEcho() {{ echo "warning: $1"; }}\n'
    command = ["bash", "-euo", "pipefail", "-c", home_manager + activation["data"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("warning: ") == warnings
