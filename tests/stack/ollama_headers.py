"""What Ollama's C++ code includes but its Go module's archive leaves out.

Two of the three headers are Debian packages. The third has none and is only needed for sound: our own
stand-in takes its place. Whether they are there is asked of the compiler, so any system's layout will do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.stack import cache
from tests.stack.system_packages import Package, ensure

STAND_IN = Path(__file__).parent / "miniaudio" / "miniaudio.h"


def obtain() -> dict[str, str]:
    """See to a C and C++ compiler and the headers; return the environment that names the compilers.

    :raises StackError: something is missing and cannot be installed.
    """
    ensure(
        [
            Package("gcc", "to compile Ollama's C code", lambda: _command("CC", "gcc", "cc") is not None),
            Package("g++", "to compile Ollama's C++ code", lambda: _command("CXX", "g++", "c++") is not None),
            # A bare compiler package brings the C library's headers only as a recommendation.
            Package("libc6-dev", "the C library's headers", lambda: _includes("stdlib.h")),
        ]
    )
    ensure(
        [
            Package("nlohmann-json3-dev", "to compile Ollama", lambda: _includes("nlohmann/json.hpp")),
            Package("libstb-dev", "to compile Ollama", lambda: _includes("stb/stb_image.h")),
        ]
    )
    return {"CC": _command("CC", "gcc", "cc") or "cc", "CXX": _command("CXX", "g++", "c++") or "c++"}


def stand_ins(root: Path) -> Path:
    """Put the stand-in header where all checkouts share it, so that Go's build cache serves them all."""
    folder = root / "include"
    cache.write_text(folder / "miniaudio" / "miniaudio.h", STAND_IN.read_text(encoding="utf-8"))
    return folder


def fingerprint() -> str:
    """Return the stand-in's checksum: another header makes another build."""
    return cache.sha256_of(STAND_IN)


def _command(variable: str, *names: str) -> str | None:
    """Return the compiler that the environment names, or the first that is on PATH."""
    if configured := os.environ.get(variable):
        return configured
    return next((name for name in names if shutil.which(name)), None)


def _includes(header: str) -> bool:
    """Ask the C++ preprocessor whether it finds a header."""
    compiler = _command("CXX", "g++", "c++")
    if compiler is None:
        return False
    done = subprocess.run(
        [*compiler.split(), "-E", "-x", "c++", "-"],
        input=f"#include <{header}>\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode == 0
