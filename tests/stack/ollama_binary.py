"""A real Ollama: one that is named, one built before, the one on PATH, or one built from its Go module."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache, go_toolchain, ollama_headers
from tests.stack.console import run_long, say
from tests.stack.errors import StackError
from tests.stack.ollama_version import OLDEST, new_enough, version_of

VERSION = "0.17.4"
MODULE = "github.com/ollama/ollama"
VARIABLE = "NIX_TRINITY_OLLAMA"
# Without the processor's own instructions it generates some 4 times and embeds some 11 times slower.
# The Go build leaves out the sources for Intel's AMX but refers to them if the compiler offers it: it must not.
COMPILER_FLAGS = "-O3 -march=native -U__AMX_INT8__"


@dataclass(frozen=True, slots=True)
class OllamaBinary:
    """An Ollama that runs on this machine and how this run came by it."""

    path: Path
    version: str
    origin: str


def find(root: Path | None = None) -> OllamaBinary | None:
    """Return an Ollama that is already there, or None.

    :raises StackError: the one named in ``NIX_TRINITY_OLLAMA`` is of no use; nothing else is then tried.
    """
    if named := os.environ.get(VARIABLE):
        return _named(Path(named))
    return _built_before(root or cache.cache_root()) or _on_path()


def obtain(root: Path | None = None) -> OllamaBinary:
    """Return an Ollama, built when there is none.

    :raises StackError: there is none to be had; the text says what to do.
    """
    root = root or cache.cache_root()
    if found := find(root):
        return found
    with cache.locked(root, "ollama"):
        # Another run may have built it while this one waited for the lock.
        return _built_before(root) or _build(root)


def build_folder(root: Path) -> Path:
    """Return where the build for this very processor belongs: a native build must not run on another."""
    facts = [VERSION, COMPILER_FLAGS, platform.machine(), _processor_features(), ollama_headers.fingerprint()]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    return root / "ollama" / f"{VERSION}-{key}"


def _named(path: Path) -> OllamaBinary:
    version = version_of(path)
    if version is None or not new_enough(version):
        oldest = ".".join(map(str, OLDEST))
        raise StackError(
            f"{VARIABLE}={path} is no Ollama {oldest} or newer "
            f"({f'it is {version}' if version else 'it does not run'}): correct or unset the variable"
        )
    return OllamaBinary(path.resolve(), version, f"named in {VARIABLE}")


def _on_path() -> OllamaBinary | None:
    path = shutil.which("ollama")
    version = version_of(Path(path)) if path else None
    if path is None or version is None:
        return None
    if not new_enough(version):
        say(f"{path} is version {version}, too old to use")
        return None
    return OllamaBinary(Path(path).resolve(), version, "found on PATH")


def _built_before(root: Path) -> OllamaBinary | None:
    folder = build_folder(root)
    binary, record = folder / "ollama", folder / "ollama.sha256"
    if not record.is_file() or not cache.intact(binary, record.read_text(encoding="ascii").strip()):
        return None
    if version_of(binary) != VERSION:
        say("the Ollama in the cache does not run here and will be built again")
        return None
    return OllamaBinary(binary, VERSION, "built here by an earlier run")


def _build(root: Path) -> OllamaBinary:
    go = go_toolchain.obtain()
    compiler = ollama_headers.obtain()
    headers = ollama_headers.stand_ins(root)
    what = f"building Ollama {VERSION}"
    say(f"{what}, 2 to 8 minutes")
    with cache.staging(root) as folder:
        # The module's checksum is verified by Go itself, under whatever settings the environment has.
        environment = {
            **os.environ,
            **compiler,
            "CGO_ENABLED": "1",
            "CGO_CFLAGS": COMPILER_FLAGS,
            "CGO_CXXFLAGS": f'{COMPILER_FLAGS} "-I{headers}"',
            "GOBIN": str(folder),
            "GOWORK": "off",
        }
        stamp = f"-s -w -X {MODULE}/version.Version={VERSION}"
        command = [go, "install", "-ldflags", stamp, f"{MODULE}@v{VERSION}"]
        run_long(
            what,
            command,
            log=cache.log_file(root, "ollama-build"),
            environment=environment,
            limit_seconds=2700,
        )
        made = folder / "ollama"
        if version_of(made) != VERSION:
            raise StackError(f"{what}: done, but the result does not run or reports another version")
        final = build_folder(root) / "ollama"
        cache.write_text(final.with_suffix(".sha256"), cache.sha256_of(made) + "\n")
        cache.publish(made, final)
    return OllamaBinary(final, VERSION, "built here from its Go module")


def _processor_features() -> str:
    """Return the instruction sets that the kernel reports, in a stable order."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        label, _, value = line.partition(":")
        if label.strip() in {"flags", "Features", "isa"}:
            return " ".join(sorted(value.split()))
    return platform.processor()
