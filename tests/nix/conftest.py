"""The programs that read Nix files here; one that cannot be had fails the tests that need it, with the reason."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.stack import cargo_tools, system_packages
from tests.stack.cargo_tools import CargoTool
from tests.stack.errors import StackError
from tests.stack.parts import Part, State


@pytest.fixture(scope="session")
def nix_instantiate(parts: list[Part]) -> str:
    """This machine's own Nix; any version since 2.8 will do."""
    if shutil.which("nix-instantiate") is None:
        system_packages.ensure([package for package in system_packages.TEST_PACKAGES if package.name == "nix-bin"])
    found = shutil.which("nix-instantiate")
    assert found is not None
    parts.append(Part("nix", State.RAN, found))
    return found


@pytest.fixture(scope="session")
def nixfmt(pytestconfig: pytest.Config, parts: list[Part]) -> Path:
    """Formats Nix as nixpkgs is formatted."""
    return _obtained(cargo_tools.NIXFMT, pytestconfig, parts)


@pytest.fixture(scope="session")
def deadnix(pytestconfig: pytest.Config, parts: list[Part]) -> Path:
    """Finds what nothing uses."""
    return _obtained(cargo_tools.DEADNIX, pytestconfig, parts)


def _obtained(tool: CargoTool, config: pytest.Config, parts: list[Part]) -> Path:
    capture = config.pluginmanager.getplugin("capturemanager")
    try:
        # Building one takes half a minute, which a person wants to see.
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            program = tool.obtain()
    except StackError as error:
        parts.append(Part(tool.crate, State.MISSING, str(error)))
        pytest.fail(f"no {tool.title}: {error}", pytrace=False)
    parts.append(Part(tool.crate, State.RAN, f"{tool.version}: {program}"))
    return program
