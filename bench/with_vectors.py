"""The real options' vectors, by a real embedding model on Ollama: made once, in minutes, and kept in the cache."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.corpora import unpacked_options
from nix_trinity.answering.retriever.embedding import Embedder, Pace
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.engines.deadlines import Deadlines
from nix_trinity.engines.ollama import OllamaEngine
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from tests.stack import cache, embedding_model, ollama_binary
from tests.stack.server import OllamaServer

_MOST_NEAR = 20
_PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def embedded(questions: Sequence[str]) -> AsyncIterator[tuple[Corpus, dict[str, list[int]]]]:
    """An index with all vectors, and for each question the options that are nearest to it."""
    folder = cache.cache_root() / "bench-index"
    folder.mkdir(parents=True, exist_ok=True)
    options = unpacked_options(folder)
    corpus = Corpus(folder, CorpusPlaces(options=str(options), notes=(str(modelfiles_dir() / "notes"),)))
    with OllamaServer(ollama_binary.obtain()) as server:
        embedding_model.obtain().create_in(server)
        engine = OllamaEngine(
            server.url, keep_alive="10m", deadlines=Deadlines(connect=5, first_token=60, token_gap=60)
        )

        async def source() -> OllamaEngine:
            return engine

        embedder = Embedder(
            source, corpus, model=embedding_model.NAME, busy=lambda: False, pace=Pace(question=_PATIENCE_SECONDS)
        )
        await corpus.refresh()
        making = asyncio.create_task(embedder.run())
        try:
            await _made(embedder)
            near = {question: await embedder.nearest(question, _MOST_NEAR) for question in questions}
            yield corpus, near
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            await engine.close()
            await corpus.close()


async def _made(embedder: Embedder) -> None:
    shown = -1
    while embedder.progress is None or embedder.progress.done < embedder.progress.all:
        await asyncio.sleep(1)
        if embedder.problem is not None:
            sys.exit(f"no vectors: {embedder.problem}")
        if embedder.progress is not None and embedder.progress.done // 2000 != shown:
            shown = embedder.progress.done // 2000
            print(f"vectors: {embedder.progress.done} of {embedder.progress.all}", flush=True)
