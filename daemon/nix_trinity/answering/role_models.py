"""See that each role's model is there: make it from its Modelfile and base when it is not.

A role's model counts as current when it has the base's weights and says what the role's Modelfile says and what the
deployed version has learned; else it is made anew, which takes Ollama a fraction of a second and no further disk for
weights. So a changed Modelfile or base counts at once, and what was learned is not lost by it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from nix_trinity.catalogue import same_model
from nix_trinity.engines.protocol import (
    ChatMessage,
    CreateRequest,
    Engine,
    EngineLock,
    EngineSource,
    InstalledModel,
    ModelDetails,
)
from nix_trinity.errors import EngineError, ModelMissingError
from nix_trinity.roles import RoleSpec
from nix_trinity.tokens import TOKENS_A_MESSAGE, expected_tokens, most_tokens

LearnedSource = Callable[[str], Awaitable[tuple[ChatMessage, ...]]]

_DIGEST_SHOWN = 12
# A model that is loaded already takes some tens of milliseconds; the smallest one takes more than this to load.
_LOADING_MILLISECONDS = 300.0


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A role's model that is there. ``prefix_…`` are the tokens of its own system text and examples."""

    name: str
    version: str
    num_ctx: int
    prefix_most: int
    prefix_expected: int
    answer_limit: int | None
    """The model's own ``num_predict``, in tokens, where it has one."""


class RoleModels:
    """The models of all roles on one engine."""

    def __init__(
        self,
        engine: EngineSource,
        specs: Mapping[str, RoleSpec],
        learned: LearnedSource | None = None,
        lock: EngineLock | None = None,
    ) -> None:
        """``learned`` tells the examples that a role's deployed version has besides the Modelfile's own; ``lock`` is
        shared with whatever else makes and deploys models."""
        self.specs = specs
        self._engine = engine
        self._learned = learned
        self._ready: dict[str, ReadyModel] = {}
        self._problems: dict[str, EngineError] = {}
        self._making = lock or EngineLock()
        self.reloads = 0
        """How often a model had to be loaded again for a role that had answered before."""
        self._answered: set[str] = set()

    async def ready(self, role: str) -> ReadyModel:
        """The role's model, made first if it has to be.

        :raises ModelMissingError: neither it nor its base is there; names what brings it.
        :raises EngineError: the engine cannot be asked, or cannot make it.
        """
        known = self._ready.get(role)
        if known is not None:
            return known
        async with self._making:
            if role not in self._ready:
                try:
                    self._ready[role] = await self._looked_up(self.specs[role])
                except EngineError as error:
                    self._problems[role] = error
                    raise
        return self._ready[role]

    def loaded(self, role: str, milliseconds: float) -> None:
        """Take down how long the engine was loading the role's model for an answer.

        A role that has answered before should find it loaded: else another program used the engine with other
        settings, or keep_alive is too short.
        """
        if role in self._answered and milliseconds >= _LOADING_MILLISECONDS:
            self.reloads += 1
        self._answered.add(role)

    def doubt(self, role: str) -> None:
        """Look again the next time: the engine said that the model is gone."""
        self._ready.pop(role, None)

    def known(self, role: str) -> ReadyModel | None:
        """The role's model as last seen, without asking the engine."""
        return self._ready.get(role)

    def problem(self, role: str) -> EngineError | None:
        """Why the role's model could not be had when it was last looked for."""
        return self._problems.get(role)

    async def check_all(self) -> None:
        """Look at all roles again; what cannot be had is kept as the role's problem.

        :raises EngineUnreachableError: none of the engines answers at all.
        """
        engines = await self._engine()
        lists: dict[str, Sequence[InstalledModel] | EngineError] = {}
        for spec in self.specs.values():
            engine = engines.of(spec.model)
            if engine.label not in lists:
                try:
                    lists[engine.label] = await engine.list_models()
                except EngineError as error:
                    lists[engine.label] = error
        failed = [one for one in lists.values() if isinstance(one, EngineError)]
        if len(failed) == len(lists):
            raise failed[0]
        for role, spec in self.specs.items():
            installed = lists[engines.of(spec.model).label]
            if isinstance(installed, EngineError):
                self._problems[role] = installed
                continue
            known, found = self._ready.get(role), _find(installed, spec.model)
            if known is not None and (found is None or _version(found) != known.version or role in self._problems):
                self.doubt(role)
            try:
                await self.ready(role)
            except EngineError:
                continue

    async def _looked_up(self, spec: RoleSpec) -> ReadyModel:
        engines = await self._engine()
        engine = engines.of(spec.model)
        installed = await engine.list_models()
        has_base = _find(installed, spec.base) is not None
        there = _find(installed, spec.model)
        if there is None and not has_base:
            raise _missing(spec, installed, engine)
        shown = await engine.show(spec.model) if there is not None else None
        messages = tuple(ChatMessage(message.role, message.content) for message in spec.modelfile.messages)
        if self._learned is not None:
            messages += await self._learned(spec.role)
        problem: EngineError | None = None
        if has_base and (shown is None or not _is_current(shown, spec, messages, await engine.show(spec.base))):
            try:
                await _make(engines, spec, messages)
            except EngineError as error:
                # The one that is there still answers, as it did before; the status says what is the matter.
                if there is None or shown is None:
                    raise
                problem = error
            else:
                there = _find(await engine.list_models(), spec.model)
                shown = await engine.show(spec.model)
        if there is None or shown is None:
            raise EngineError(
                f"{engine.label} made {spec.model} and then did not list it.",
                "Another program may be removing models (services.ollama.syncModels must be false).",
            )
        # Only now, so that a problem which lasts is shown while it is tried again.
        if problem is None:
            self._problems.pop(spec.role, None)
        else:
            self._problems[spec.role] = problem
        return ready_model(spec, shown, _version(there))


