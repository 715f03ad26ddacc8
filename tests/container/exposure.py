"""How exposed our units are, as systemd counts it: ``python -m tests.container.exposure`` prints the table.

The table stands in docs/explanation/security.md; a test keeps it in step.
"""

from __future__ import annotations

import base64
import io
import re
import sys
import tarfile

from tests.container.golden import Golden
from tests.container.machine import Machine
from tests.container.product import golden
from tests.stack import container
from tests.stack.errors import StackError

# Where the figures differ: by what the daemon may reach. A job is everywhere the same.
CONFIGURATIONS = {
    "everything-on": "",
    "remote-ollama": ", Ollama elsewhere (`ollama.host`)",
    "everything-off": ", no model (`ollama.enable = false`)",
}
_OVERALL = re.compile(r"Overall exposure level for \S+: (\d+\.\d)")


def unit_files(machine: Machine, configuration: Golden) -> dict[str, str]:
    """Lay a golden's units in a folder of the machine, without installing them; return where each is, by its name."""
    folder = f"/srv/units/{configuration.folder.name}"
    units = {name: text for name, text in configuration.units().items() if text is not None}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in units.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    unpack = f"mkdir -p {folder} && base64 --decode | tar --extract --no-same-owner --directory={folder}"
    machine.succeed(unpack, input=base64.b64encode(packed.getvalue()).decode())
    return {name: f"{folder}/{name}" for name in units}


def exposure(machine: Machine, unit: str) -> float:
    """Return a unit's exposure, from 0 to 10: that of one that is loaded, by its name, or of a file, by its path."""
    offline = ["--offline=true"] if unit.startswith("/") else []
    said = machine.succeed(["systemd-analyze", "security", "--no-pager", *offline, unit])
    found = _OVERALL.search(said)
    assert found, said
    return float(found[1])


def table(machine: Machine) -> str:
    """Return the table, in Markdown."""
    rows = ["| unit | exposure |", "| --- | --- |"]
    everywhere: dict[str, float] = {}
    for name, difference in CONFIGURATIONS.items():
        for unit, path in unit_files(machine, golden(name)).items():
            if not unit.endswith(".service"):
                continue
            figure = exposure(machine, path)
            if everywhere.setdefault(unit, figure) != figure or not difference:
                rows.append(f"| `{unit}`{difference} | {figure} |")
    return "\n".join(rows)


def main() -> int:
    """Boot a machine and print the table."""
    try:
        with Machine(container.obtain()) as machine:
            print(table(machine))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
