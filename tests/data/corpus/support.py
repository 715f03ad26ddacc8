"""What the tests of the corpus and the retriever share: lists of options, an index over them, and the search."""

from __future__ import annotations

import asyncio
import atexit
import functools
import json
import lzma
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import apsw

from nix_trinity.answering.retriever import ranking, vocabulary
from nix_trinity.answering.retriever.retrieve import Retrieved, Retriever
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.index_file import FILE_NAME
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from nix_trinity.knowledge.corpus.search import IndexReader

Result = TypeVar("Result")
SAMPLES = Path(__file__).parent
NOTES = str(modelfiles_dir() / "notes")


def entry(name: str, text: str, **more: Any) -> dict[str, Any]:
    """An option as ``options.json`` has it; ``name`` without quotes."""
    return {"loc": name.split("."), "type": "boolean", "description": text, "declarations": [], **more}


def write_options(path: Path, options: Mapping[str, str], release: str = "25.05") -> Path:
    """A list of options that names its release."""
    listed = {name: entry(name, text) for name, text in options.items()}
    named = "system.nixos.release"
    listed[named] = entry(named, "The release.", default={"_type": "literalExpression", "text": f'"{release}"'})
    path.write_text(json.dumps(listed), encoding="utf-8")
    return path


def unpacked(packed: Path, path: Path) -> Path:
    """A real list of options as a plain file."""
    path.write_bytes(lzma.decompress(packed.read_bytes()))
    return path


@functools.cache
def retriever() -> Retriever:
    """The search with the product's own vocabulary and weights."""
    folder = modelfiles_dir()
    return Retriever(
        vocabulary.load_vocabulary(folder / vocabulary.FILE_NAME), ranking.load_ranking(folder / ranking.FILE_NAME)
    )


@asynccontextmanager
async def indexed(folder: Path, places: CorpusPlaces) -> AsyncIterator[Corpus]:
    """An index in ``folder`` that was brought up to date once."""
    corpus = Corpus(folder, places)
    try:
        await corpus.refresh()
        yield corpus
    finally:
        await corpus.close()


async def searched(corpus: Corpus, question: str, attachment: str = "") -> Retrieved:
    """What the search finds."""
    return await corpus.read(lambda index: retriever().retrieve(index, question, attachment))


async def found(corpus: Corpus, question: str) -> list[str]:
    """The names of the options that the search finds, best first."""
    return [one.option.name for one in (await searched(corpus, question)).options]


@functools.cache
def real_index(data_dir: Path) -> IndexReader:
    """An index over the real options and our notes, made once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="nix-trinity-index-"))
    atexit.register(shutil.rmtree, folder)
    options = unpacked(data_dir / "nixos-options.json.xz", folder / "options.json")

    async def made() -> None:
        async with indexed(folder, CorpusPlaces(options=str(options), notes=(NOTES,))) as corpus:
            assert corpus.problems == ()

    run(made())
    return IndexReader(apsw.Connection(str(folder / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a test's work to its end, within a minute."""

    async def limited() -> Result:
        async with asyncio.timeout(60):
            return await work

    return asyncio.run(limited())
