"""Which version an Ollama binary is, asked of the binary itself."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

OLDEST = (0, 5, 5)
"""The first release whose API creates a model from fields instead of from a Modelfile's text."""


def version_of(binary: Path) -> str | None:
    """Return the version that the binary reports, or None when it does not run on this machine.

    A binary built for another processor ends here too: it dies on an illegal instruction.
    """
    with tempfile.TemporaryDirectory(prefix="nix-trinity-") as home:
        # Nothing listens on port 1: the answer must be the binary's own version, not a running server's.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "OLLAMA_HOST": "127.0.0.1:1"}
        try:
            done = subprocess.run(
                [binary, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    found = re.findall(r"version is v?(\d+\.\d+\.\d+\S*)", done.stdout + done.stderr)
    return str(found[-1]) if found and done.returncode == 0 else None


def new_enough(version: str) -> bool:
    """Tell whether this version has the API that the daemon uses."""
    numbers = re.findall(r"\d+", version)[:3]
    return tuple(int(number) for number in numbers) >= OLDEST
