"""What a version is to be made of, and of what the engine makes it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nix_trinity.atomic_files import off_loop
from nix_trinity.catalogue import same_model
from nix_trinity.engines.protocol import (
    ChatMessage,
    CreateRequest,
    Engine,
    InstalledModel,
    ModelDetails,
    ParameterValue,
)
from nix_trinity.errors import EngineError, ModelMissingError
from nix_trinity.modelfile.grammar import Modelfile
from nix_trinity.roles import RoleSpec
from nix_trinity.training.version import Learned, content_hash
from nix_trinity.training.version_text import pair


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA made elsewhere: a file, or (without one) part of the model ``name``."""

    name: str
    digest: str
    """What it is known by; another one when its content changes."""
    file: Path | None
    file_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a version is."""

    spec: RoleSpec
    base: ModelDetails
    messages: tuple[ChatMessage, ...]
    adapter: Adapter | None

    @property
    def system(self) -> str:
        """The system text, the base's own where the role has none."""
        own = self.spec.modelfile.system
        return own if own is not None else self.base.system

    @property
    def template(self) -> str:
        """The template, the base's own where the role has none."""
        own = self.spec.modelfile.template
        return own if own is not None else self.base.template

    @property
    def parameters(self) -> dict[str, ParameterValue]:
        """The base's parameters and the role's."""
        return {**self.base.parameters, **self.spec.parameters}

    @property
    def source(self) -> str:
        """The model to make it from when not from an earlier version."""
        return self.adapter.name if self.adapter is not None and self.adapter.file is None else self.spec.base

    @property
    def content(self) -> str:
        """See :func:`~nix_trinity.training.version.content_hash`."""
        return content_hash(
            weights=self.base.weights,
            system=self.system,
            template=self.template,
            parameters=self.parameters,
            messages=self.messages,
            adapter=self.adapter.digest if self.adapter is not None else None,
            num_ctx=self.spec.num_ctx,
        )

    def modelfile(self) -> Modelfile:
        """The role's Modelfile with its base, and without what was learned."""
        return replace(self.spec.modelfile, base=self.source, adapters=self._files())

    def request(self, name: str, parent: str | None) -> CreateRequest:
        """What the engine is told. From ``parent`` all but the messages is inherited; licenses would add up."""
        if parent is not None:
            return CreateRequest(name, parent, messages=self.messages)
        own, from_base = self.spec.modelfile, self.source == self.spec.base
        return CreateRequest(
            name=name,
            base=self.source,
            # The model that has the adapter may have a system text and parameters of its own.
            system=own.system if from_base else self.system,
            template=own.template if from_base else self.template,
            parameters=self.spec.parameters if from_base else self.parameters,
            messages=self.messages,
            licenses=own.licenses,
            adapters=self._files(),
        )

    def inherited_from(self, shown: ModelDetails) -> bool:
        """Whether a model made from this one by giving messages alone is what is wanted."""
        # No messages would keep the inherited ones, and adapters add up.
        return (
            self.adapter is None
            and bool(self.messages)
            and shown.weights == self.base.weights
            and shown.system == self.system
            and shown.template == self.template
            and dict(shown.parameters) == self.parameters
        )

    def _files(self) -> tuple[str, ...]:
        return () if self.adapter is None or self.adapter.file is None else (str(self.adapter.file),)


async def recipe_for(
    engine: Engine,
    installed: Sequence[InstalledModel],
    spec: RoleSpec,
    learned: Sequence[Learned],
    adapter: str | None,
) -> Recipe:
    """Look up what a version of the role would be made of. ``adapter``: a GGUF file's path, or a model that has it.

    :raises ModelMissingError: the base, or the adapter's model, is not there: it would be fetched from the internet.
    :raises EngineError: the adapter cannot be read, or belongs to other weights.
    """
    if find_model(installed, spec.base) is None:
        raise _missing(spec.base, f"on which the role {spec.role} is built", spec, installed, engine)
    base = await engine.show(spec.base)
    own = (*spec.modelfile.messages, *(message for one in learned for message in pair(one)))
    messages = tuple(ChatMessage(message.role, message.content) for message in own) or base.messages
    adapter = adapter or next(iter(spec.modelfile.adapters), None)
    found = await _adapter(engine, installed, spec, base, adapter) if adapter is not None else None
    return Recipe(spec, base, messages, found)


async def _adapter(
    engine: Engine, installed: Sequence[InstalledModel], spec: RoleSpec, base: ModelDetails, adapter: str
) -> Adapter:
    if adapter.startswith("/"):
        try:
            return await off_loop(lambda: _read_adapter(Path(adapter)))
        except OSError as error:
            raise EngineError(
                f"The adapter {adapter} of the role {spec.role} cannot be read: {error.strerror or error}.",
                f"Give learning.adapters.{spec.role} the path of a file that the daemon's user may read.",
                code="adapter_unreadable",
            ) from error
    found = find_model(installed, adapter)
    if found is None:
        raise _missing(adapter, f"which has the adapter of the role {spec.role}", spec, installed, engine)
    if (await engine.show(adapter)).weights != base.weights:
        raise EngineError(
            f"The model {adapter}, which has the adapter of the role {spec.role}, has other weights than "
            f"{spec.base}, on which the role is built.",
            f"Make it from {spec.base} (FROM {spec.base} and ADAPTER), or choose its base for the role: "
            f"services.nixTrinity.roles.{spec.role}.model.",
            code="adapter_differs",
        )
    return Adapter(adapter, found.digest, None)


def _read_adapter(path: Path) -> Adapter:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Adapter(str(path), digest, path, file.tell())


def find_model(installed: Sequence[InstalledModel], name: str) -> InstalledModel | None:
    """The model of exactly this name, as the engine compares names."""
    return next((model for model in installed if same_model(model.name, name)), None)


def _missing(
    name: str, what_for: str, spec: RoleSpec, installed: Sequence[InstalledModel], engine: Engine
) -> ModelMissingError:
    names = ", ".join(sorted(model.name for model in installed)) or "none"
    return ModelMissingError(
        f"The model {name!r}, {what_for}, is not installed in {engine.label}. Installed: {names}.",
        f"{engine.remedy(name)} or choose another one with services.nixTrinity.roles.{spec.role}.model.",
    )
