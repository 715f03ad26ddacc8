"""What systemd says of every unit that the module renders, and that the documentation says the same."""

from __future__ import annotations

import pytest

from tests.container import exposure
from tests.container.golden import GOLDEN, Golden
from tests.container.machine import Machine
from tests.container.product import golden, product
from tests.stack.environment import CHECKOUT

MOST = 1.5
CONFIGURATIONS = [folder.name for folder in sorted(GOLDEN.iterdir()) if (folder / "units").is_dir()]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_systemd_has_nothing_to_say_against_any_unit(machine: Machine, name: str) -> None:
    files = exposure.unit_files(machine, golden(name))
    # Units of the machine itself that are out of order are none of ours.
    done = machine.run(["systemd-analyze", "verify", "--recursive-errors=no", *files.values()])
    assert (done.code, done.output) == (0, "")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_service_is_more_exposed_than_allowed(machine: Machine, name: str) -> None:
    files = exposure.unit_files(machine, golden(name))
    figures = {unit: exposure.exposure(machine, path) for unit, path in files.items() if unit.endswith(".service")}
    assert "nix-trinity.service" in figures
    assert {unit: figure for unit, figure in figures.items() if figure > MOST} == {}


def test_a_loaded_service_is_as_little_exposed_as_its_file_says(machine: Machine) -> None:
    configuration = golden("everything-on")
    files = exposure.unit_files(machine, configuration)
    with product(machine, configuration):
        for unit, path in files.items():
            if unit.endswith(".service"):
                assert exposure.exposure(machine, unit) == exposure.exposure(machine, path), unit


def test_the_table_in_the_documentation_is_what_systemd_says(machine: Machine) -> None:
    page = (CHECKOUT / "docs/explanation/security.md").read_text(encoding="utf-8")
    assert exposure.table(machine) in page, "python -m tests.container.exposure prints the table as it is to be"


def test_every_configuration_is_looked_at() -> None:
    assert {"container", *exposure.CONFIGURATIONS} <= set(CONFIGURATIONS)
    assert all(Golden(GOLDEN / name).units() for name in CONFIGURATIONS)
