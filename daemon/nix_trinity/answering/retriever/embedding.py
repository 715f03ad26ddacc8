"""Search by meaning: make the options' vectors in the background, and find those nearest to a question.

Making them takes minutes to an hour of the processor, so it stands back: in small batches, none while a question
is being answered, each kept at once so that a restart goes on where it stopped. Nothing here is needed for an
answer: whatever fails, the search goes on without vectors.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from nix_trinity.catalogue import same_model
from nix_trinity.engines.protocol import Engine
from nix_trinity.errors import (
    CorpusError,
    EngineBusyError,
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    ModelMissingError,
    TrinityError,
)
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.vectors import Progress, TextToEmbed

# What a model was trained to see before a question and before a text that may answer it: by the name of its
# family, from its publisher's model card (nomic-ai/nomic-embed-text-v1.5, google/embeddinggemma-300m,
# mixedbread-ai/mxbai-embed-large-v1, Snowflake/snowflake-arctic-embed-m).
_FRAMES = {
    "nomic-embed-text": ("search_query: ", "search_document: "),
    "embeddinggemma": ("task: search result | query: ", "title: none | text: "),
    "mxbai-embed-large": ("Represent this sentence for searching relevant passages: ", ""),
    "snowflake-arctic-embed": ("Represent this sentence for searching relevant passages: ", ""),
}
# These models read 256 to 512 tokens (some more); a pasted log says no more by its rest.
_MOST_QUESTION_CHARACTERS = 1_000
_CATCH_UP = 250
_PLAIN_TEXT = "NixOS"
# What these say is true of every text, and of the one that was sent only by chance.
_NOT_THE_TEXTS_FAULT = (EngineUnreachableError, ModelMissingError, EngineBusyError, EngineTimeoutError)

_log = structlog.get_logger("vectors")


@dataclass(frozen=True, slots=True)
class Pace:
    """How the making of vectors stands back. Times in seconds."""

    batch: float = 0.25
    """What a batch should take, so that a question's own vector never waits long for it."""
    most_texts: int = 32
    look: float = 0.2
    """Between two looks whether questions are still running."""
    watch: float = 30.0
    """Between two looks whether the index changed, once all is done."""
    first_pause: float = 5.0
    """After a failure of the engine; doubled at each one that follows."""
    longest_pause: float = 600.0
    question: float = 0.5
    """How long a question waits for its nearest options."""
    least_share: float = 0.5
    """Of all texts: with fewer vectors, the nearest are too often merely the ones that are there."""


