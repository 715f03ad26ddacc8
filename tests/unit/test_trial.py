"""A version that is not deployed answers through the ask line: what is asked of the engine, and who goes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from nix_trinity.answering.answer_line import Limits
from nix_trinity.answering.grounding import Grounding
from nix_trinity.answering.retriever import ranking, vocabulary
from nix_trinity.answering.retriever.embedding import Embedder
from nix_trinity.answering.retriever.retrieve import Retriever
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.answering.trial import TrialPipeline
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.engines.protocol import ChatChunk, ChatMessage, ChatRequest, Engine, ModelDetails, Usage
from nix_trinity.errors import (
    ContextTooLongError,
    CorpusError,
    EngineError,
    EngineProtocolError,
    EngineUnreachableError,
    ModelMissingError,
)
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from nix_trinity.knowledge.inspection import Trial
from nix_trinity.modelfile.grammar import Modelfile
from nix_trinity.roles import RoleSpec
from tests.stack.daemon_process import SAMPLE_OPTIONS

VERSION = "nix-quick-20260101"
SPECS = {"quick": RoleSpec("quick", "base:1b", 4096, Modelfile(), {})}
FLAKE = "What is a flake good for, in one sentence?"
LESS = 2048


class Engineering:
    """An engine that has one version, and says what it is told to."""

    url = "http://127.0.0.1:1"

    def __init__(self, *texts: str) -> None:
        self.requests: list[ChatRequest] = []
        self.texts = texts
        self.fault: EngineError | None = None
        self.wait: Awaitable[object] | None = None
        self.broken_off = 0

    async def show(self, model: str) -> ModelDetails:
        if model != VERSION:
            raise ModelMissingError(f"There is no {model}.", "pull it")
        learned = (ChatMessage("user", "q"), ChatMessage("assistant", "a"))
        return ModelDetails(model, "w", "", "Be brief.", learned, {"num_predict": 99}, LESS)

    async def chat(self, request: ChatRequest) -> AsyncGenerator[ChatChunk, None]:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        if self.wait is not None:
            waiting, self.wait = self.wait, None
            try:
                await waiting
            except asyncio.CancelledError:
                self.broken_off += 1
                raise
        # What fills in a form of settings is refused, so that only the explanation is left.
        for text in self.texts if request.schema is None else ("no form",):
            yield ChatChunk(text)
        yield ChatChunk("", Usage(900, 10, "stop"))


async def tried(
    folder: Path,
    engine: Engineering,
    question: str = FLAKE,
    *,
    model: str = VERSION,
    busy: Callable[[], bool] = lambda: False,
    options: Path | None = SAMPLE_OPTIONS,
) -> Trial:
    async def source() -> Any:
        return engine

    async def no_engine() -> Engine:
        raise AssertionError("there are no vectors")

    corpus = Corpus(folder, CorpusPlaces(options=str(options or ""), home_manager_options="", manual="", notes=()))
    await corpus.refresh()
    files, seconds = modelfiles_dir(), count()
    retriever = Retriever(
        vocabulary.load_vocabulary(files / vocabulary.FILE_NAME), ranking.load_ranking(files / ranking.FILE_NAME)
    )
    pipeline = TrialPipeline(
        engine=source,
        models=RoleModels(source, SPECS),
        grounding=Grounding(corpus, lambda: retriever, Embedder(no_engine, corpus, model="", busy=lambda: False)),
        syntax=None,
        limits=Limits(512, 0, 800),
        busy=busy,
        clock=lambda: float(next(seconds)),
    )
    try:
        return await pipeline.try_out("quick", model, question)
    finally:
        await corpus.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index")


def test_an_answer_is_checked_and_timed(folder: Path) -> None:
    engine = Engineering("Set `services.openssh.enable` ", "and `services.openssh.bogus`.")
    trial = asyncio.run(tried(folder, engine))
    assert trial.error is None
    assert trial.text == "Set `services.openssh.enable` and `services.openssh.bogus`.", "without the marks"
    assert trial.names == ("services.openssh.enable",)
    assert trial.wrong[0].startswith("services.openssh.bogus: ")
    assert (trial.verdict, trial.parses) == ("flagged", True)
    assert trial.first_token_ms is not None
    assert trial.first_token_ms > 0
    assert trial.tokens_per_second is not None


def test_code_that_does_not_parse_is_told_apart_from_wrong_names(folder: Path) -> None:
    trial = asyncio.run(tried(folder, Engineering("Write:\n\n```nix\n{ services.openssh.enable = true }\n```\n")))
    assert (trial.parses, trial.wrong) == (False, ())


def test_the_version_is_asked_at_temperature_zero_in_its_role_s_window(folder: Path) -> None:
    engine = Engineering("A flake pins what it needs.")
    asyncio.run(tried(folder, engine))
    assert engine.requests
    assert {request.model for request in engine.requests} == {VERSION}
    assert {request.temperature for request in engine.requests} == {0.0}
    assert {request.num_ctx for request in engine.requests} == {LESS}
    assert max(request.max_tokens for request in engine.requests) == 99


def test_two_versions_are_asked_the_very_same(folder: Path) -> None:
    one, other = Engineering("Yes."), Engineering("Yes.")
    asyncio.run(tried(folder, one, "How do I enable the SSH server?"))
    asyncio.run(tried(folder, other, "How do I enable the SSH server?"))
    assert len(one.requests) >= 2, "settings, and the explanation"
    assert one.requests == other.requests


@pytest.mark.parametrize(
    "fault", [EngineProtocolError("garbage", ""), ContextTooLongError("too long", ""), EngineError("died", "")]
)
def test_what_a_version_is_to_blame_for_is_an_answer_that_failed(folder: Path, fault: EngineError) -> None:
    engine = Engineering("Yes.")
    engine.fault = fault
    trial = asyncio.run(tried(folder, engine))
    assert trial.error == fault.message
    assert trial.first_token_ms is None


def test_no_word_is_an_answer_that_failed(folder: Path) -> None:
    trial = asyncio.run(tried(folder, Engineering()))
    assert trial.error is not None
    assert "without a word" in trial.error


def test_a_question_beyond_the_window_is_an_answer_that_failed(folder: Path) -> None:
    assert asyncio.run(tried(folder, Engineering("Yes."), "why " * 5000)).error is not None


@pytest.mark.parametrize(
    ("model", "fault", "kind"),
    [
        (VERSION, EngineUnreachableError("gone", ""), EngineUnreachableError),
        ("nix-quick-20250101", None, ModelMissingError),
    ],
)
def test_what_no_version_could_help_ends_the_evaluation(
    folder: Path, model: str, fault: EngineError | None, kind: type[EngineError]
) -> None:
    engine = Engineering("Yes.")
    engine.fault = fault
    with pytest.raises(kind):
        asyncio.run(tried(folder, engine, model=model))


def test_without_options_nothing_is_evaluated(tmp_path: Path) -> None:
    engine = Engineering("Yes.")
    with pytest.raises(CorpusError):
        asyncio.run(tried(tmp_path, engine, options=None))
    assert engine.requests == []


def test_a_trial_waits_while_people_ask(folder: Path) -> None:
    engine = Engineering("Yes.")
    answers: list[bool] = []

    def busy() -> bool:
        answers.append(len(answers) < 3)
        assert not (answers[-1] and engine.requests), "nothing is asked meanwhile"
        return answers[-1]

    assert asyncio.run(tried(folder, engine, busy=busy)).text == "Yes."
    assert len(answers) > 3


def test_a_trial_makes_way_for_a_person_and_is_tried_again(folder: Path) -> None:
    async def scenario() -> None:
        engine = Engineering("Yes.")
        engine.wait = asyncio.Event().wait()
        asked = False

        def busy() -> bool:
            nonlocal asked
            # A person asks while the engine is at work on the trial, and has the answer once that was broken off.
            asked = len(engine.requests) == 1 and not engine.broken_off
            return asked

        trial = await tried(folder, engine, busy=busy)
        assert engine.broken_off == 1
        assert (trial.text, trial.error) == ("Yes.", None)
        assert len(engine.requests) == 2

    asyncio.run(scenario())


def test_a_trial_that_is_cancelled_leaves_the_engine_alone(folder: Path) -> None:
    async def scenario() -> None:
        engine = Engineering("Yes.")
        reached = asyncio.Event()

        async def waiting() -> None:
            reached.set()
            await asyncio.Event().wait()

        engine.wait = waiting()
        task = asyncio.create_task(tried(folder, engine))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert engine.broken_off == 1

    asyncio.run(scenario())
