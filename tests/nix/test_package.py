"""nix/package.nix asks nixpkgs for what pyproject.toml says."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from tests.nix.evaluation import CHECKOUT
from tests.nix.sources import GOLDEN

PACKAGE: dict[str, Any] = json.loads((GOLDEN / "package.json").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~;\[ ]", requirement)[0].lower() for requirement in requirements}


def test_it_is_the_project() -> None:
    project = PROJECT["project"]
    assert (PACKAGE["pname"], PACKAGE["version"]) == (project["name"], project["version"])
    assert (PACKAGE["description"], PACKAGE["licence"]) == (project["description"], project["license"])
    assert PACKAGE["mainProgram"] in project["scripts"]


def test_it_has_the_same_dependencies() -> None:
    project = PROJECT["project"]
    assert set(PACKAGE["dependencies"]) == names(
        [
            *project["dependencies"],
            *project["optional-dependencies"]["report"],
            *project["optional-dependencies"]["mcp"],
        ]
    )
    assert set(PACKAGE["buildSystem"]) == names(PROJECT["build-system"]["requires"])


def test_its_unit_tests_find_what_they_need() -> None:
    wanted = names(PROJECT["project"]["optional-dependencies"]["test"]) - {"mypy", "ruff", "pytest", "matplotlib"}
    elsewhere = {"httpx2", "llm", "mcp", "openai"}  # clients that tests/end_to_end alone tries
    assert wanted - elsewhere <= set(PACKAGE["checkInputs"])
    assert {"pytestCheckHook", "nix", "dbus"} <= set(PACKAGE["checkInputs"])
