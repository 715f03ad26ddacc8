"""``make bench-retrieval``: how often a right option is found first, and among the first five.

``--fit`` fits the ranking's weights on the project's own questions and writes ``modelfiles/ranking.toml``; the
held-out questions have no part in it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import fitting
from bench.corpora import (
    Labelled,
    held_out_questions,
    indexed,
    is_right,
    own_questions,
    retriever,
    unanswered_questions,
)
from bench.with_vectors import embedded
from nix_trinity.answering.retriever.features import confidence_features
from nix_trinity.answering.retriever.ranking import FILE_NAME, Ranking
from nix_trinity.answering.retriever.retrieve import Gathered, Retriever
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.knowledge.corpus.corpus import Corpus

Near = Mapping[str, Sequence[int]]
"""For each question the options whose vectors are nearest."""


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit the weights on the project's own questions")
    parser.add_argument("--vectors", action="store_true", help="with vectors too; the first time this takes minutes")
    parser.add_argument("--misses", action="store_true", help="list the project's own questions that miss")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        async with indexed(Path(folder)) as corpus:
            print(f"full index, without vectors: {time.perf_counter() - began:.2f} s, unpacking included")
            began = time.perf_counter()
            await corpus.refresh()
            print(f"unchanged: {(time.perf_counter() - began) * 1e3:.0f} ms")
            if given.fit:
                await fit(corpus, {})
            await both(corpus, {}, "without vectors", misses=given.misses)
    if given.vectors:
        texts = [one.question for one in (*own_questions(), *held_out_questions())]
        async with embedded([*texts, *unanswered_questions()]) as (corpus, near):
            if given.fit:
                await fit(corpus, near)
            await both(corpus, near, "with vectors", misses=given.misses)


async def both(corpus: Corpus, near: Near, how: str, *, misses: bool) -> None:
    """Report on both sets of questions."""
    search = retriever()
    known = frozenset(option.name for option in await corpus.read(lambda index: index.all_options()))
    await report(f"own questions, {how}", own_questions(), corpus, search, known, near, misses=misses)
    await report(f"held-out questions, {how}", held_out_questions(), corpus, search, known, near, misses=False)


async def fit(corpus: Corpus, near: Near) -> None:
    """Fit the weights, say what cross-validation makes of them, and write them.

    With vectors only their own weight is fitted, so that the others serve a machine without them as well.
    """
    search = retriever()
    known = frozenset(option.name for option in await corpus.read(lambda index: index.all_options()))
    gathered = []
    for question in own_questions():
        right = frozenset((*question.expected_options, *question.accept_also))
        found = await _gathered(corpus, search, question.question, near)
        gathered.append((question.id, found, [is_right(one.option.name, right, known) for one, _ in found.judged]))
    for line in unanswered_questions():
        found = await _gathered(corpus, search, line, near)
        gathered.append((line, found, [False] * len(found.judged)))
    usable = [
        fitting.Example(name, [values for _, values in found.judged], holds)
        for name, found, holds in gathered
        if any(holds)
    ]
    print(f"fitting on {len(usable)} of {len(gathered)} own questions: the others have none, or no right candidate")
    fixed = {name: weight for name, weight in search.weights.items() if name != "vector"} if near else fitting.BY_HAND
    one, five = fitting.cross_validated(usable, folds=5, fixed=fixed)
    print(f"cross-validated over those: first {one:.0%}, among five {five:.0%}")
    weights = fitting.fitted(
        usable, fixed={"vector": search.weights.get("vector", 0.0), **fixed} if not near else fixed
    )
    confident = search.confidence if near else _confidence(Retriever(search.vocabulary, Ranking(weights, {})), gathered)
    path = modelfiles_dir() / FILE_NAME
    path.write_text(fitting.as_toml(weights, confident), encoding="utf-8")
    print(f"wrote {path.name}")


def _confidence(search: Retriever, gathered: Sequence[tuple[str, Gathered, list[bool]]]) -> dict[str, float]:
    rows = []
    for _, found, holds in gathered:
        names = {one.option.name for (one, _), is_it in zip(found.judged, holds, strict=True) if is_it}
        ranked = search.ranked(found.judged)
        rows.append((confidence_features(found.query, ranked), any(one.option.name in names for one in ranked[:5])))
    for limit in (0.2, 0.5):
        kept, passed = fitting.shares_above(rows, limit, folds=5)
        print(
            f"likelihood of {limit}, cross-validated: reached by {kept:.0%} of the answered, {passed:.0%} of the others"
        )
    return fitting.confidence(rows)


async def _gathered(corpus: Corpus, search: Retriever, text: str, near: Near) -> Gathered:
    return await corpus.read(lambda index: search.gather(index, text, "", near=near.get(text, ())))


async def report(
    title: str,
    questions: Sequence[Labelled],
    corpus: Corpus,
    search: Retriever,
    known: frozenset[str],
    near: Near,
    *,
    misses: bool,
) -> None:
    places: dict[str, int | None] = {}
    strict: dict[str, int | None] = {}
    times = []
    asked = [question for question in questions if question.expected_options]
    for question in asked:
        right = frozenset((*question.expected_options, *question.accept_also))
        began = time.perf_counter()
        found = await corpus.read(
            lambda index, question=question: search.retrieve(  # type: ignore[misc]
                index, question.question, near=near.get(question.question, ())
            )
        )
        times.append((time.perf_counter() - began) * 1e3)
        names = [one.option.name for one in found.options]
        places[question.id] = _place(names, right, known)
        strict[question.id] = _place(names, frozenset(question.expected_options), known)
        if misses and (places[question.id] is None or places[question.id] >= 5):  # type: ignore[operator]
            print(f"\n{question.id} [{question.lang}] {question.question[:160]!r}")
            print("   wanted:", *question.expected_options[:4], "at", places[question.id])
            print("   found: ", *names[:5])
            print(
                "   terms: ",
                *(f"{term.stem}({','.join(v for v, _ in term.variants[:6])})" for term in found.query.terms),
            )
    print(f"\n{title}: {len(asked)} that have options")
    for label, key in (("all", lambda _: "all"), ("kind", lambda q: q.kind), ("language", lambda q: q.lang)):
        for name, line in _shares(asked, places, key).items():
            print(f"  {label:8} {name:8} {line}")
    print(f"  {'all':8} {'strictly':8} {_shares(asked, strict, lambda _: '')['']}: without what is also accepted")
    times.sort()
    print(f"  search: median {statistics.median(times):.1f} ms, 99th percentile {times[int(len(times) * 0.99)]:.1f} ms")


def _shares(
    questions: Sequence[Labelled], places: dict[str, int | None], key: Callable[[Labelled], str]
) -> dict[str, str]:
    groups: dict[str, list[int | None]] = defaultdict(list)
    for question in questions:
        groups[key(question)].append(places[question.id])
    return {
        name: f"first {_share(found, 1):4.0%}   among five {_share(found, 5):4.0%}   of {len(found)}"
        for name, found in sorted(groups.items())
    }


def _place(names: Sequence[str], right: frozenset[str], known: frozenset[str]) -> int | None:
    return next((at for at, name in enumerate(names) if is_right(name, right, known)), None)


def _share(places: Sequence[int | None], within: int) -> float:
    return sum(place is not None and place < within for place in places) / len(places)


if __name__ == "__main__":
    asyncio.run(main())
