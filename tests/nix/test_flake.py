"""The flake gives what people name on the command line, on both kinds of machine, with nixpkgs as its one input."""

from __future__ import annotations

import json
from typing import Any

from tests.nix.evaluation import CHECKOUT
from tests.nix.sources import GOLDEN

FLAKE: dict[str, Any] = json.loads((GOLDEN / "flake-outputs.json").read_text(encoding="utf-8"))
OUTPUTS: dict[str, Any] = FLAKE["outputs"]
SYSTEMS = ["aarch64-linux", "x86_64-linux"]


def test_it_takes_nixpkgs_and_nothing_else() -> None:
    assert list(FLAKE["inputs"]) == ["nixpkgs"]


def test_it_gives_what_the_documents_name() -> None:
    for name in ("nixosModules", "homeManagerModules", "overlays", "templates"):
        assert "default" in OUTPUTS[name], name
    for name in ("packages", "apps", "devShells", "formatter", "checks"):
        assert list(OUTPUTS[name]) == SYSTEMS, name
    for system in SYSTEMS:
        assert OUTPUTS["packages"][system]["default"].startswith("nix-trinity-")
        assert OUTPUTS["apps"][system]["default"]["program"].endswith("/bin/ask-nix-guru")
        assert OUTPUTS["apps"][system]["demo"]["program"].endswith("/bin/nix-trinity-demo")


def test_each_file_of_checks_and_tests_is_a_check() -> None:
    files = {file.stem for folder in ("checks", "tests") for file in (CHECKOUT / "nix" / folder).glob("*.nix")}
    for system in SYSTEMS:
        assert set(OUTPUTS["checks"][system]) == files


def test_the_template_is_a_whole_flake() -> None:
    folder = CHECKOUT / OUTPUTS["templates"]["default"]["path"].lstrip("/")
    assert {file.name for file in folder.iterdir()} >= {"flake.nix", "configuration.nix"}


def test_there_are_tests_on_virtual_machines() -> None:
    assert set(FLAKE["tests"]) == {file.stem for file in (CHECKOUT / "nix" / "tests").glob("*.nix")} != set()


def test_their_machines_are_ones_that_nixos_would_build() -> None:
    for name, test in FLAKE["tests"].items():
        assert test["failed"], f"{name} has no machine"
        assert not any(test["failed"].values()), f"{name}: {test['failed']}"
        assert any("nix-trinity.service" in units for units in test["units"].values()), name
        compile(test["testScript"], f"nix/tests/{name}.nix", "exec")
