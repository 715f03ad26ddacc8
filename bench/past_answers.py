"""``python -m bench.past_answers``: the whole search over real options plus 100,000 exchanges, in milliseconds.

The exchanges are made up by a seeded generator: questions about random options in everyday words, asked by twenty
people; half of the verdicts are an operator's. Once 5,000 of them are accepted, once all are.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

import apsw

from bench.corpora import indexed, own_questions, retriever
from nix_trinity.answering.grounding import Grounding
from nix_trinity.answering.past import PastSource
from nix_trinity.answering.retriever.embedding import Embedder
from nix_trinity.engines.protocol import Engine
from nix_trinity.knowledge import exchanges as rows
from nix_trinity.knowledge import past_answers
from nix_trinity.knowledge.corpus.words import attribute_words
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.options import Option
from nix_trinity.knowledge.store import KnowledgeStore

EXCHANGES = 100_000
PEOPLE = range(1000, 1020)
READER = PEOPLE[0]
BATCH = 1_000
OPENINGS = (
    "how do I set {}",
    "please turn on {} on my laptop",
    "what does {} do and do I need it",
    "{} does not work after an upgrade, why",
    "I want {} for everybody on the server at home",
    "enable {}",
)
ANSWER = "Set `{}` in configuration.nix, run `sudo nixos-rebuild switch`, and look at it with `systemctl status`."


def made_up(random: Random, options: Sequence[Option], number: int) -> Exchange:
    """An exchange about one option."""
    option = random.choice(options)
    words = " ".join(word for part in option.path for word in attribute_words(part))
    question = random.choice(OPENINGS).format(words)
    return Exchange(
        id=f"x{number:06}",
        asked_at_ms=number,
        uid=random.choice(PEOPLE),
        session="s",
        interface="cli",
        question=question,
        answer=ANSWER.format(option.name),
        outcome="answered",
        verdict="verified",
    )


def put(connection: apsw.Connection, batch: Sequence[Exchange]) -> None:
    """Keep some exchanges."""
    for one in batch:
        rows.put_exchange(connection, one)


def accept(connection: apsw.Connection, batch: Sequence[tuple[str, bool]]) -> None:
    """Say that some answers were good; each by an operator or by the asker."""
    for exchange_id, by_operator in batch:
        good = Feedback(given_at_ms=1, uid=READER, verdict="good", by_operator=by_operator)
        rows.put_feedback(connection, exchange_id, good)
        past_answers.refresh(connection, exchange_id)


async def timed(title: str, grounding: Grounding, past: PastSource | None) -> None:
    """Ask all of the project's own questions and print how long the search took, also in processor time alone."""
    wall, processor, given = [], [], 0
    for question in own_questions():
        began, worked = time.perf_counter(), time.process_time()
        grounds = await grounding.grounds(question.question, "", past=past or ())
        wall.append((time.perf_counter() - began) * 1e3)
        processor.append((time.process_time() - worked) * 1e3)
        given += bool(grounds.past)
    print(f"{title:<34} {_spread(wall)}; processor {_spread(processor)}; past answers given to {given} of {len(wall)}")


def _spread(times: list[float]) -> str:
    times.sort()
    return f"median {statistics.median(times):5.1f} ms, 99th percentile {times[int(len(times) * 0.99)]:5.1f} ms"


async def measure(folder: Path) -> None:
    """Fill a store in two steps and time the search at each."""
    random = Random(20919)

    async def no_engine() -> Engine:
        raise AssertionError("there are no vectors here")

    async with indexed(folder) as corpus:
        search = retriever()
        grounding = Grounding(corpus, lambda: search, Embedder(no_engine, corpus, model="", busy=lambda: False))
        options = await corpus.read(lambda index: index.all_options())
        database = Database(folder)
        store = KnowledgeStore(database, keeps_exchanges=True)
        past = partial(store.accepted_like, READER)
        for start in range(0, EXCHANGES, BATCH):
            batch = [made_up(random, options, number) for number in range(start, start + BATCH)]
            await database.run(partial(put, batch=batch))
        await timed("warming up", grounding, past)
        await timed("without past answers", grounding, None)
        order = random.sample(range(EXCHANGES), EXCHANGES)
        for title, chosen in (
            (f"{EXCHANGES:,} kept, 5,000 accepted", order[:5_000]),
            (f"{EXCHANGES:,} kept, all accepted", order[5_000:]),
        ):
            for start in range(0, len(chosen), BATCH):
                part = [(f"x{number:06}", random.random() < 0.5) for number in chosen[start : start + BATCH]]
                await database.run(partial(accept, batch=part))
            await timed(title, grounding, past)
        began = time.perf_counter()
        await store.forget(Reader(READER, sees_all=True), "x000077")
        print(f"forget one of them: {(time.perf_counter() - began) * 1e3:.0f} ms")
        print(f"knowledge.db: {database.path.stat().st_size / 1e6:.0f} MB")
        await store.close()


def main() -> None:
    """Measure in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
