"""Programs that check Nix files, from crates.io: built once into the cache folder, each at one version.

nixfmt_rs formats as nixfmt does, which is what nixpkgs formats with (RFC 166); deadnix finds what nothing uses.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.console import run_long, say
from tests.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class CargoTool:
    """A crate at one version, and the program that it brings."""

    crate: str
    version: str
    program: str

    @property
    def title(self) -> str:
        """What to call it in a table."""
        return f"{self.crate} {self.version}"

    def obtain(self, root: Path | None = None) -> Path:
        """Return the program, from the cache or built now with the versions that the crate's own lock file names.

        :param root: the cache folder; the user's own one unless given.
        :raises StackError: there is no cargo, or the crate cannot be had or built.
        """
        root = root or cache.cache_root()
        final = root / "cargo" / f"{self.crate}-{self.version}" / self.program
        with cache.locked(root, self.crate):
            if not os.access(final, os.X_OK):
                self._build(root, final)
        return final

    def _build(self, root: Path, final: Path) -> None:
        cargo = _cargo()
        if cargo is None:
            raise StackError(
                f"{self.title} is built with cargo, and there is none here.\n"
                "    Install Rust 1.87 or newer so that `cargo` is on PATH."
            )
        say(f"building {self.title}")
        with cache.staging(root) as folder:
            command = [cargo, "install", "--quiet", "--locked", "--root", str(folder), f"{self.crate}@{self.version}"]
            # A folder of its own: one that several builds share makes them wait for one another.
            environment = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target")}
            log = cache.log_file(root, self.crate)
            run_long(f"building {self.title}", command, log=log, environment=environment, limit_seconds=1200)
            cache.publish(folder / "bin" / self.program, final)


NIXFMT = CargoTool("nixfmt_rs", "0.5.3", "nixfmt")
DEADNIX = CargoTool("deadnix", "1.3.1", "deadnix")
ALL = (NIXFMT, DEADNIX)


def _cargo() -> str | None:
    """Return the path of ``cargo``: on PATH, or where its own installer puts it."""
    own = Path.home() / ".cargo" / "bin" / "cargo"
    return shutil.which("cargo") or (str(own) if os.access(own, os.X_OK) else None)
