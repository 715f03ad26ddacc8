"""What one question is answered from: the finds of the search, and the verifier over the same options."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nix_trinity.answering.known import sameness
from nix_trinity.answering.past import PastSource, as_passage, asked_stems, of_pack, recall, shares
from nix_trinity.answering.retriever.embedding import Embedder
from nix_trinity.answering.retriever.retrieve import Retrieved, Retriever
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.renamed import Renamed, Renames, load_renamed
from nix_trinity.errors import CorpusError, TrinityError
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.finds import Found, Rename
from nix_trinity.knowledge.corpus.search import IndexReader
from nix_trinity.knowledge.option_tree import OptionTree, split_name
from nix_trinity.knowledge.past_answers import Past

# What is looked up in knowledge.db may wait behind a slow disk; an answer does not wait for it.
_PAST_SECONDS = 1.0
_MOST_PAST = 8
_MOST_PAST_PASSAGES = 2


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a question is answered from. Without options there is no verifier, and ``problem`` says why."""

    retrieved: Retrieved | None
    verifier: Verifier | None
    release: str | None
    """The NixOS release that the options say they are of."""
    problem: str = ""
    tree: OptionTree | None = None
    past: tuple[Found, ...] = ()
    """Past answers for the prompt, the most alike first."""


@dataclass(frozen=True, slots=True)
class Search:
    """The search by itself: the finds, of which release, and what each feature counts."""

    retrieved: Retrieved
    release: str | None
    weights: Mapping[str, float]


class Grounding:
    """Searches and checks against the index; the verifier is made once for each state of it."""

    def __init__(self, corpus: Corpus, retriever: Callable[[], Retriever], embedder: Embedder) -> None:
        """``retriever`` is called in the index's thread: reading its vocabulary takes a moment the first time."""
        self._corpus = corpus
        self._retriever = retriever
        self._embedder = embedder
        self._made: tuple[Verifier, OptionTree] | None = None
        self._made_of: int | None = None
        self._making = asyncio.Lock()

    async def grounds(self, question: str, attachment: str, *, past: PastSource | Sequence[Past] = ()) -> Grounds:
        """Search for a question. A search that fails is said to have failed: it is not "nothing found".

        ``past`` finds the accepted exchanges that the person may draw on, or is what was found already.
        """
        try:
            found = await self._past(question, past) if callable(past) else past
            near = await self._embedder.nearest(question)
            verifier = (await self._current())[0] if found else None
            grounds = await self._corpus.read(
                lambda index: self._searched(index, question, attachment, near, found, verifier)
            )
            if grounds.problem:
                return grounds
            verifier, tree = await self._current()
            return replace(grounds, verifier=verifier, tree=tree)
        except TrinityError as error:
            return Grounds(None, None, None, str(error))

    async def asked_before(self, question: str, past: PastSource) -> tuple[tuple[Past, ...], Grounds, Sequence[Past]]:
        """The accepted exchanges whose question is this very one, this system's
        own before those of packs, the newest first; what checks their answers; and all
        that ``past`` found, for :meth:`grounds`.

        None where nothing is there to check them by, and when the search fails: then a model is asked.
        """
        found: Sequence[Past] = ()
        nothing = Grounds(None, None, None)
        try:
            found = await self._past(question, past)
            same = await self._corpus.read(lambda index: self._same(index, question, found)) if found else ()
            if not same:
                return (), nothing, found
            release = await self._corpus.read(lambda index: index.release())
            verifier, tree = await self._current()
        except TrinityError:
            return (), nothing, found
        return same, Grounds(None, verifier, release, tree=tree), found

    async def checker(self) -> tuple[Verifier, OptionTree, str | None]:
        """What checks a text without a search for it: the verifier, the options, and the release that these are of.

        :raises CorpusError: there are no options (``options_missing``), or the index cannot be read.
        """
        count, release = await self._corpus.read(lambda index: (index.count(), index.release()))
        if not count:
            raise CorpusError(self._missing(), "See what is indexed with: nix-trinity status", code="options_missing")
        return *await self._current(), release

    async def warm_up(self) -> None:
        """Load what the first question would wait for; without an index there is nothing to load."""
        with contextlib.suppress(TrinityError):
            await self._corpus.read(lambda _: self._retriever())
            await self._current()

    async def search(self, words: str, *, limit: int) -> Search:
        """The search by itself.

        :raises TrinityError: it failed; nothing was searched.
        """

        near = await self._embedder.nearest(words)

        def work(index: IndexReader) -> Search:
            retriever = self._retriever()
            return Search(retriever.retrieve(index, words, limit=limit, near=near), index.release(), retriever.weights)

        return await self._corpus.read(work)

    async def _past(self, question: str, past: PastSource) -> Sequence[Past]:
        """Accepted exchanges that share words with the question, and after them those of packs.

        None where no options are there to check them by.
        """

        def work(index: IndexReader) -> tuple[list[str], list[Past]]:
            stems = list(asked_stems(question, self._retriever().vocabulary, index)) if index.count() else []
            return stems, [of_pack(one) for one in index.packs_like(stems, limit=_MOST_PAST)]

        stems, packed = await self._corpus.read(work)
        try:
            async with asyncio.timeout(_PAST_SECONDS):
                return [*await past(stems, _MOST_PAST), *packed] if stems else ()
        except TimeoutError:
            return packed

    def _same(self, index: IndexReader, question: str, found: Sequence[Past]) -> tuple[Past, ...]:
        words = self._retriever().vocabulary
        same = [past for past in found if sameness(question, past.question, words, index.frequencies)]
        return tuple(sorted(same, key=lambda past: (past.pack is not None, -past.accepted_at_ms)))

    def _searched(
        self,
        index: IndexReader,
        question: str,
        attachment: str,
        near: Sequence[int],
        found: Sequence[Past],
        verifier: Verifier | None,
    ) -> Grounds:
        """The finds, without the verifier. In the index's thread."""
        retriever = self._retriever()
        asked = asked_stems(question, retriever.vocabulary, index) if found else {}
        recalled = (
            recall(asked, found, vocabulary=retriever.vocabulary, index=index, verifier=verifier)
            if verifier is not None
            else ()
        )
        passages = [passage for one in recalled if (passage := as_passage(one)) is not None]
        return Grounds(
            retriever.retrieve(index, question, attachment, near=near, past=shares(recalled)),
            None,
            index.release(),
            "" if index.count() else self._missing(),
            past=tuple(passages[:_MOST_PAST_PASSAGES]),
        )

    async def _current(self) -> tuple[Verifier, OptionTree]:
        async with self._making:
            if self._made is None or self._made_of != self._corpus.generation:
                self._made_of = self._corpus.generation
                self._made = await self._corpus.read(_verifier)
            return self._made

    def _missing(self) -> str:
        told = " ".join(self._corpus.problems)
        return (
            f"There are no NixOS options to check against{f' ({told})' if told else ''}. Set corpus.options to the "
            "options.json of this system (services.nixTrinity does), or documentation.nixos.enable = true."
        )


def _verifier(index: IndexReader) -> tuple[Verifier, OptionTree]:
    options = index.all_options()
    # NixOS' own options come first, so that of two with one name theirs is kept.
    options.sort(key=lambda option: option.origin != "nixos")
    tree = OptionTree(options)
    # What this machine's own lists were seen to rename comes last: it is surer than our table.
    renames = Renames([*load_renamed(), *(_row(rename) for rename in index.renames())])
    return Verifier(tree, renames, index.release() or ""), tree


def _row(rename: Rename) -> Renamed:
    return Renamed(split_name(rename.old) or (rename.old,), split_name(rename.new), rename.release)
