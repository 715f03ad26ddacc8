"""Vectors of options: kept, resumed, thrown away with their model, and never in the way of an answer."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import structlog.testing
from hypothesis import example, given
from hypothesis import strategies as st

from nix_trinity.answering.retriever.embedding import Embedder, Pace
from nix_trinity.engines.protocol import Engine, InstalledModel
from nix_trinity.errors import CorpusError, EngineBusyError, EngineError, EngineUnreachableError
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from nix_trinity.knowledge.corpus.vectors import TextToEmbed, embedded_text, packed_vector
from nix_trinity.knowledge.options import Option

MODEL = "all-minilm"
DIMENSIONS = 256
# Quick enough for a test, and with batches of a fixed size: none of them takes a minute.
QUICK = Pace(batch=60, most_texts=4, look=0.01, watch=0.01, first_pause=0.01, longest_pause=0.02, question=5)
OPTIONS = {
    "services.openssh.enable": "Whether to run the secure shell daemon. It listens on port 22.",
    "services.openssh.ports": "Ports that the secure shell daemon listens on.",
    "services.printing.enable": "Whether to print documents.",
    "networking.firewall.allowedTCPPorts": "Ports that the packet filter lets through.",
    "time.timeZone": "The clock's zone.",
    "users.users.<name>.shell": "The person's command interpreter.",
    "sound.enable": "Whether to play music.",
    "boot.loader.timeout": "Seconds until the menu starts the default entry.",
    "nix.gc.automatic": "Whether to collect garbage.",
    "fonts.packages": "Typefaces to install.",
}


def write_options(path: Path, options: dict[str, str]) -> None:
    listed = {
        name: {"loc": name.split("."), "type": "boolean", "description": text, "declarations": [], "readOnly": False}
        for name, text in options.items()
    }
    path.write_text(json.dumps(listed), encoding="utf-8")


@functools.cache
def direction(word: str, dimensions: int) -> list[float]:
    """A direction of the word's own, which is nearly at right angles to all others."""
    random = Random(word)
    return [random.gauss() for _ in range(dimensions)]


