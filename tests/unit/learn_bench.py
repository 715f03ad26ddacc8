"""A learn line whose knowledge, analysis, evaluation and versions are real; engine, check and models are played."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from nix_trinity.config_sections import LearningSection, RetentionSection
from nix_trinity.engines.protocol import EngineLock
from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange, Feedback, Reader
from nix_trinity.knowledge.inspection import Inspection, Trial
from nix_trinity.knowledge.learning import Build, BuildKind
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.modelfile.grammar import Message, Modelfile
from nix_trinity.roles import RoleSpec
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.evaluation import Evaluation
from nix_trinity.training.line import LearnLine
from nix_trinity.training.progress import BuildEvent, RoleResult
from nix_trinity.training.questions import Question, Questions
from nix_trinity.training.removal import Removal
from nix_trinity.training.role_line import Clock, RoleLine
from nix_trinity.training.versions import Versions
from tests.unit.fake_engine import BASE, FakeEngine

ALICE, OPERATOR = 1000, 7
NOW = 1_795_600_000_000
NAME = "nix-quick-20261125"
SSH, GRAPHICS, OLD_GRAPHICS = "services.openssh.enable", "hardware.graphics.enable", "hardware.opengl.enable"
PRINTING = "services.printing.enable"
KNOWN = {SSH: "boolean", GRAPHICS: "boolean", PRINTING: "boolean"}
ASKED = tuple(Question(id=f"q{n}", question=f"Evaluated number {n}?", options=(PRINTING,)) for n in range(8))
RIGHT = Trial(f"Set {PRINTING}.", "verified", (PRINTING,), (), True, 100.0, 20.0)
LOST, INVENTED = replace(RIGHT, names=()), replace(RIGHT, wrong=("x.y: no such option",))
OWN = Modelfile(messages=(Message("user", "What is a flake?"), Message("assistant", "A folder with a lock file.")))


class Options:
    """The check and the corpus: a text names an option when it holds its name."""

    def __init__(self) -> None:
        self.types = dict(KNOWN)
        self.renamed: dict[str, str] = {}
        self.the_stamp = "options-1"
        self.refreshed = 0
        self.inspected: list[str] = []
        self.missing = False

    async def inspect(self, question: str, answer: str) -> Inspection:
        if self.missing:
            raise CorpusError("There are no options.", "Set corpus.options.")
        self.inspected.append(question)
        renamed = {old: new for old, new in self.renamed.items() if old in answer}
        problems = tuple(f"{old} is called {new} now" for old, new in renamed.items())
        types = {name: text for name, text in self.types.items() if name in answer}
        return Inspection("26.11", "flagged" if problems else "verified", types, problems, renamed)

    async def refresh(self) -> None:
        self.refreshed += 1

    async def stamp(self) -> tuple[str, str | None]:
        return self.the_stamp, "26.11"


class Models:
    """A model says what it was taught, and else what ``says`` returns for it."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self.asked: list[tuple[str, str]] = []
        self.says: Callable[[str], Trial] = lambda _: RIGHT

    async def try_out(self, role: str, model: str, question: str) -> Trial:
        assert model.startswith(f"nix-{role}")
        self.asked.append((model, question))
        texts = [message.content for message in self.engine.models[model].messages]
        other = self.says(model)
        if question not in texts:
            return other
        answer = texts[texts.index(question) + 1]
        return replace(other, text=answer, names=tuple(name for name in KNOWN if name in answer))