def ready_model(spec: RoleSpec, shown: ModelDetails, version: str, *, name: str | None = None) -> ReadyModel:
    """The role's model as the engine shows it; ``name``: another model that is to answer as the role."""
    own = [shown.system, *(message.content for message in shown.messages)]
    limit = shown.parameters.get("num_predict")
    return ReadyModel(
        name=name or spec.model,
        version=version,
        # Ollama silently lowers a num_ctx that is more than the weights were made for.
        num_ctx=min(spec.num_ctx, shown.context_length or spec.num_ctx),
        prefix_most=sum(most_tokens(text) + TOKENS_A_MESSAGE for text in own),
        prefix_expected=sum(expected_tokens(text) for text in own),
        answer_limit=limit if isinstance(limit, int) and limit > 0 else None,
    )


async def _make(engine: Engine, spec: RoleSpec, messages: tuple[ChatMessage, ...]) -> None:
    own = spec.modelfile
    request = CreateRequest(
        name=spec.model,
        base=spec.base,
        system=own.system,
        template=own.template,
        parameters=spec.parameters,
        messages=messages,
        licenses=own.licenses,
    )
    async with aclosing(engine.create(request)) as progress:
        async for _ in progress:
            pass


def _is_current(shown: ModelDetails, spec: RoleSpec, messages: tuple[ChatMessage, ...], base: ModelDetails) -> bool:
    wanted = spec.modelfile
    return (
        shown.weights == base.weights
        and shown.system == (wanted.system if wanted.system is not None else base.system)
        and shown.template == (wanted.template if wanted.template is not None else base.template)
        and shown.messages == (messages or base.messages)
        and dict(shown.parameters) == {**base.parameters, **spec.parameters}
    )


def _find(installed: Sequence[InstalledModel], name: str) -> InstalledModel | None:
    return next((model for model in installed if same_model(model.name, name)), None)


def _version(model: InstalledModel) -> str:
    return model.digest.removeprefix("sha256:")[:_DIGEST_SHOWN]


def _missing(spec: RoleSpec, installed: Sequence[InstalledModel], engine: Engine) -> ModelMissingError:
    names = ", ".join(sorted(model.name for model in installed)) or "none"
    return ModelMissingError(
        f"The model {spec.base!r}, on which the role {spec.role} is built, is not installed in {engine.label}. "
        f"Installed: {names}.",
        f"{engine.remedy(spec.base)} or choose another one with services.nixTrinity.roles.{spec.role}.model.",
    )
