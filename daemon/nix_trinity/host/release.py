"""Which NixOS this machine runs, from os-release(5)."""

from __future__ import annotations

import shlex
from pathlib import Path


def nixos_release(os_release: Path = Path("/etc/os-release")) -> str | None:
    """Return NixOS' release such as ``25.05``, or None where this is not NixOS or cannot be told."""
    try:
        text = os_release.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        if separator:
            try:
                fields[name.strip()] = "".join(shlex.split(value))
            except ValueError:
                continue
    return fields.get("VERSION_ID") if fields.get("ID") == "nixos" else None
