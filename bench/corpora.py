"""The index over the real options, and the labelled questions, as all benchmarks use them."""

from __future__ import annotations

import asyncio
import lzma
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from nix_trinity.answering.retriever import ranking, vocabulary
from nix_trinity.answering.retriever.retrieve import Retriever
from nix_trinity.answering.verifier.renamed import load_renamed, old_names
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from tests.stack import data

OWN_QUESTIONS = data.CHECKOUT / "tests" / "data" / "retrieval.jsonl"


class Labelled(msgspec.Struct):
    """A question with the options that answer it, any of which is right."""

    id: str
    question: str
    kind: str
    lang: str
    role: str
    expected_options: list[str]
    accept_also: list[str] = []
    must_not_recommend: list[str] = []


def real_data() -> Path:
    """The folder of real options; ends the program where there is none."""
    folder = data.data_dir()
    if folder is None:
        sys.exit(f"There are no real options here: name their folder with {data.VARIABLE}=DIR.")
    return folder


def labelled(path: Path) -> list[Labelled]:
    """The questions of a file, one JSON object a line."""
    return [
        msgspec.json.decode(line, type=Labelled)
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


def own_questions() -> list[Labelled]:
    """The project's own labelled questions."""
    return labelled(OWN_QUESTIONS)


def unanswered_questions() -> list[str]:
    """Questions that no option answers."""
    lines = (OWN_QUESTIONS.parent / "unanswered.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def held_out_questions() -> list[Labelled]:
    """The questions that nothing may be fitted to."""
    return labelled(real_data() / "questions.jsonl")


def unpacked_options(folder: Path, name: str = "nixos-options.json.xz") -> Path:
    """The real list of options as a plain file in ``folder``."""
    target = folder / name.removesuffix(".xz")
    target.write_bytes(lzma.decompress((real_data() / name).read_bytes()))
    return target


@asynccontextmanager
async def indexed(folder: Path, *, with_notes: bool = True) -> AsyncIterator[Corpus]:
    """An index over the real options and our own notes."""
    options = await asyncio.to_thread(unpacked_options, folder)
    notes = (str(modelfiles_dir() / "notes"),) if with_notes else ()
    corpus = Corpus(folder, CorpusPlaces(options=str(options), notes=notes))
    try:
        await corpus.refresh()
        if corpus.problems:
            print("problems:", *corpus.problems, sep="\n  ")
        yield corpus
    finally:
        await corpus.close()


def retriever() -> Retriever:
    """The retriever with the project's own vocabulary and weights."""
    folder = modelfiles_dir()
    return Retriever(
        vocabulary.load_vocabulary(folder / vocabulary.FILE_NAME),
        ranking.load_ranking(folder / ranking.FILE_NAME),
        old_names(load_renamed()),
    )


def is_right(name: str, right: frozenset[str], known: frozenset[str]) -> bool:
    """Whether an option is an answer: one that is named, or the list's nearest parent of one that it lacks."""
    if name in right:
        return True
    for wanted in right - known:
        parts = wanted.split(".")
        parents = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
        if next((parent for parent in parents if parent in known), None) == name:
            return True
    return False
