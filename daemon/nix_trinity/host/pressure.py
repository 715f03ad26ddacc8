"""How much of the time tasks wait for memory, from the kernel's pressure stall information (PSI)."""

from __future__ import annotations

from pathlib import Path


def memory_pressure(path: Path = Path("/proc/pressure/memory")) -> float | None:
    """Return the percentage of the last minute in which some task stalled on memory (``some avg60``).

    None where the kernel does not tell: built without PSI, started with ``psi=0``, or hidden from this process.
    """
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        kind, *fields = line.split()[:16] or [""]
        if kind != "some":
            continue
        for field in fields:
            name, _, value = field.partition("=")
            if name == "avg60":
                return _percentage(value)
    return None


def _percentage(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 100 else None
