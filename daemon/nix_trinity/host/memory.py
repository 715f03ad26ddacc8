"""How much memory this machine has, from proc_meminfo(5)."""

from __future__ import annotations

from pathlib import Path

from nix_trinity.errors import ConfigError


def total_memory_gib(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Return ``MemTotal`` in GiB: what the kernel can use, somewhat less than what is fitted.

    :raises ConfigError: the file is missing or has no such line.
    """
    try:
        for line in meminfo.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name == "MemTotal":
                return int(value.split()[0]) / (1 << 20)
    except (OSError, ValueError, IndexError):
        pass
    raise ConfigError(
        f"The machine's memory cannot be read from {meminfo}.",
        'Name the tier yourself, for example models.tier = "minimum".',
    )
