"""What one question is answered from: the finds of the search, and the verifier over the same options."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nix_trinity.answering.retriever.retrieve import Retrieved, Retriever
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.renamed import Renames, load_renamed
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.search import IndexReader
from nix_trinity.knowledge.option_tree import OptionTree


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a question is answered from. Without options there is no verifier, and ``problem`` says why."""

    retrieved: Retrieved | None
    verifier: Verifier | None
    release: str | None
    """The NixOS release that the options say they are of."""
    problem: str = ""
    tree: OptionTree | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The search by itself: the finds, of which release, and what each feature counts."""

    retrieved: Retrieved
    release: str | None
    weights: Mapping[str, float]


class Grounding:
    """Searches and checks against the index; the verifier is made once for each state of it."""

    def __init__(self, corpus: Corpus, retriever: Callable[[], Retriever]) -> None:
        """``retriever`` is called in the index's thread: reading its vocabulary takes a moment the first time."""
        self._corpus = corpus
        self._retriever = retriever
        self._made: tuple[Verifier, OptionTree] | None = None
        self._made_of: int | None = None
        self._making = asyncio.Lock()

    async def grounds(self, question: str, attachment: str, *, past: dict[str, float] | None = None) -> Grounds:
        """Search for a question. A search that fails is said to have failed: it is not "nothing found"."""
        try:
            retrieved, release, count = await self._corpus.read(
                lambda index: (
                    self._retriever().retrieve(index, question, attachment, past=past),
                    index.release(),
                    index.count(),
                )
            )
            if not count:
                return Grounds(retrieved, None, release, self._missing())
            verifier, tree = await self._current()
            return Grounds(retrieved, verifier, release, tree=tree)
        except TrinityError as error:
            return Grounds(None, None, None, str(error))

    async def search(self, words: str, *, limit: int) -> Search:
        """The search by itself.

        :raises TrinityError: it failed; nothing was searched.
        """

        def work(index: IndexReader) -> Search:
            retriever = self._retriever()
            return Search(retriever.retrieve(index, words, limit=limit), index.release(), retriever.weights)

        return await self._corpus.read(work)

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
    return Verifier(tree, Renames(load_renamed()), index.release() or ""), tree
