"""The learn line of one build: staleness → analyse → for each role: select → create → evaluate → decide → deploy.

The order of the steps and what each hands on is all that stands here.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog

from nix_trinity.config_sections import LearningSection
from nix_trinity.errors import EngineUnreachableError, TrinityError
from nix_trinity.knowledge.learning import Build, Lesson
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.roles import RoleSpec
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens
from nix_trinity.training.analysis import Analysis
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.evaluation import Evaluation
from nix_trinity.training.gate import decide
from nix_trinity.training.ports import Inspector
from nix_trinity.training.progress import BuildEvent, BuildStep, RoleResult, Step
from nix_trinity.training.selection import Selection, select
from nix_trinity.training.staleness import refresh
from nix_trinity.training.version import Learned, Manifest, deployed_name
from nix_trinity.training.versions import Versions

# More lessons than any window holds as examples; the most valuable ones of all that there are.
_MOST_LESSONS = 2_000
_MOST_HELD_OUT = 40
_LEAST_LEARNED_SHARE = 0.1
_CHECKED = "options_checked"

_log = structlog.get_logger("training")

Tell = Callable[[BuildEvent], None]


class CorpusPort(Protocol):
    """What answers are grounded in."""

    async def refresh(self) -> None:
        """Read again the documentation, release notes and options."""
        ...

    async def stamp(self) -> tuple[str, str | None]:
        """What the lists of options are known by (it changes when they do), and the release that they are of."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in milliseconds, and today's date on this machine."""

    now_ms: Callable[[], int]
    today: Callable[[], datetime.date]