class Line:
    """A learn line with real knowledge, analysis, evaluation and versions on a fake engine."""

    def __init__(self, folder: Path, settings: LearningSection) -> None:
        self.engine, self.options, lock = FakeEngine(), Options(), EngineLock()
        self.answers = Models(self.engine)
        self.database = Database(folder)
        self.kept = KnowledgeStore(self.database, keeps_exchanges=True)
        self.store = LearningStore(self.database)
        self.versions = Versions(folder / "versions")
        self.specs = {role: RoleSpec(role, BASE, 4096, OWN, {}) for role in ("quick", "expert")}
        self.switched: list[str] = []
        self.awake: list[str] = []
        self.told: list[BuildEvent] = []
        self.removal = Removal(
            *(self.engine.source, self.versions, self.store, self.database),
            policy=RetentionSection(),
            lock=lock,
            free_bytes=lambda: 10**12,
            now_ms=lambda: NOW,
            building=lambda: True,
        )
        clock = Clock(lambda: NOW, lambda: datetime.date(2026, 11, 25))
        self.roles = RoleLine(
            store=self.store,
            builder=Builder(self.engine.source, self.versions, lock=lock, free_bytes=lambda: 10**12),
            evaluation=Evaluation(self.answers, self.options, Questions(ASKED, ())),
            deployment=Deployment(self.engine.source, self.versions, folder / "deployment.toml", lock=lock),
            versions=self.versions,
            specs=self.specs,
            settings=settings,
            clock=clock,
            ready=self._ready,
            undisturbed=self._undisturbed,
            switched=self.switched.append,
            purge=self.removal.purge_forgotten,
        )
        self.line = LearnLine(
            store=self.store,
            inspector=self.options,
            corpus=self.options,
            analysis=Analysis(self.store, self.options, ASKED, settings),
            roles=self.roles,
            clock=clock,
        )

    async def _ready(self, role: str) -> None:
        self.engine.models.setdefault(f"nix-{role}", self.engine.models[BASE])

    @asynccontextmanager
    async def _undisturbed(self, why: str) -> AsyncIterator[None]:
        self.awake.append(why)
        yield

    async def say(
        self, identifier: str, question: str, answer: str, *, corrected: bool = True, by: int = ALICE, at: int = NOW
    ) -> None:
        exchange = Exchange(
            id=identifier, asked_at_ms=at - 10, uid=ALICE, session=identifier, interface="cli", role="quick",
            question=question, answer="Reboot." if corrected else answer, outcome="answered", verdict="verified",
        )  # fmt: skip
        await self.kept.keep(exchange)
        word = Feedback(
            given_at_ms=at, uid=by, by_operator=by == OPERATOR, verdict="corrected" if corrected else "good",
            correction=answer if corrected else None, check_verdict="verified" if corrected else None,
        )  # fmt: skip
        await self.kept.judge(Reader(by, sees_all=True), identifier, word)

    async def teach(self) -> None:
        await self.say("first", "How do I enable the SSH server?", f"Set {SSH} to true.")

    async def teach_more(self) -> None:
        await self.say("second", "How do I enable graphics?", f"Set {GRAPHICS} to true.", at=NOW + 1)

    async def results(self, *roles: str, kind: BuildKind = "weekly") -> dict[str, RoleResult]:
        self.told.clear()
        build = Build(id="b", kind=kind, state="running", roles=roles, reason="", started_at_ms=NOW)
        found = await self.line.run(build, self.told.append)
        assert [event for event in self.told if isinstance(event, RoleResult)] == found
        return {one.role: one for one in found}

    async def build(self, kind: BuildKind = "weekly") -> RoleResult:
        return (await self.results("quick", kind=kind))["quick"]

    def state(self, name: str) -> str:
        return self.versions.get(name).state

    def deployed(self) -> str:
        """The deployed version, whose model is the one that answers."""
        found = self.versions.deployed("quick")
        assert found is not None
        assert self.engine.models["nix-quick"] == self.engine.models[found.name]
        return found.name


def scenario(
    folder: Path, act: Callable[[Line], Awaitable[None]], *, held_out_share: float = 0.0, consent: bool = True
) -> None:
    async def run() -> None:
        line = Line(folder, LearningSection(consent_by_default=consent, held_out_share=held_out_share))
        try:
            await act(line)
        finally:
            await line.kept.close()

    asyncio.run(run())
