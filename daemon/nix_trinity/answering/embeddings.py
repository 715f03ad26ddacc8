"""Vectors of texts for other programs, under the rules that questions are under: without secrets, and in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from nix_trinity.answering.admission import Admission
from nix_trinity.engines.protocol import EngineSource
from nix_trinity.errors import EngineProtocolError
from nix_trinity.knowledge.redaction import redact


async def embedded(
    engine: EngineSource, model: str, admission: Admission, texts: Sequence[str]
) -> Sequence[Sequence[float]]:
    """One vector for each text.

    :raises BusyError: as many questions as may be are being answered and waiting.
    :raises EngineError: the engine cannot embed them.
    """
    clean = await asyncio.to_thread(lambda: [redact(text).text for text in texts])

    async def on_wait(_: int) -> None:
        pass

    async with admission.place(on_wait):
        vectors = await (await engine()).embed(model, clean)
    if len(vectors) != len(texts):
        raise EngineProtocolError(
            f"The embedding model {model} gave {len(vectors)} vectors for {len(texts)} texts.",
            "Try another one with corpus.embedding_model.",
        )
    return vectors