class Embedder:
    """The vectors of one corpus by one model; '' as the model's name means that there are none."""

    def __init__(
        self,
        engine: Callable[[], Awaitable[Engine]],
        corpus: Corpus,
        *,
        model: str,
        busy: Callable[[], bool],
        pace: Pace | None = None,
    ) -> None:
        self.model = model
        self.working = False
        """Whether texts are being embedded, which is worth staying awake for."""
        self.progress: Progress | None = None
        """How many texts have their vector; None until that was looked up."""
        self.problem: TrinityError | None = None
        """Why there are no further vectors at present."""
        self._engine = engine
        self._corpus = corpus
        self._busy = busy
        self._pace = pace or Pace()
        self._question_frame, self._text_frame = _frame(model)
        self._batch_size = max(1, self._pace.most_texts // 4)
        self._made_of = -1
        self._asking: set[asyncio.Task[list[int]]] = set()
        self._late: asyncio.Task[list[int]] | None = None

    async def run(self) -> None:
        """Make the vectors that are missing, again whenever the index changed. What fails is tried again, ever later.

        When it is cancelled, questions that still wait for their vector get none.
        """
        try:
            await self._keep_up()
        finally:
            for asking in self._asking:
                asking.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    async def _keep_up(self) -> None:
        pause = self._pace.first_pause
        while self.model:
            try:
                await self._build()
            except (EngineError, CorpusError) as error:
                self._tell(error)
                if error.stable_code == "vectors_unavailable":
                    return
                # A batch that was kept shows that the engine is well again.
                pause = self._pace.first_pause if self.working else min(pause * 2, self._pace.longest_pause)
                self.working = False
                await asyncio.sleep(pause)
            else:
                self.working = False
                self.problem = None
                pause = self._pace.first_pause
                while self._made_of == self._corpus.generation:  # noqa: ASYNC110 (a nixos-rebuild is no hurry)
                    await asyncio.sleep(self._pace.watch)

    async def nearest(self, question: str, limit: int = 20) -> list[int]:
        """The ids of the options whose meaning is nearest to the question's, best first; never raises.

        None where there are no vectors, while too few are made, and when it takes too long.
        """
        progress = self.progress
        if not self.model or progress is None or progress.done < max(1, progress.all * self._pace.least_share):
            return []
        if self._late is not None and not self._late.done():
            return []
        asking = asyncio.create_task(self._looked_up(question, limit), name="nearest options")
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        await asyncio.wait([asking], timeout=self._pace.question)
        if asking.done():
            return [] if asking.cancelled() else asking.result()
        # Not cancelled: Ollama aborts the loading of a model when the client goes away (llm/server.go of 0.17.4), so
        # that one which takes longer to load than a question waits would never be there.
        self._late = asking
        return []

    async def _looked_up(self, question: str, limit: int) -> list[int]:
        try:
            engine = (await self._engine()).of(self.model)
            text = self._question_frame + question[:_MOST_QUESTION_CHARACTERS]
            vector = (await self._embedded(engine, [text]))[0]
            found, fits = await self._corpus.vectors(lambda table: (table.nearest(vector, limit), table.fits(vector)))
            if not fits:
                await self._begin_again(len(vector))
        except (ValueError, TrinityError) as error:
            _log.info("searched without vectors", error=str(error))
            return []
        return found

    async def _begin_again(self, dimensions: int) -> None:
        """The server has another model under the name, whose vectors are of another length: make all of them anew."""
        _log.warning("the embedding model changed", model=self.model, dimensions=dimensions)
        await self._corpus.vectors(lambda table: table.empty())
        self.progress, self._made_of = None, -1

    async def _build(self) -> None:
        """Give every text its vector.

        :raises TrinityError: the engine or the index failed; what was made is kept.
        """
        # The index is ready after the daemon's first reply, before which the engine's library is not to be loaded.
        await self._corpus.vectors(lambda table: table.progress())
        await self._at_rest()
        engine = (await self._engine()).of(self.model)
        digest = await self._digest(engine)
        await self._corpus.vectors(lambda table: table.use(self.model, f"{digest}|{self._text_frame}"))
        self._made_of = self._corpus.generation
        while await self._corpus.vectors(lambda table: table.catch_up(_CATCH_UP)):
            await self._at_rest()
        self.progress = await self._corpus.vectors(lambda table: table.progress())
        began, before = time.monotonic(), self.progress.done
        while texts := await self._corpus.vectors(lambda table: table.missing(self._batch_size)):
            # Right before the batch: whatever is awaited in between, a question may come meanwhile.
            await self._at_rest()
            await self._batch(engine, texts)
            self.working = True
        if self.progress.done > before:
            seconds = round(time.monotonic() - began, 1)
            _log.info("vectors are made", model=self.model, texts=self.progress.all, seconds=seconds)

    async def _batch(self, engine: Engine, texts: Sequence[TextToEmbed]) -> None:
        began = time.monotonic()
        try:
            vectors = await self._embedded(engine, [self._text_frame + text.text for text in texts])
            pairs = [(text.digest, vector) for text, vector in zip(texts, vectors, strict=True)]
            self.progress = await self._corpus.vectors(lambda table: table.put(pairs))
        except (EngineError, ValueError) as error:
            # One text may be at fault, for which a model has an error or numbers that are none: it is found alone.
            failed = error if isinstance(error, EngineError) else self._garbage(str(error))
            if isinstance(failed, _NOT_THE_TEXTS_FAULT):
                raise failed from error
            self._batch_size = 1
            if len(texts) == 1:
                await self._give_up(engine, texts[0], failed)
        else:
            spent = max(time.monotonic() - began, 1e-3)
            fitting = int(len(texts) * self._pace.batch / spent)
            # At most twice as many at a time: the first batch after a pause is no measure.
            self._batch_size = max(1, min(fitting, 2 * len(texts), self._pace.most_texts))

    async def _give_up(self, engine: Engine, text: TextToEmbed, failed: EngineError) -> None:
        """Let the text go without a vector, if the model still makes one of another text."""
        try:
            await self._embedded(engine, [_PLAIN_TEXT])
        except EngineError:
            raise failed from None
        _log.warning("a text has no vector", text=text.text, error=failed.message)
        self.progress = await self._corpus.vectors(lambda table: table.give_up(text.digest))

    async def _embedded(self, engine: Engine, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        vectors = await engine.embed(self.model, texts)
        if len(vectors) != len(texts):
            raise self._garbage(f"{len(vectors)} vectors for {len(texts)} texts")
        return vectors

    def _garbage(self, what: str) -> EngineError:
        return EngineProtocolError(
            f"The embedding model {self.model} gave what cannot be used: {what}.",
            f"Try another one with corpus.embedding_model, or get it anew: ollama pull {self.model}",
        )

    async def _digest(self, engine: Engine) -> str:
        for model in await engine.list_models():
            if same_model(model.name, self.model):
                return model.digest
        raise ModelMissingError(
            f"The embedding model {self.model!r} is not there: options are searched by words alone.",
            engine.remedy(self.model),
        )

    async def _at_rest(self) -> None:
        """Wait while questions are running."""
        while self._busy():  # noqa: ASYNC110 (the end of a question matters to the second, and is not ours to tell)
            await asyncio.sleep(self._pace.look)

    def _tell(self, error: TrinityError) -> None:
        if self.problem is None or self.problem.message != error.message:
            _log.warning("no vectors are made", code=error.stable_code, error=error.message, hint=error.hint)
        self.problem = error


def _frame(model: str) -> tuple[str, str]:
    """What goes before a question and before an option's text, for this model."""
    family = model.rsplit("/", 1)[-1].split(":")[0].lower()
    return next((frame for name, frame in _FRAMES.items() if family.startswith(name)), ("", ""))
