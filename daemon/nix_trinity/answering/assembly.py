"""Put together what answers questions. Loaded apart from the daemon: it takes a tenth of a second, and status waits."""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nix_trinity.answering.admission import Admission
from nix_trinity.answering.answer_line import Limits
from nix_trinity.answering.answerer import Answerer
from nix_trinity.answering.checking import SyntaxCheck
from nix_trinity.answering.fall_back import FallBack
from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.grounding import Grounding
from nix_trinity.answering.inspection import TextInspector
from nix_trinity.answering.option_facts import OptionFacts
from nix_trinity.answering.retriever import ranking, vocabulary
from nix_trinity.answering.retriever.embedding import Embedder
from nix_trinity.answering.retriever.retrieve import Retriever
from nix_trinity.answering.role_models import RoleModels
from nix_trinity.answering.trial import TrialPipeline
from nix_trinity.answering.verifier.nix_instantiate import parse_with_nix
from nix_trinity.answering.verifier.renamed import load_renamed, old_names
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.config import Config
from nix_trinity.engines.protocol import EngineSource
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.pack_places import places_of
from nix_trinity.knowledge.corpus.places import CorpusPlaces
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.role_engines import embedding_place, engine_places, fall_back_order


@dataclass(frozen=True, slots=True)
class Assembly:
    """What answers questions, and what keeps it up to date. ``corpus.refresh`` and ``embedder.run`` are to be run."""

    corpus: Corpus
    embedder: Embedder
    grounding: Grounding
    answerer: Answerer
    inspector: TextInspector
    """Checks texts that nobody waits for."""
    pipeline: TrialPipeline
    """Answers for versions that are not deployed."""
    facts: OptionFacts
    """Answers programs that ask for facts."""


def assemble(
    config: Config,
    *,
    engine: EngineSource,
    models: RoleModels,
    store: KnowledgeStore,
    admission: Admission,
    nixos_release: str | None,
    busy: Callable[[], bool],
) -> Assembly:
    """Build the objects; nothing is read yet. ``busy`` says whether questions are being answered."""
    corpus = Corpus(Path(config.state.directory), _places(config), orders=looks_like_injection)
    embedding_model = config.corpus.embedding_model if engine_places(config) and embedding_place(config) else ""
    embedder = Embedder(engine, corpus, model=embedding_model, busy=busy)
    grounding = Grounding(corpus, _retriever, embedder)
    syntax = _syntax_check(config.corpus.nix_instantiate)
    limits = Limits(config.answering.answer_tokens, config.answering.history_tokens, config.answering.passages_tokens)
    answerer = Answerer(
        engine=engine,
        models=models,
        store=store,
        grounding=grounding,
        syntax=syntax,
        admission=admission,
        limits=limits,
        nixos_release=nixos_release,
        fall_back=FallBack(engine, fall_back_order(config)),
    )
    pipeline = TrialPipeline(
        engine=engine,
        models=models,
        grounding=grounding,
        syntax=syntax,
        limits=limits,
        busy=busy,
        clock=time.monotonic,
    )
    facts = OptionFacts(corpus, grounding, syntax)
    return Assembly(corpus, embedder, grounding, answerer, TextInspector(grounding, syntax), pipeline, facts)


def _places(config: Config) -> CorpusPlaces:
    corpus = config.corpus
    return CorpusPlaces(
        options=corpus.options,
        home_manager_options=corpus.home_manager_options,
        manual=corpus.manual,
        notes=(str(modelfiles_dir() / "notes"), *corpus.notes),
        packs=places_of(corpus.packs),
    )


@functools.cache
def _retriever() -> Retriever:
    folder = modelfiles_dir()
    return Retriever(
        vocabulary.load_vocabulary(folder / vocabulary.FILE_NAME),
        ranking.load_ranking(folder / ranking.FILE_NAME),
        old_names(load_renamed()),
    )


def _syntax_check(configured: str) -> SyntaxCheck | None:
    program = configured or shutil.which("nix-instantiate")
    return functools.partial(parse_with_nix, program=Path(program)) if program else None
