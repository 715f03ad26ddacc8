"""Make a candidate: a model of the role's own examples and of what was learned."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from nix_trinity.atomic_files import off_loop
from nix_trinity.engines.protocol import CreateRequest, Engine, EngineLock, EngineSource, InstalledModel
from nix_trinity.errors import EngineError, ModelMissingError, StorageError, TrinityError
from nix_trinity.knowledge.learning import BuildKind
from nix_trinity.roles import RoleSpec
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens
from nix_trinity.training.recipe import Recipe, find_model, recipe_for
from nix_trinity.training.smoke import smoke
from nix_trinity.training.version import Learned, Manifest, version_name
from nix_trinity.training.version_text import pair, version_text
from nix_trinity.training.versions import Versions

# A version takes kilobytes; a file system with less left than this is about to fail at something else.
LEAST_FREE_BYTES: Final = 100_000_000


class Builder:
    """Makes candidates, one at a time. ``adapters`` maps roles to a GGUF file's path or a model that has the adapter."""

    def __init__(
        self,
        engine: EngineSource,
        versions: Versions,
        *,
        lock: EngineLock,
        free_bytes: Callable[[], int],
        adapters: Mapping[str, str] | None = None,
    ) -> None:
        self._engine = engine
        self._versions = versions
        self._lock = lock
        self._free_bytes = free_bytes
        self._adapters = dict(adapters or {})

    async def unchanged(self, spec: RoleSpec, learned: Sequence[Learned]) -> bool:
        """Whether the deployed version is made of the very same, and its model is there.

        If so, its manifest says from now on who stands for the examples: other exchanges may have taught the same.

        :raises ModelMissingError: the base or the adapter's model is not there.
        :raises EngineError: the engine cannot be asked.
        """
        deployed = await off_loop(lambda: self._versions.deployed(spec.role))
        if deployed is None:
            return False
        engine = (await self._engine()).of(spec.model)
        installed = await engine.list_models()
        if find_model(installed, deployed.name) is None:
            return False
        if (await self._recipe(engine, installed, spec, learned)).content != deployed.content:
            return False
        await off_loop(lambda: self._versions.replace(deployed.name, learned=tuple(learned)))
        return True

    async def rejected_before(self, spec: RoleSpec, learned: Sequence[Learned]) -> Manifest | None:
        """The newest version of the very same that was evaluated and rejected, or that an operator went back from.

        :raises EngineError: as for :meth:`unchanged`.
        """
        rejected = [
            one
            for one in await off_loop(self._versions.load_all)
            if one.role == spec.role and (one.went_back or (one.state == "rejected" and one.scores is not None))
        ]
        if not rejected:
            return None
        engine = (await self._engine()).of(spec.model)
        content = (await self._recipe(engine, await engine.list_models(), spec, learned)).content
        return next((one for one in rejected if one.content == content), None)

    async def build(
        self,
        spec: RoleSpec,
        learned: Sequence[Learned],
        *,
        kind: BuildKind,
        budget: int,
        release: str | None,
        today: datetime.date,
        now_ms: int,
        from_base: bool,
    ) -> Manifest:
        """Make a candidate and see that it answers. ``budget``: the tokens that ``learned`` may have.

        It is made from the deployed version where that has the same weights, system text, template and parameters,
        else (or with ``from_base``, or an adapter) from the base. When it fails, its manifest says why.

        :raises ModelMissingError: the base is not there; the engine would fetch it from the internet.
        :raises StorageError: there is too little room on the disk, or the manifest cannot be written.
        :raises EngineError: the engine cannot make it (its own words), made something else (``model_differs``), or
            the model does not answer (``smoke_failed``).
        """
        engines = await self._engine()
        engine = engines.of(spec.model)
        async with self._lock:
            installed = await engine.list_models()
            recipe = await self._recipe(engine, installed, spec, learned)
            self._check_room(recipe)
            parent = None if from_base else await self._parent(engine, installed, recipe)
            taken = {model.name for model in installed} | set(await off_loop(self._versions.names))
            manifest = Manifest(
                name=version_name(spec.role, today, taken),
                role=spec.role,
                kind=kind,
                state="candidate",
                built_at_ms=now_ms,
                base=spec.base,
                num_ctx=min(spec.num_ctx, recipe.base.context_length or spec.num_ctx),
                content=recipe.content,
                token_budget=budget,
                tokens=sum(most_tokens(text.content) + TOKENS_A_MESSAGE for one in learned for text in pair(one)),
                weights=recipe.base.weights,
                parent=parent.name if parent is not None else None,
                adapter=recipe.adapter.name if recipe.adapter is not None else None,
                nixos_release=release,
                checkpoint=kind == "monthly",
                why="It is being built.",
                learned=tuple(learned),
            )
            text = version_text(manifest, recipe.modelfile())
            # Before the model: a crash leaves a manifest without a model, and never a model that nobody knows.
            await off_loop(lambda: self._versions.put(manifest, text))
            try:
                await _create(engines, recipe.request(manifest.name, manifest.parent))
                made = await _checked(engine, manifest.name, recipe)
            except (Exception, asyncio.CancelledError) as error:
                await self._discard(manifest.name, _reason(error))
                raise
        try:
            await smoke(engine, manifest.name, manifest.num_ctx)
            return await off_loop(
                lambda: self._versions.replace(manifest.name, digest=made.digest, why="It waits for its evaluation.")
            )
        except (Exception, asyncio.CancelledError) as error:
            await self.discard(manifest.name, _reason(error))
            raise

    async def discard(self, name: str, why: str) -> None:
        """Reject a candidate: its model goes, its manifest stays and says why. Any other version stays as it is.

        An engine that is away keeps the model until the next pruning.

        :raises NotFoundError: there is no such version.
        :raises StorageError: its manifest cannot be written.
        """
        async with self._lock:
            await self._discard(name, why)

    async def _discard(self, name: str, why: str) -> None:
        manifest = await off_loop(lambda: self._versions.get(name))
        if manifest.state != "candidate":
            return
        removed = True
        try:
            await (await self._engine()).delete(manifest.name)
        except ModelMissingError:
            pass
        except EngineError:
            removed = False
        await off_loop(
            lambda: self._versions.replace(manifest.name, state="rejected", removed=removed, checkpoint=False, why=why)
        )

    async def _recipe(
        self, engine: Engine, installed: Sequence[InstalledModel], spec: RoleSpec, learned: Sequence[Learned]
    ) -> Recipe:
        return await recipe_for(engine, installed, spec, learned, self._adapters.get(spec.role))

    def _check_room(self, recipe: Recipe) -> None:
        needed = LEAST_FREE_BYTES + (recipe.adapter.file_bytes if recipe.adapter is not None else 0)
        free = self._free_bytes()
        if free < needed:
            raise StorageError(
                f"{free / 1e6:.0f} MB of disk are free, and building a version of {recipe.spec.model} needs "
                f"{needed / 1e6:.0f} MB.",
                "Free some: nix-trinity prune, then sudo nix-collect-garbage -d; see df -h",
            )

    async def _parent(self, engine: Engine, installed: Sequence[InstalledModel], recipe: Recipe) -> Manifest | None:
        """The deployed version, when what is inherited from it is what is wanted."""
        deployed = await off_loop(lambda: self._versions.deployed(recipe.spec.role))
        if deployed is None or deployed.adapter is not None or find_model(installed, deployed.name) is None:
            return None
        return deployed if recipe.inherited_from(await engine.show(deployed.name)) else None


async def _create(engine: Engine, request: CreateRequest) -> None:
    async with aclosing(engine.create(request)) as progress:
        async for _ in progress:
            pass


async def _checked(engine: Engine, name: str, recipe: Recipe) -> InstalledModel:
    """The model that was made, which is what it was told to be."""
    made = find_model(await engine.list_models(), name)
    if made is None:
        raise EngineError(
            f"{engine.label} made {name} and then did not list it.",
            "Another program may be removing models (services.ollama.syncModels must be false).",
        )
    shown = await engine.show(name)
    wrong = [
        what
        for what, same in (
            ("weights", shown.weights == recipe.base.weights),
            ("system text", shown.system == recipe.system),
            ("examples", shown.messages == recipe.messages),
        )
        if not same
    ]
    if wrong:
        raise EngineError(
            f"{engine.label} made {name} with other {' and '.join(wrong)} than it was told.",
            "Another program may be making models under this name, or this Ollama is too new or too old: ollama --version",
            code="model_differs",
        )
    return made


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "Its build was stopped."
    return f"It could not be built: {error.message if isinstance(error, TrinityError) else repr(error)}"
