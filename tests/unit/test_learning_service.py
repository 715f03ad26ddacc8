"""What operators can have done with versions and lessons, and what is refused with the next thing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from nix_trinity.catalogue import ROLES
from nix_trinity.config_sections import LearningSection
from nix_trinity.engines.protocol import ChatMessage, EngineLock
from nix_trinity.errors import NotFoundError, RequestError
from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Exchange
from nix_trinity.knowledge.inspection import Inspection
from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.knowledge.store import KnowledgeStore
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.learning import Pruned, WrittenReport
from nix_trinity.training.progress import BuildEvent, RoleResult
from nix_trinity.training.runs import BuildRuns
from nix_trinity.training.service import LearningService
from nix_trinity.training.versions import Versions
from tests.unit.fake_engine import FakeEngine, FakeModel
from tests.unit.test_versions import learned, manifest

OPERATOR = 7
NOW = 1_795_600_000_000
OLD, NOW_DEPLOYED, NEVER = "nix-expert-20260101", "nix-expert-20260102", "nix-expert-20260103"
QUICK = "nix-quick-20260102"
ANSWER = "Set `services.openssh.enable` to true."


class Checking:
    async def inspect(self, question: str, answer: str) -> Inspection:
        assert question
        return Inspection("26.11", "verified", {"services.openssh.enable": "boolean"} if "openssh" in answer else {})


class Service:
    """A service on real knowledge and versions, whose builds only note what they were to build."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder)
        self.kept = KnowledgeStore(self.database, keeps_exchanges=True)
        self.store = LearningStore(self.database)
        self.engine, self.versions = FakeEngine(), Versions(folder / "versions")
        self.analysis = Analysis(self.store, Checking(), (), LearningSection(held_out_share=0.0))
        self.switched: list[str] = []
        self.built: list[Build] = []
        self.service = LearningService(
            runs=BuildRuns(self.store, self._work, holding=self._nothing_holds, now_ms=lambda: NOW),
            store=self.store,
            versions=self.versions,
            deployment=Deployment(self.engine.source, self.versions, folder / "deployment.toml", lock=EngineLock()),
            prune=self._prune,
            report=self._report,
            analyse=self._analyse,
            now_ms=lambda: NOW,
            switched=self.switched.append,
        )

    async def _work(self, build: Build, tell: Callable[[BuildEvent], None]) -> Sequence[RoleResult]:  # noqa: ARG002 (the port's)
        self.built.append(build)
        return [RoleResult(role, "nothing_new", None, None, 0, 0, "") for role in build.roles]

    async def _nothing_holds(self) -> str | None:
        return None

    async def _prune(self, dry_run: bool) -> Pruned:
        return Pruned(dry_run, (), (), 0, 0)

    async def _report(self, month: str) -> WrittenReport:
        return WrittenReport(f"/reports/{month}.md", "# Report")

    async def _analyse(self) -> None:
        await self.analysis.run(lambda _: None)

    def add_versions(self) -> None:
        for name, state, day in ((OLD, "previous", 1), (NOW_DEPLOYED, "deployed", 2), (NEVER, "rejected", 3)):
            model = self.engine.models[name] = FakeModel(messages=(ChatMessage("user", name),))
            deployed = None if state == "rejected" else day
            examples = [learned("a"), learned("b", answer=name)][:day]
            self.versions.put(
                manifest(name, *examples, state=state, built_at_ms=day, digest=model.digest, deployed_at_ms=deployed)
            )
        self.versions.put(manifest(QUICK, role="quick", state="deployed", built_at_ms=2, deployed_at_ms=2))
        self.engine.models["nix-expert"] = self.engine.models[NOW_DEPLOYED]

    async def ask(self, identifier: str, answer: str = ANSWER, outcome: str = "answered") -> None:
        exchange = Exchange(
            id=identifier, asked_at_ms=1, uid=1000, session="s", interface="cli", role="quick", verdict="verified",
            question="How do I enable the SSH server?", answer=answer, outcome=outcome,
        )  # fmt: skip
        await self.kept.keep(exchange)

    async def builds(self, *roles: str) -> list[BuildEvent]:
        return [event async for event in self.service.build("manual", roles, force=False, reason="asked for")]


def scenario(folder: Path, act: Callable[[Service], Awaitable[None]]) -> None:
    async def run() -> None:
        service = Service(folder)
        service.add_versions()
        try:
            await act(service)
        finally:
            await service.kept.close()

    asyncio.run(run())