def bag(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """A vector of a text's words: texts that share words are near."""
    words = text.lower().replace(":", " ").replace(".", " ").split() or [""]
    return [math.fsum(values) for values in zip(*(direction(word, dimensions) for word in words), strict=True)]


class Model:
    """An embedding model that records what it was given; ``fault`` may raise, or give other vectors."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.digest = "one"
        self.dimensions = DIMENSIONS
        self.fault: Callable[[Sequence[str]], list[list[float]] | None] = lambda _: None
        self.ended = 0
        self.gate = asyncio.Event()
        self.gate.set()

    def of(self, model: str) -> Model:  # noqa: ARG002 (the protocol's)
        return self

    def remedy(self, model: str) -> str:
        return f"Get it with: ollama pull {model}"

    @property
    def texts(self) -> list[str]:
        return [text for batch in self.batches for text in batch]

    async def list_models(self) -> list[InstalledModel]:
        return [InstalledModel(f"{MODEL}:latest", self.digest, 1), InstalledModel("nomic-embed-text:v1.5", "n", 1)]

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        assert model
        self.batches.append(list(texts))
        await self.gate.wait()
        given = self.fault(texts)
        self.ended += 1
        return given if given is not None else [bag(text, self.dimensions) for text in texts]


class Setting:
    """A corpus over OPTIONS, a model, and an embedder that is not yet running."""

    def __init__(self, folder: Path) -> None:
        self.options = folder / "options.json"
        self.corpus = Corpus(folder, CorpusPlaces(options=str(self.options)))
        self.model = Model()
        self.questions = 0
        self.engine_calls = 0

    def embedder(self, *, model: str = MODEL, pace: Pace = QUICK) -> Embedder:
        async def engine() -> Engine:
            self.engine_calls += 1
            return cast("Engine", self.model)

        return Embedder(engine, self.corpus, model=model, busy=lambda: self.questions > 0, pace=pace)

    def pause_after(self, batches: int) -> None:
        """Let a question come with a batch, so that no other batch follows."""

        def come(_: Sequence[str]) -> None:
            self.questions = int(len(self.model.batches) == batches)

        self.model.fault = come

    async def names(self, numbers: Sequence[int]) -> list[str]:
        found = await self.corpus.read(lambda index: index.candidates(numbers))
        return [one.option.name for one in found]


@asynccontextmanager
async def setting(folder: Path, options: dict[str, str] | None = None) -> AsyncIterator[Setting]:
    made = Setting(folder)
    if options is not None or not made.options.exists():
        write_options(made.options, OPTIONS if options is None else options)
    try:
        await made.corpus.refresh()
        yield made
    finally:
        await made.corpus.close()


@asynccontextmanager
async def running(embedder: Embedder) -> AsyncIterator[None]:
    task = asyncio.create_task(embedder.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (a test looks on)
            await asyncio.sleep(0.005)


def done(embedder: Embedder) -> bool:
    progress = embedder.progress
    return progress is not None and progress.done == progress.all > 0


def complete(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_options_are_found_by_what_they_are_about(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: done(embedder))
                assert await here.names(await embedder.nearest("let ports through the packet filter", 1)) == [
                    "networking.firewall.allowedTCPPorts"
                ]
                two = await here.names(await embedder.nearest("secure shell daemon", 2))
                assert set(two) == {"services.openssh.enable", "services.openssh.ports"}
            assert [len(batch) for batch in here.model.batches[:3]] == [1, 2, 4], "a batch at most doubles"
            upper = ("time time zone", "sound enable", "fonts packages")
            assert all(text.startswith(upper) for text in here.model.texts[:3]), "the upper levels come first"

    complete(work())


def test_of_a_long_question_the_model_gets_no_more_than_it_reads(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: done(embedder))
                assert await embedder.nearest("print documents " + "please " * 100_000)
            assert len(here.model.texts[-1]) == 1_000

    complete(work())


def test_what_is_embedded_is_the_name_in_words_and_the_first_sentence() -> None:
    option = Option(
        name="services.nginx.virtualHosts.<name>.forceSSL",
        path=("services", "nginx", "virtualHosts", "<name>", "forceSSL"),
        type="boolean",
        description="Whether to *redirect* {option}`http`. More than that is said later.",
    )
    assert embedded_text(option).startswith("services nginx virtual hosts force ssl: Whether to ")
    assert "later" not in embedded_text(option)
    bare = Option(name="*", path=("*",), type="anything")
    assert embedded_text(bare) == "*: "


def test_after_a_stop_in_the_middle_no_text_is_embedded_twice(tmp_path: Path) -> None:
    async def first() -> list[str]:
        async with setting(tmp_path) as here:
            here.pause_after(2)
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: embedder.progress is not None and embedder.progress.done == 3)
                assert not done(embedder)
            return here.model.texts

    async def second() -> list[str]:
        async with setting(tmp_path) as here:
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: done(embedder))
            return here.model.texts

    texts = asyncio.run(first()) + asyncio.run(second())
    assert len(texts) == len(set(texts)) == len(OPTIONS)


def test_a_stop_within_a_batch_loses_this_batch_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            here.pause_after(2)
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: embedder.progress is not None and embedder.progress.done == 3)
                here.model.gate.clear()
                here.questions = 0
                await until(lambda: len(here.model.batches) == 3)
            lost = here.model.batches[-1]
            here.model.gate.set()
            again = here.embedder()
            async with running(again):
                await until(lambda: done(again))
            texts = here.model.texts
            assert {text for text in texts if texts.count(text) > 1} == set(lost)

    complete(work())


def test_nothing_is_embedded_while_a_question_is_running(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            here.questions = 1
            embedder = here.embedder()
            async with running(embedder):
                await asyncio.sleep(0.1)
                assert here.model.batches == []
                here.questions = 0
                await until(lambda: done(embedder))

    complete(work())


def test_the_engine_is_not_touched_before_the_index_is_ready(tmp_path: Path) -> None:
    async def work() -> None:
        here = Setting(tmp_path)
        write_options(here.options, OPTIONS)
        embedder = here.embedder()
        async with running(embedder):
            await asyncio.sleep(0.1)
            assert here.engine_calls == 0
            await here.corpus.refresh()
            await until(lambda: done(embedder))
        await here.corpus.close()

    complete(work())


def test_a_batch_is_made_smaller_until_it_takes_its_time(tmp_path: Path) -> None:
    options = {f"services.s{number}.enable": f"Service {number}." for number in range(40)}

    async def work() -> None:
        async with setting(tmp_path, options) as here:
            embedder = here.embedder(pace=Pace(batch=0.03, most_texts=32, look=0.01))
            embed = here.model.embed

            async def slowly(model: str, texts: Sequence[str]) -> list[list[float]]:
                await asyncio.sleep(0.01 * len(texts))
                return await embed(model, texts)

            here.model.embed = slowly  # type: ignore[method-assign]  # a slower machine
            async with running(embedder):
                await until(lambda: done(embedder))
            sizes = list(map(len, here.model.batches))
            assert sizes[0] == 8
            assert max(sizes[2:]) <= 3, sizes

    complete(work())


def test_another_model_or_another_build_of_it_starts_anew(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            for digest, model, count in (
                ("one", MODEL, 10),
                ("one", MODEL, 10),
                ("two", MODEL, 20),
                ("two", "nomic-embed-text:v1.5", 30),
            ):
                here.model.digest = digest
                embedder = here.embedder(model=model)
                async with running(embedder):
                    await until(lambda it=embedder: done(it))  # type: ignore[misc]  # a default of a lambda
                assert len(here.model.texts) == count

    complete(work())


def test_a_length_that_changes_under_the_same_name_makes_all_vectors_anew(tmp_path: Path) -> None:
    """A server may have another model under the name: its vectors are never compared with those of the one before."""

    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: done(embedder))
                assert await embedder.nearest("ssh")
                before = len(here.model.texts)
                here.model.dimensions = DIMENSIONS // 2
                assert await embedder.nearest("ssh") == []
                assert embedder.progress is None or not done(embedder)
                await until(lambda: done(embedder))
                assert len(here.model.texts) >= before + len(OPTIONS)
                assert await embedder.nearest("ssh")
                assert await here.corpus.vectors(lambda table: table.fits([0.0] * (DIMENSIONS // 2)))

    complete(work())


def test_a_model_that_wants_questions_and_texts_marked_gets_them_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder(model="nomic-embed-text:v1.5")
            async with running(embedder):
                await until(lambda: done(embedder))
                await embedder.nearest("print documents")
            *texts, question = here.model.texts
            assert question == "search_query: print documents"
            assert all(text.startswith("search_document: ") for text in texts)

    complete(work())


def test_only_what_changed_in_a_new_release_is_embedded_and_what_went_is_found_no_more(tmp_path: Path) -> None:
    changed = {**OPTIONS, "sound.enable": "Whether to hear whales.", "hardware.new": "Brand new thing."}
    del changed["services.printing.enable"]
    # A later sentence is no part of what is embedded.
    changed["services.openssh.enable"] = "Whether to run the secure shell daemon. Now on port 2222."

    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: done(embedder))
                before = len(here.model.texts)
                write_options(here.options, changed)
                await here.corpus.refresh()
                await until(lambda: len(here.model.texts) == before + 2)
                await until(lambda: done(embedder))
                assert sorted(here.model.texts[before:]) == [
                    "hardware new: Brand new thing.",
                    "sound enable: Whether to hear whales.",
                ]
                assert await here.names(await embedder.nearest("hear whales", 1)) == ["sound.enable"]
                found = await here.names(await embedder.nearest("Whether to run the secure shell daemon", 20))
                assert found[0] == "services.openssh.enable"
                assert "services.printing.enable" not in found
                assert len(found) == len(changed)

    complete(work())


def test_two_lists_that_say_the_same_share_a_vector(tmp_path: Path) -> None:
    async def work() -> None:
        write_options(tmp_path / "home.json", OPTIONS)
        async with setting(tmp_path) as here:
            both = Corpus(
                tmp_path / "both",
                CorpusPlaces(options=str(here.options), home_manager_options=str(tmp_path / "home.json")),
            )
            (tmp_path / "both").mkdir()
            await both.refresh()
            here.corpus, old = both, here.corpus
            await old.close()
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: done(embedder))
                assert len(here.model.texts) == len(OPTIONS)
                assert (
                    await here.names(await embedder.nearest("print documents", 2)) == ["services.printing.enable"] * 2
                )

    complete(work())


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        pytest.param([math.nan] * DIMENSIONS, "engine_garbage", id="no numbers"),
        pytest.param([0.0] * DIMENSIONS, "engine_garbage", id="all zeros"),
        pytest.param([], "engine_garbage", id="empty"),
    ],
)
def test_a_text_that_the_model_chokes_on_is_left_out_and_the_others_are_not(
    tmp_path: Path, spoilt: list[float], code: str
) -> None:
    def fault(texts: Sequence[str]) -> list[list[float]]:
        return [spoilt if "garbage" in text else bag(text) for text in texts]

    async def work() -> None:
        async with setting(tmp_path) as here:
            here.model.fault = fault
            embedder = here.embedder()
            with structlog.testing.capture_logs() as logs:
                async with running(embedder):
                    await until(lambda: done(embedder))
                    found = await here.names(await embedder.nearest("print documents", 20))
            assert sorted(found) == sorted(set(OPTIONS) - {"nix.gc.automatic"})
            assert [log["text"] for log in logs if log["event"] == "a text has no vector"] == [
                "nix gc automatic: Whether to collect garbage."
            ]

    complete(work())


def test_an_engine_that_refuses_everything_costs_no_text_and_is_tried_again(tmp_path: Path) -> None:
    def down(texts: Sequence[str]) -> None:
        raise EngineError("Ollama answered with status 500.", "See its log.")

    async def work() -> None:
        async with setting(tmp_path) as here:
            here.model.fault = down
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: len(here.model.batches) > 8)
                assert embedder.problem is not None
                assert embedder.problem.message == "Ollama answered with status 500."
                assert not embedder.working
                here.model.fault = lambda _: None
                await until(lambda: done(embedder))
                await until(lambda: embedder.problem is None)
                assert len(await embedder.nearest("secure shell", 20)) == len(OPTIONS)

    complete(work())


def test_the_pauses_after_failures_grow_and_a_success_makes_them_short_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            outcomes = itertools.chain([True] * 4, [False], itertools.repeat(True))

            def fault(texts: Sequence[str]) -> None:
                if next(outcomes):
                    raise EngineUnreachableError("Ollama does not answer.", "Start it.")

            here.model.fault = fault
            pauses: list[float] = []
            sleep = asyncio.sleep

            async def noted(seconds: float) -> None:
                if seconds >= 1:
                    pauses.append(seconds)
                await sleep(min(seconds, 0.005))

            monkeypatch.setattr("nix_trinity.answering.retriever.embedding.asyncio.sleep", noted)
            embedder = here.embedder(pace=Pace(look=0.01, first_pause=5, longest_pause=30))
            async with running(embedder):
                await until(lambda: len(pauses) >= 8)
            assert pauses[:8] == [10, 20, 30, 30, 5, 10, 20, 30]

    complete(work())


def test_a_model_that_is_not_installed_is_told_with_the_command_that_brings_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder(model="embeddinggemma")
            async with running(embedder):
                await until(lambda: embedder.problem is not None)
                assert embedder.problem is not None
                assert embedder.problem.stable_code == "model_missing"
                assert "ollama pull embeddinggemma" in embedder.problem.hint
                assert await embedder.nearest("anything") == []
            assert here.model.batches == []

    complete(work())


def test_a_question_gets_no_neighbours_from_half_a_list_and_asks_for_none(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            here.pause_after(2)
            embedder = here.embedder()
            async with running(embedder):
                await until(lambda: embedder.progress is not None and embedder.progress.done == 3)
                count = len(here.model.batches)
                assert await embedder.nearest("secure shell") == []
                assert len(here.model.batches) == count

    complete(work())


@pytest.mark.parametrize("trouble", ["silent", "refuses", "other length", "too many", "no number"])
def test_a_question_is_not_held_up_by_a_model_in_trouble(tmp_path: Path, trouble: str) -> None:
    def refuse(texts: Sequence[str]) -> None:
        raise EngineBusyError("Too much to do.", "Ask again.")

    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder(pace=Pace(look=0.01, question=0.1))
            async with running(embedder):
                await until(lambda: done(embedder))
                match trouble:
                    case "silent":
                        here.model.gate.clear()
                    case "refuses":
                        here.model.fault = refuse
                    case "other length":
                        here.model.dimensions = DIMENSIONS + 1
                    case "too many":
                        here.model.fault = lambda _: [bag("a"), bag("b")]
                    case _:
                        here.model.fault = lambda _: [[math.inf] * DIMENSIONS]
                async with asyncio.timeout(1):
                    assert await embedder.nearest("secure shell") == []

    complete(work())


def test_a_model_that_loads_for_longer_than_a_question_waits_gets_to_load_and_one_request_is_enough(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder(pace=Pace(look=0.01, question=0.05))
            async with running(embedder):
                await until(lambda: done(embedder))
                before = len(here.model.batches)
                here.model.gate.clear()
                ended = here.model.ended
                assert await embedder.nearest("secure shell") == []
                assert await embedder.nearest("print documents") == []
                assert len(here.model.batches) == before + 1, "no second one in a row behind it"
                here.model.gate.set()
                await until(lambda: here.model.ended == ended + 1)
                await asyncio.sleep(0.05)
                assert await here.names(await embedder.nearest("print documents", 1)) == ["services.printing.enable"]
                here.model.gate.clear()
                assert await embedder.nearest("secure shell") == []
            assert here.model.ended == ended + 2, "none is left behind when the daemon ends"

    complete(work())


def test_without_a_model_there_is_nothing_to_do(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder(model="")
            async with asyncio.timeout(1):
                await embedder.run()
            assert await embedder.nearest("secure shell") == []
            assert here.model.batches == []

    complete(work())


def test_where_sqlite_vec_cannot_be_loaded_the_rest_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite_vec.loadable_path", lambda: str(tmp_path / "missing"))

    async def work() -> None:
        async with setting(tmp_path) as here:
            embedder = here.embedder()
            async with asyncio.timeout(5):
                await embedder.run()
            assert embedder.problem is not None
            assert embedder.problem.stable_code == "vectors_unavailable"
            assert "sqlite-vec cannot be loaded" in embedder.problem.message
            assert await embedder.nearest("secure shell") == []
            assert await here.corpus.read(lambda index: index.options_named("sound.enable")) != []
            write_options(here.options, {"sound.enable": "Changed."})
            await here.corpus.refresh()
            assert here.corpus.problems == ()

    complete(work())


def test_sql_cannot_load_code_afterwards(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            with pytest.raises(CorpusError, match="not authorized"):
                await here.corpus.vectors(
                    lambda table: table._connection.execute("SELECT load_extension('/nowhere')").fetchall()
                )

    complete(work())


def test_vectors_of_several_lengths_are_kept_by_none(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            await here.corpus.vectors(lambda table: table.use(MODEL, "one"))
            assert await here.corpus.vectors(lambda table: table.catch_up(100)) is False
            missing = await here.corpus.vectors(lambda table: table.missing(100))
            first, second, *_ = missing
            mixed = [(first.digest, [1.0, 2.0]), (second.digest, [1.0, 2.0, 3.0])]
            with pytest.raises(ValueError, match="2 and 3 dimensions"):
                await here.corpus.vectors(lambda table: table.put(mixed))
            assert await here.corpus.vectors(lambda table: table.missing(100)) == missing
            await here.corpus.vectors(lambda table: table.put([(first.digest, [1.0, 2.0])]))
            left = await here.corpus.vectors(lambda table: table.put([(second.digest, [1.0, 2.0, 3.0])]))
            assert left.done == 1, "a model with another number of dimensions starts anew"

    complete(work())


def test_a_text_that_went_while_it_was_embedded_leaves_no_vector(tmp_path: Path) -> None:
    async def work() -> None:
        async with setting(tmp_path) as here:
            await here.corpus.vectors(lambda table: table.use(MODEL, "one"))
            assert await here.corpus.vectors(lambda table: table.catch_up(100)) is False
            before: list[TextToEmbed] = await here.corpus.vectors(lambda table: table.missing(100))
            write_options(here.options, {"sound.enable": OPTIONS["sound.enable"]})
            await here.corpus.refresh()
            assert await here.corpus.vectors(lambda table: table.catch_up(100)) is False
            rows = [(one.digest, bag(one.text)) for one in before]
            progress = await here.corpus.vectors(lambda table: table.put(rows))
            assert (progress.done, progress.all) == (1, 1)

    complete(work())


@given(
    st.lists(st.floats(-1, 1).filter(lambda x: x == 0 or abs(x) > 1e-6), min_size=1, max_size=400),
    st.floats(1e-6, 1e6),
)
def test_only_the_direction_of_a_vector_counts(one: list[float], factor: float) -> None:
    if not any(one):
        with pytest.raises(ValueError, match="no direction"):
            packed_vector(one)
        return
    packed, longer = packed_vector(one), packed_vector([value * factor for value in one])
    assert len(packed) == len(one)
    assert any(packed)
    assert all(abs(a - b) <= 1 for a, b in zip(memoryview(packed).cast("b"), memoryview(longer).cast("b"), strict=True))


@given(st.lists(st.floats(), max_size=40))
@example([5e-324])
@example([1e308] * 4)
@example([math.inf, 1.0])
def test_no_vector_of_whatever_numbers_breaks_the_packing(vector: list[float]) -> None:
    try:
        packed = packed_vector(vector)
    except ValueError:
        assert not vector or not 0 < math.hypot(*vector) < math.inf
    else:
        assert len(packed) == len(vector)
        assert any(packed)
