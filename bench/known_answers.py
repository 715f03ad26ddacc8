"""``python -m bench.known_answers``: how often a question is taken for one that was answered before, rightly or not.

``tests/data/known_pairs.jsonl`` has pairs of questions, each with whether they are the same. Half of them, by a hash
of their text, were used to choose the words and the threshold of answering/known.py; the other half only reports,
but one hand wrote all pairs and the program, and a pair that was added for a fault may stand in either half.
Beside it stands the likeness alone, by which past answers are found for a prompt.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.corpora import indexed
from nix_trinity.answering.known import LEAST_LIKENESS, sameness
from nix_trinity.answering.past import asked_stems, likeness
from nix_trinity.answering.retriever import vocabulary
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from nix_trinity.knowledge.corpus.search import IndexReader
from tests.stack import data
from tests.stack.daemon_process import SAMPLE_OPTIONS

PAIRS = data.CHECKOUT / "tests" / "data" / "known_pairs.jsonl"
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two questions, whether they ask the same, and what makes the difference, or does not."""

    left: str
    right: str
    same: bool
    why: str

    @property
    def tunes(self) -> bool:
        """Whether the pair was looked at to choose words and threshold."""
        return hashlib.sha256(f"{self.left}\n{self.right}".encode()).digest()[0] % 2 == 0


def pairs() -> list[Pair]:
    """All pairs of the file."""
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line, type=Pair) for line in lines if line.strip()]


def show(title: str, some: Sequence[Pair], score: Callable[[Pair], float]) -> None:
    """Print, for each threshold, the pairs that are mistaken for the same and those that are recognised."""
    scored = [(score(pair), pair) for pair in some]
    different, same = (sum(pair.same is wanted for _, pair in scored) for wanted in (False, True))
    print(f"{title}: {different} pairs differ, {same} are the same")
    for least in THRESHOLDS:
        wrong = [pair for how_much, pair in scored if not pair.same and how_much >= least]
        right = sum(pair.same and how_much >= least for how_much, pair in scored)
        chosen = "  <- chosen" if least == LEAST_LIKENESS else ""
        print(f"  from {least:.2f}: {len(wrong):3} mistaken, {right / (same or 1):4.0%} recognised{chosen}")


def measure(index: IndexReader) -> int:
    """Print everything; return how many pairs are mistaken at the threshold that the product uses."""
    terms = vocabulary.load_vocabulary(modelfiles_dir() / vocabulary.FILE_NAME)

    def product(pair: Pair) -> float:
        return sameness(pair.left, pair.right, terms, index.frequencies, least=0.0)

    def alone(pair: Pair) -> float:
        return likeness(asked_stems(pair.left, terms, index), asked_stems(pair.right, terms, index))

    every = pairs()
    for half, some in (
        ("tuning half", [pair for pair in every if pair.tunes]),
        ("other half", [pair for pair in every if not pair.tunes]),
    ):
        show(f"{half}, as the product does it", some, product)
        show(f"{half}, by likeness alone", some, alone)
    for pair in every:
        if pair.tunes and pair.same and product(pair) < LEAST_LIKENESS:
            print(f"not recognised ({pair.why}): {pair.left!r} / {pair.right!r}")
    mistaken = [pair for pair in every if not pair.same and product(pair) >= LEAST_LIKENESS]
    for pair in mistaken:
        print(f"MISTAKEN ({pair.why}): {pair.left!r} / {pair.right!r}")
    print(f"{len(mistaken)} of {sum(not pair.same for pair in every)} false friends are mistaken for the same.")
    return len(mistaken)


async def _main(folder: Path) -> int:
    if data.data_dir() is not None:
        async with indexed(folder) as corpus:
            return await corpus.read(measure)
    print("There are no real options here, so words are looked up in our sample of them.")
    corpus = Corpus(folder, CorpusPlaces(options=str(SAMPLE_OPTIONS)))
    try:
        await corpus.refresh()
        return await corpus.read(measure)
    finally:
        await corpus.close()


def main() -> None:
    """Measure in a temporary folder; exit with 1 when any pair is mistaken."""
    with tempfile.TemporaryDirectory() as folder:
        raise SystemExit(1 if asyncio.run(_main(Path(folder))) else 0)


if __name__ == "__main__":
    main()
