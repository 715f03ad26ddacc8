"""One role's part of a build: select → create → evaluate → decide → deploy."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from nix_trinity.config_sections import LearningSection
from nix_trinity.errors import TrinityError
from nix_trinity.knowledge.learning import Build, Lesson
from nix_trinity.knowledge.learning_store import LearningStore
from nix_trinity.roles import RoleSpec
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens
from nix_trinity.training.building import Builder
from nix_trinity.training.deployment import Deployment
from nix_trinity.training.evaluation import Evaluation, EvaluationReport
from nix_trinity.training.gate import decide
from nix_trinity.training.progress import BuildEvent, BuildStep, RoleResult, Step
from nix_trinity.training.selection import Selection, select
from nix_trinity.training.taken_back import taken_back
from nix_trinity.training.version import Learned, Manifest, deployed_name
from nix_trinity.training.versions import Versions

# More lessons than any window holds as examples; the most valuable ones of all that there are.
_MOST_LESSONS = 2_000
_MOST_HELD_OUT = 40
_LEAST_LEARNED_SHARE = 0.1

_Progress = Callable[[Step, int, int, str], None]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in milliseconds, and today's date on this machine."""

    now_ms: Callable[[], int]
    today: Callable[[], datetime.date]


class RoleLine:
    """Everything that a role's build needs, put together once."""

    def __init__(
        self,
        *,
        store: LearningStore,
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

    async def run(self, role: str, build: Build, release: str | None, tell: Callable[[BuildEvent], None]) -> RoleResult:
        """Build the role's next version where there is something new, and deploy it if it measures better.

        :raises TrinityError: it could not be built, evaluated or deployed; the deployed version stays as it is.
        """

        def step(name: Step, done: int, total: int, text: str) -> None:
            tell(BuildStep(role, name, done, total, text))

        spec, before = self._specs[role], self._versions.deployed(role)
        deployed, gone = before, await taken_back(self._store, before)
        if before is not None and gone:
            step("deploy", 0, 1, f"a version without what was taken back ({len(gone)} examples)")
            deployed = await self._without(gone, before, spec, build, release)
        selection = await self._selected(spec, deployed.learned if deployed is not None else ())
        step("select", 1, 1, f"{len(selection.learned)} examples, {len(selection.added)} of them new")
        why = await self._nothing_to_build(spec, deployed, selection, build)
        if why and before is not None and deployed is not None and gone:
            return RoleResult(role, "deployed", deployed.name, before.name, 0, len(gone), deployed.why)
        if why:
            return RoleResult(role, "nothing_new", deployed.name if deployed is not None else None, None, 0, 0, why)
        step("create", 0, 1, "making the candidate")
        candidate = await self._built(spec, selection.learned, build, release, from_base=build.kind == "monthly")
        step("create", 1, 1, candidate.name)
        report = await self._evaluated(candidate, deployed, selection, step)
        verdict = decide(report.comparison, validity=report.validity, carried=report.carried, first=deployed is None)
        step("decide", 1, 1, verdict.why)
        added, dropped = len(selection.added), len(selection.dropped)
        previous = deployed.name if deployed is not None else None
        if not verdict.deploy:
            # With its scores, so that the same examples are not tried again before something changes.
            self._versions.replace(candidate.name, scores=report.scores)
            await self._builder.discard(candidate.name, verdict.why)
            return RoleResult(role, "rejected", candidate.name, previous, added, dropped, verdict.why)
        step("deploy", 0, 1, candidate.name)
        await self._deploy(candidate, verdict.why)
        self._versions.replace(candidate.name, scores=report.scores)
        step("deploy", 1, 1, candidate.name)
        return RoleResult(role, "deployed", candidate.name, previous, added, dropped, verdict.why)

    async def _nothing_to_build(
        self, spec: RoleSpec, deployed: Manifest | None, selection: Selection, build: Build
    ) -> str:
        """Why there is nothing to build; '' where there is."""
        has_adapter = spec.modelfile.adapters or self._settings.adapters.get(spec.role)
        if deployed is None and not selection.learned and not has_adapter:
            return "Nothing was confirmed or corrected yet that this role could learn."
        if await self._builder.unchanged(spec, selection.learned):
            return "The deployed version has these very examples."
        tried = await self._builder.rejected_before(spec, selection.learned)
        if tried is not None and build.kind != "manual":
            return f"The same examples were tried as {tried.name}: {tried.why}"
        return ""

    async def _built(
        self, spec: RoleSpec, learned: Sequence[Learned], build: Build, release: str | None, *, from_base: bool
    ) -> Manifest:
        await self._ready(spec.role)
        return await self._builder.build(
            spec,
            learned,
            kind=build.kind,
            budget=self._budget(spec),
            release=release,
            today=self._clock.today(),
            now_ms=self._clock.now_ms(),
            from_base=from_base,
        )

    async def _evaluated(
        self, candidate: Manifest, deployed: Manifest | None, selection: Selection, step: _Progress
    ) -> EvaluationReport:
        before = {one.id: one.answer for one in (deployed.learned if deployed is not None else ())}
        carried = [one for one in selection.learned if one.kind == "corrected" and before.get(one.id) != one.answer]
        try:
            report = await self._evaluation.compare(
                candidate.role,
                candidate.name,
                deployed_name(candidate.role),
                held_out=await self._store.lessons(states=("held_out",), role=candidate.role, limit=_MOST_HELD_OUT),
                carried=carried,
                on_progress=lambda done, total: step("evaluate", done, total, "answers of both versions"),
            )
        except BaseException:
            # Whatever ended it, a candidate that was not judged is not left standing as one.
            await self._builder.discard(candidate.name, "It was not evaluated to the end.")
            raise
        self._versions.put_evaluation(candidate.name, report.as_mapping())
        return report

    async def _deploy(self, candidate: Manifest, why: str) -> Manifest:
        """Deploy it. Where that fails it may be tried again with the next build: it has no scores yet."""
        try:
            async with self._undisturbed(f"{candidate.name} is being deployed"):
                manifest = await self._deployment.deploy(candidate.name, now_ms=self._clock.now_ms(), why=why)
        except TrinityError as error:
            # With a journal it is recovery's to end, and that may need the model.
            if not await self._deployment.pending():
                await self._builder.discard(candidate.name, f"It could not be deployed: {error.message}")
            raise
        self._switched(candidate.role)
        return manifest

    async def _selected(self, spec: RoleSpec, current: Sequence[Learned]) -> Selection:
        lessons: Sequence[Lesson] = await self._store.lessons(states=("eligible",), limit=_MOST_LESSONS)
        budget = self._budget(spec)
        return select(current, lessons, role=spec.role, budget_tokens=budget, now_ms=self._clock.now_ms())

    def _budget(self, spec: RoleSpec) -> int:
        """The tokens that learned examples may have: what the role's own leave of the share, and never too little."""
        own = sum(most_tokens(message.content) + TOKENS_A_MESSAGE for message in spec.modelfile.messages)
        share = int(spec.num_ctx * self._settings.examples_share) - own
        return max(share, int(spec.num_ctx * _LEAST_LEARNED_SHARE))

    async def _without(
        self, gone: set[str], deployed: Manifest, spec: RoleSpec, build: Build, release: str | None
    ) -> Manifest:
        """Deploy the deployed version's examples without those that were taken back, and nothing new.

        Whoever deletes or rejects an exchange is promised that it goes, so this does not wait for an evaluation.
        """
        left = [one for one in deployed.learned if one.id not in gone]
        candidate = await self._built(spec, left, build, release, from_base=True)
        manifest = await self._deploy(candidate, "It is the one before without what was deleted or taken back.")
        await self._purge()
        return manifest
