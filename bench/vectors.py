"""``python -m bench.vectors``: what vectors of all real options cost the index, apart from the model's own time.

The vectors are random ones of the right length, since a search looks at every one whatever it says.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

from bench.corpora import indexed
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.index_file import FILE_NAME
from nix_trinity.knowledge.corpus.vectors import VectorTable

DIMENSIONS = (384, 768)
BATCH = 32
QUESTIONS = 200


Result = TypeVar("Result")


class Timed:
    """Work on the vectors, and the processor time that each piece took in the index's thread."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._seconds: list[float] = []

    async def run(self, work: Callable[[VectorTable], Result]) -> Result:
        """Run ``work`` and note its time."""

        def timed(table: VectorTable) -> Result:
            began = time.thread_time()
            result = work(table)
            self._seconds.append(time.thread_time() - began)
            return result

        return await self._corpus.vectors(timed)

    def report(self, what: str) -> None:
        """Print the times since the last report."""
        seconds, self._seconds = self._seconds, []
        median, longest = statistics.median(seconds) * 1e3, max(seconds) * 1e3
        print(f"{what:<46} median {median:6.2f} ms, longest {longest:6.2f} ms, {len(seconds)} times")


async def measure(folder: Path) -> None:
    """Fill the index once for each length of vectors, and print the times."""
    random = Random(20919)
    async with indexed(folder, with_notes=False) as corpus:
        timed = Timed(corpus)
        await corpus.vectors(lambda table: table.use("bench", "0"))
        while await timed.run(lambda table: table.catch_up(250)):
            pass
        timed.report("texts of 250 options")
        for dimensions in DIMENSIONS:
            vectors = [[random.gauss() for _ in range(dimensions)] for _ in range(QUESTIONS)]
            await corpus.vectors(partial(VectorTable.use, model=f"bench-{dimensions}", digest="0"))
            while texts := await corpus.vectors(lambda table: table.missing(BATCH)):
                rows = [(text.digest, random.choice(vectors)) for text in texts]
                progress = await timed.run(partial(VectorTable.put, vectors=rows))
            timed.report(f"{dimensions} dimensions: keep {BATCH}")
            for vector in vectors:
                await timed.run(partial(VectorTable.nearest, vector=vector, limit=20))
            timed.report(f"{dimensions} dimensions: nearest 20 of {progress.done:,}")
    print(f"the whole index: {(folder / FILE_NAME).stat().st_size / 1e6:.1f} MB")


def main() -> None:
    """Measure in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