class LearnLine:
    """Everything that a build needs, put together once."""

    def __init__(
        self,
        *,
        store: LearningStore,
        inspector: Inspector,
        corpus: CorpusPort,
        analysis: Analysis,
        builder: Builder,
        evaluation: Evaluation,
        deployment: Deployment,
        versions: Versions,
        specs: Mapping[str, RoleSpec],
        settings: LearningSection,
        clock: Clock,
        ready: Callable[[str], Awaitable[object]],
        undisturbed: Callable[[str], AbstractAsyncContextManager[object]],
        switched: Callable[[str], None],
        purge: Callable[[], Awaitable[None]],
    ) -> None:
        """``ready`` sees to it that a role's model is there; ``undisturbed`` keeps the machine from sleeping;
        ``switched`` is told which role has another model; ``purge`` takes deleted exchanges out of old versions."""
        self._store = store
        self._inspector = inspector
        self._corpus = corpus
        self._analysis = analysis
        self._builder = builder
        self._evaluation = evaluation
        self._deployment = deployment
        self._versions = versions
        self._specs = specs
        self._settings = settings
        self._clock = clock
        self._ready = ready
        self._undisturbed = undisturbed
        self._switched = switched
        self._purge = purge

    async def run(self, build: Build, tell: Tell) -> list[RoleResult]:
        """Work through all roles of the build; what fails for one role leaves the others.

        :raises TrinityError: nothing could be done for any role.
        """
        if build.kind == "monthly":
            tell(BuildStep("", "check", 0, 1, "reading documentation and release notes again"))
            await self._corpus.refresh()
        await self._check_what_was_learned(tell)
        count = await self._analysis.run(
            lambda done: tell(BuildStep("", "analyse", done, 0, f"{done} exchanges looked at"))
        )
        tell(BuildStep("", "analyse", count, count, f"{count} exchanges were new or judged anew"))
        results: list[RoleResult] = []
        for role in build.roles:
            try:
                result = await self._role(role, build, tell)
            except EngineUnreachableError:
                raise
            except TrinityError as error:
                _log.warning("a role was not built", role=role, code=error.stable_code, error=error.message)
                result = RoleResult(role, "failed", None, None, 0, 0, f"{error.message} {error.hint}")
            results.append(result)
            tell(result)
        return results

    async def _check_what_was_learned(self, tell: Tell) -> None:
        stamp, release = await self._corpus.stamp()
        if await self._store.fact(_CHECKED) == stamp:
            return
        tell(BuildStep("", "check", 0, 1, "the options changed: checking what was learned"))
        report = await refresh(self._store, self._inspector, now_ms=self._clock.now_ms(), release=release)
        await self._store.set_fact(_CHECKED, stamp)
        text = f"{report.checked} answers checked, {report.renewed} renewed, {report.set_aside} set aside"
        tell(BuildStep("", "check", 1, 1, text))

    async def _role(self, role: str, build: Build, tell: Tell) -> RoleResult:
        def step(name: Step, done: int, total: int, text: str) -> None:
            tell(BuildStep(role, name, done, total, text))

        spec, deployed = self._specs[role], self._versions.deployed(role)
        if deployed is not None and (gone := await self._gone(deployed)):
            step("deploy", 0, 1, f"a version without what was deleted ({len(gone)} examples)")
            deployed = await self._without(gone, deployed, spec, build)
        current = deployed.learned if deployed is not None else ()
        selection = await self._selected(spec, current)
        step("select", 1, 1, f"{len(selection.learned)} examples, {len(selection.added)} of them new")
        if deployed is None and not selection.learned:
            return _nothing(role, None, "Nothing was confirmed or corrected yet that this role could learn.")
        if await self._builder.unchanged(spec, selection.learned):
            return _nothing(role, deployed, "The deployed version has these very examples.")
        rejected = await self._builder.rejected_before(spec, selection.learned)
        if rejected is not None and build.kind != "manual":
            return _nothing(role, deployed, f"The same examples were tried as {rejected.name}: {rejected.why}")
        _, release = await self._corpus.stamp()
        step("create", 0, 1, "making the candidate")
        await self._ready(role)
        candidate = await self._builder.build(
            spec,
            selection.learned,
            kind=build.kind,
            budget=self._budget(spec),
            release=release,
            today=self._clock.today(),
            now_ms=self._clock.now_ms(),
            from_base=build.kind == "monthly",
        )
        step("create", 1, 1, candidate.name)
        try:
            return await self._judged(candidate, deployed, selection, build, step)
        except BaseException:
            # Whatever ended it, a candidate that was not judged is not left standing as one.
            await self._builder.discard(candidate.name, "It was not evaluated to the end.")
            raise

    async def _judged(
        self,
        candidate: Manifest,
        deployed: Manifest | None,
        selection: Selection,
        build: Build,
        step: Callable[[Step, int, int, str], None],
    ) -> RoleResult:
        role = candidate.role
        before = {one.id: one.answer for one in (deployed.learned if deployed is not None else ())}
        carried = [one for one in selection.learned if one.kind == "corrected" and before.get(one.id) != one.answer]
        report = await self._evaluation.compare(
            role,
            candidate.name,
            deployed_name(role),
            held_out=await self._held_out(role),
            carried=carried,
            on_progress=lambda done, total: step("evaluate", done, total, "answers of both versions"),
        )
        self._versions.put_evaluation(candidate.name, report.as_mapping())
        verdict = decide(
            report.comparison,
            validity=report.validity,
            carried=report.carried,
            first=deployed is None,
        )
        step("decide", 1, 1, verdict.why)
        added, dropped = len(selection.added), len(selection.dropped)
        previous = deployed.name if deployed is not None else None
        self._versions.replace(candidate.name, scores=report.scores, checkpoint=build.kind == "monthly")
        if not verdict.deploy:
            await self._builder.discard(candidate.name, verdict.why)
            return RoleResult(role, "rejected", candidate.name, previous, added, dropped, verdict.why)
        step("deploy", 0, 1, candidate.name)
        async with self._undisturbed(f"{candidate.name} is being deployed"):
            await self._deployment.deploy(candidate.name, now_ms=self._clock.now_ms(), why=verdict.why)
        self._switched(role)
        step("deploy", 1, 1, candidate.name)
        return RoleResult(role, "deployed", candidate.name, previous, added, dropped, verdict.why)

    async def _selected(self, spec: RoleSpec, current: Sequence[Learned]) -> Selection:
        lessons: Sequence[Lesson] = await self._store.lessons(states=("eligible",), limit=_MOST_LESSONS)
        return select(current, lessons, role=spec.role, budget_tokens=self._budget(spec), now_ms=self._clock.now_ms())

    def _budget(self, spec: RoleSpec) -> int:
        """The tokens that learned examples may have: what the role's own leave of the share, and never too little."""
        own = sum(most_tokens(message.content) + TOKENS_A_MESSAGE for message in spec.modelfile.messages)
        share = int(spec.num_ctx * self._settings.examples_share) - own
        return max(share, int(spec.num_ctx * _LEAST_LEARNED_SHARE))

    async def _held_out(self, role: str) -> Sequence[Lesson]:
        return await self._store.lessons(states=("held_out",), role=role, limit=_MOST_HELD_OUT)

    async def _gone(self, deployed: Manifest) -> set[str]:
        return set(deployed.example_ids) - await self._store.existing(deployed.example_ids)

    async def _without(self, gone: set[str], deployed: Manifest, spec: RoleSpec, build: Build) -> Manifest:
        """Deploy the deployed version's examples without those that were deleted, and nothing new.

        Whoever deletes an exchange is promised that it goes, so this does not wait for an evaluation.
        """
        _, release = await self._corpus.stamp()
        await self._ready(spec.role)
        manifest = await self._builder.build(
            spec,
            [one for one in deployed.learned if one.id not in gone],
            kind=build.kind,
            budget=self._budget(spec),
            release=release,
            today=self._clock.today(),
            now_ms=self._clock.now_ms(),
            from_base=True,
        )
        why = "It is the one before without what was deleted."
        manifest = await self._deployment.deploy(manifest.name, now_ms=self._clock.now_ms(), why=why)
        self._switched(spec.role)
        await self._purge()
        return manifest


def _nothing(role: str, deployed: Manifest | None, why: str) -> RoleResult:
    return RoleResult(role, "nothing_new", deployed.name if deployed is not None else None, None, 0, 0, why)