def test_no_roles_means_all_and_each_is_built_once(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        await s.builds()
        await s.builds("quick", "expert", "quick")
        assert [one.roles for one in s.built] == [ROLES, ("quick", "expert")]
        assert [one.reason for one in await s.service.builds(1)] == ["asked for"]

    scenario(tmp_path, act)


@pytest.mark.parametrize(
    ("role", "hint"),
    [("exprt", "Did you mean expert?"), ("Coder", "Did you mean coder?"), ("zzz", f"The roles are {', '.join(ROLES)}")],
)
def test_a_role_that_is_not_there_is_refused_with_the_one_that_is_spelled_alike(
    tmp_path: Path, role: str, hint: str
) -> None:
    async def act(s: Service) -> None:
        # A build refuses before it begins, so that the answer's status says so.
        with pytest.raises(RequestError) as raised:
            s.service.build("manual", ["quick", role], force=True, reason="")
        assert raised.value.stable_code == "unknown_role"
        assert hint in raised.value.hint
        for refused in (s.service.versions(role), s.service.rollback(role, None)):
            with pytest.raises(RequestError, match=f"There is no role '{role}'") as raised:
                await refused
            assert hint in raised.value.hint
        assert s.built == []
        assert s.switched == []

    scenario(tmp_path, act)


def test_versions_are_listed_newest_first_of_all_roles_or_of_one(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        assert [one.name for one in await s.service.versions()] == [NEVER, NOW_DEPLOYED, QUICK, OLD]
        assert [one.name for one in await s.service.versions("expert")] == [NEVER, NOW_DEPLOYED, OLD]
        assert await s.service.versions("coder") == []

    scenario(tmp_path, act)


def test_the_difference_is_what_one_version_teaches_more(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        found = await s.service.difference(OLD, NOW_DEPLOYED)
        assert ([one.id for one in found.learned], found.dropped, found.kept) == (["b"], (), 1)
        with pytest.raises(RequestError, match="different roles"):
            await s.service.difference(OLD, QUICK)

    scenario(tmp_path, act)


def test_versions_that_are_not_there_are_not_found_and_those_spelled_alike_are_named(tmp_path: Path) -> None:
    wrong = "nix-expert-20260104"

    async def act(s: Service) -> None:
        for refused in (
            s.service.difference(wrong, OLD),
            s.service.difference(OLD, wrong),
            s.service.rollback("expert", wrong),
        ):
            with pytest.raises(NotFoundError, match=f"no version '{wrong}'") as raised:
                await refused
            assert NOW_DEPLOYED in raised.value.hint
        with pytest.raises(NotFoundError) as raised:
            await s.service.difference("../../etc/passwd", OLD)
        assert "nix-trinity versions" in raised.value.hint
        assert s.switched == []

    scenario(tmp_path, act)


def test_going_back_deploys_the_previous_version_and_tells_that_the_role_switched(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        assert (await s.service.rollback("expert", None)).name == OLD
        assert s.engine.models["nix-expert"] == s.engine.models[OLD]
        assert s.switched == ["expert"]
        deployed = s.versions.deployed("expert")
        assert deployed is not None
        assert (deployed.name, deployed.deployed_at_ms) == (OLD, NOW)
        assert s.versions.get(NOW_DEPLOYED).state == "previous"

    scenario(tmp_path, act)


@pytest.mark.parametrize(("version", "code"), [(NOW_DEPLOYED, "already_deployed"), (NEVER, "never_deployed")])
def test_what_cannot_be_gone_back_to_changes_nothing(tmp_path: Path, version: str, code: str) -> None:
    async def act(s: Service) -> None:
        with pytest.raises(RequestError) as raised:
            await s.service.rollback("expert", version)
        assert raised.value.stable_code == code
        with pytest.raises(NotFoundError, match="no earlier version of quick"):
            await s.service.rollback("quick", None)
        assert s.switched == []
        assert s.engine.models["nix-expert"] == s.engine.models[NOW_DEPLOYED]

    scenario(tmp_path, act)


def test_a_review_returns_the_lesson_that_the_exchange_became(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        await s.ask("k3f9bcdfgh")
        lesson = await s.service.review("k3f9", "accepted", OPERATOR, seen=ANSWER)
        assert (lesson.exchange_id, lesson.state, lesson.kind) == ("k3f9bcdfgh", "eligible", "confirmed")
        assert lesson.by_operator
        assert lesson.reason == "An operator accepted it."
        assert await s.service.candidates(10) == []
        again = await s.service.review("k3f9bcdfgh", "rejected", OPERATOR)
        assert (again.state, again.reason) == ("excluded", "An operator rejected it.")

    scenario(tmp_path, act)


def test_an_answer_that_changed_since_it_was_seen_is_not_decided_on(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        await s.ask("k3f9bcdfgh")
        with pytest.raises(RequestError) as raised:
            await s.service.review("k3f9bcdfgh", "accepted", OPERATOR, seen="Set `services.sshd` to true.")
        assert raised.value.stable_code == "answer_changed"
        assert "nix-trinity show k3f9bcdfgh" in raised.value.hint
        [waiting] = await s.store.waiting(10)
        assert waiting.review is None
        assert await s.store.lesson("k3f9bcdfgh") is None

    scenario(tmp_path, act)


def test_a_review_of_what_is_not_there_or_not_one_is_refused(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        await s.ask("k3f9bcdfgh")
        await s.ask("k3f9xxxxxx", "", "failed")
        with pytest.raises(NotFoundError, match="no exchange 'zzzz'"):
            await s.service.review("zzzz", "accepted", OPERATOR)
        with pytest.raises(RequestError, match="has no answer"):
            await s.service.review("k3f9x", "accepted", OPERATOR)
        with pytest.raises(RequestError, match="More than one") as raised:
            await s.service.review("k3f9", "accepted", OPERATOR)
        assert raised.value.stable_code == "ambiguous_id"
        with pytest.raises(RequestError):
            await s.service.review("", "accepted", OPERATOR)
        assert [one.review for one in await s.store.waiting(10)] == [None]

    scenario(tmp_path, act)


def test_pruning_and_reports_are_passed_on(tmp_path: Path) -> None:
    async def act(s: Service) -> None:
        assert (await s.service.prune(dry_run=True)).dry_run is True
        assert (await s.service.prune(dry_run=False)).dry_run is False
        assert (await s.service.report("2026-10")).path == "/reports/2026-10.md"

    scenario(tmp_path, act)
