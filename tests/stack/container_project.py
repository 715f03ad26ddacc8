"""The project itself as a machine has it: the very wheel that people install, laid out as in a Nix store."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PathDistribution
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.stack.container_python import PACKAGES, STORE
from tests.stack.environment import CHECKOUT
from tests.stack.errors import StackError, closing_lines
from tests.stack.rootfs import PYTHON

# Like nixpkgs' wrapped programs: this very Python, nothing of the caller's environment or home, the packages
# named here and found after Python's own.
PROGRAM = """\
#!/usr/bin/python3 -sEP
import sys
sys.path += ["/{library}", "/{dependencies}"]
from {module} import {function}
sys.exit({function}())
"""


@dataclass(frozen=True, slots=True)
class InstalledProject:
    """Where the project is in the container, as absolute paths there."""

    package: Path
    library: Path
    programs: tuple[str, ...]


def lay_out(folder: Path) -> InstalledProject:
    """Build the wheel from this checkout and lay it out below ``folder``, which stands for the root.

    :raises StackError: it cannot be built; the text has the end of the output.
    """
    with TemporaryDirectory(prefix="nix-trinity-wheel-") as temporary:
        wheel = _build(Path(temporary))
        name, version = wheel.name.split("-")[:2]
        package = f"{STORE}-{name.replace('_', '-')}-{version}"
        library = f"{package}/lib/python{PYTHON}/site-packages"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / library)
    distribution = PathDistribution(folder / library / f"{name}-{version}.dist-info")
    scripts = distribution.entry_points.select(group="console_scripts")
    (folder / package / "bin").mkdir()
    on_path = folder / "usr/local/bin"
    on_path.mkdir(parents=True)
    for script in scripts:
        program = folder / package / "bin" / script.name
        program.write_text(_program(script, library), encoding="utf-8")
        program.chmod(0o755)
        (on_path / script.name).symlink_to(f"/{package}/bin/{script.name}")
    return InstalledProject(Path("/", package), Path("/", library), tuple(script.name for script in scripts))


def _build(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--wheel-dir", str(folder), str(CHECKOUT)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    made = list(folder.glob("*.whl"))
    if done.returncode != 0 or len(made) != 1:
        raise StackError(f"the project's wheel cannot be built:\n{closing_lines(done.stdout + done.stderr)}")
    return made[0]


def _program(script: EntryPoint, library: str) -> str:
    return PROGRAM.format(library=library, dependencies=PACKAGES, module=script.module, function=script.attr)
