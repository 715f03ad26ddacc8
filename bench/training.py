"""``make bench-training``: what learning costs besides the models' time, at 1,000, 10,000 and 100,000 exchanges.

The *own work* of a build that finds a hundred exchanges judged anew: analyse these (with the real check against our
sample of options), read what may be learned, select, and see what was deleted. Then the selection alone, over so many
lessons that may all be learned. Memory is the most that the process had, over what it had before.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import msgspec

from bench.corpora import own_questions
from nix_trinity.answering.admission import Admission
from nix_trinity.answering.assembly import assemble
from nix_trinity.answering.inspection import TextInspector
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.config import parse_config
from nix_trinity.config_sections import LearningSection
from nix_trinity.engines.protocol import Engine
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, put_exchange, put_feedback
from nix_trinity.knowledge.learning import Lesson
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.sameness import cluster_key
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.questions import load_questions
from nix_trinity.training.selection import select
from tests.stack.daemon_process import SAMPLE_OPTIONS

SIZES = (1_000, 10_000, 100_000)
NEW = 100
BUDGET = 2_000
_DAY_MS = 86_400_000
_NOW_MS = 1_800_000_000_000


def main() -> None:
    print(f"{'exchanges':>10}  {'own work, ' + str(NEW) + ' new':>20}  {'selection over all':>20}  {'memory':>10}")
    for size in SIZES:
        # In a process of its own, so that each has its own peak of memory.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            own, selection, memory = pool.apply(_measured, (size,))
        print(f"{size:>10,}  {own:>18.2f} s  {selection:>18.2f} s  {memory:>7.0f} MB", flush=True)


def _measured(size: int) -> tuple[float, float, float]:
    return asyncio.run(_measure(size))


async def _measure(size: int) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(folder)
        knowledge = KnowledgeStore(database, keeps_exchanges=True)
        await knowledge.open()
        await database.run(lambda connection: _fill(connection, size))
        store = LearningStore(database)
        await store.analysed([], [one.id for one in await store.waiting(1)])
        inspector, corpus = await _inspector(folder, knowledge)
        settings = LearningSection(consent_by_default=True)
        analysis = Analysis(store, inspector, load_questions().asked, settings)
        # The first inspection loads the vocabulary and the tree, whatever is kept.
        await inspector.inspect("How do I enable SSH?", "Set `services.openssh.enable = true;`.")
        await database.run(lambda connection: _judge_anew(connection, size))
        before = _peak_mb()
        began = time.perf_counter()
        done = await analysis.run(lambda _: None)
        lessons = await store.lessons(states=("eligible",), limit=2_000)
        chosen = select((), lessons, role="quick", budget_tokens=BUDGET, now_ms=_NOW_MS)
        await store.existing([one.id for one in chosen.learned])
        own = time.perf_counter() - began
        assert done == NEW, done
        began = time.perf_counter()
        select((), _lessons(size), role="quick", budget_tokens=BUDGET, now_ms=_NOW_MS)
        selection = time.perf_counter() - began
        memory = _peak_mb() - before
        await corpus.close()  # type: ignore[attr-defined]
        await knowledge.close()
        return own, selection, memory


async def _inspector(folder: Path, store: KnowledgeStore) -> tuple[TextInspector, object]:
    async def nobody() -> Engine:
        raise AssertionError("no model is asked")

    config = parse_config(f'[state]\ndirectory = "{folder}"\n[corpus]\noptions = "{SAMPLE_OPTIONS}"\n', origin="bench")
    assembly = assemble(
        config,
        engine=nobody,
        models=RoleModels(nobody, {}),
        store=store,
        admission=Admission(1, 1, time.monotonic),
        nixos_release=None,
        busy=lambda: False,
    )
    await assembly.corpus.refresh()
    return assembly.inspector, assembly.corpus


def _questions(size: int) -> Iterator[tuple[str, str]]:
    """Questions that are all different, with an answer each."""
    chance = random.Random(5)
    known = [one for one in own_questions() if one.expected_options]
    for number in range(size):
        one = known[number % len(known)]
        words = " ".join(
            f"{chance.choice('bcdfgklmnprst')}{chance.choice('aeiou')}{chance.randrange(10_000)}" for _ in "12"
        )
        yield f"{one.question} ({words})", f"Set `{one.expected_options[0]}`."


def _fill(connection: apsw.Connection, size: int) -> None:
    for number, (question, answer) in enumerate(_questions(size)):
        put_exchange(connection, _exchange(number, question, answer))
        if number % 10 == 0:
            put_feedback(connection, f"x{number:09}", Feedback(given_at_ms=_NOW_MS - _DAY_MS, uid=1000, verdict="good"))
    # As after a build: all of it was analysed.
    connection.execute("DELETE FROM to_analyse")
    columns = msgspec.structs.fields(Lesson)
    names = ", ".join(field.name for field in columns)
    marks = ", ".join("?" * len(columns))
    for lesson in _lessons(size // 10):
        values = msgspec.structs.asdict(lesson) | {"option_types": "{}"}
        connection.execute(f"INSERT INTO lessons ({names}) VALUES ({marks})", tuple(values.values()))


def _judge_anew(connection: apsw.Connection, size: int) -> None:
    for number in range(1, 10 * NEW, 10):
        said = Feedback(
            given_at_ms=_NOW_MS, uid=1000, verdict="corrected", correction="Set `services.openssh.enable = true;`."
        )
        put_feedback(connection, f"x{number % size:09}", said)


def _exchange(number: int, question: str, answer: str) -> Exchange:
    return Exchange(
        id=f"x{number:09}",
        asked_at_ms=_NOW_MS - 400 * _DAY_MS + number * 300_000,
        uid=1000,
        session=f"s{number // 3}",
        interface="cli",
        question=question,
        role="quick",
        answer=answer,
        outcome="answered",
        verdict="verified",
    )


def _lessons(size: int) -> Iterator[Lesson]:
    chance = random.Random(7)
    for number, (question, answer) in enumerate(_questions(size)):
        yield Lesson(
            exchange_id=f"x{number * 10:09}",
            role=chance.choice(("quick", "expert")),
            topic=f"services.s{chance.randrange(200)}",
            kind=chance.choice(("confirmed", "corrected")),
            state="eligible",
            reason="One person called it good.",
            value=chance.random(),
            cluster=cluster_key(question) if number < 1_000 else f"{number:064}",
            question=question,
            answer=answer,
            judged_by=1000,
            judged_at_ms=_NOW_MS - chance.randrange(400) * _DAY_MS,
        )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
