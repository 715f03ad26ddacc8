"""What each role is on this machine: configuration, catalogue and Modelfiles brought together.

This is where a person's own choices meet ours. Their Modelfile takes the place of ours; its ``FROM`` and
``num_ctx`` count unless the configuration says otherwise for that role.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from nix_trinity.catalogue import ROLES, Catalogue, modelfiles_dir
from nix_trinity.catalogue_entries import RoleOverride
from nix_trinity.config import Config
from nix_trinity.errors import CatalogueError, ConfigError, ModelfileError
from nix_trinity.modelfile.grammar import Message, Modelfile
from nix_trinity.modelfile.parameters import typed_parameters
from nix_trinity.modelfile.parse import parse_modelfile
from nix_trinity.role_engines import OLLAMA, OPENAI, adapter_error, check_engines, no_model_error, role_engine
from nix_trinity.tokens import TOKENS_A_MESSAGE, most_tokens

ParameterValue = int | float | bool | str | list[str]

# The shares of a window: prompts keep a tenth free (answering/prompt.py), answers have at most a quarter.
_USABLE, _ANSWER, _LEARNED = 0.9, 0.25, 0.1
_LEAST_WORKING_TOKENS = 400


class RoleSpec(msgspec.Struct, frozen=True):
    """What a role's model is to be made of. ``num_ctx`` is in tokens."""

    role: str
    base: str
    num_ctx: int
    modelfile: Modelfile
    parameters: Mapping[str, ParameterValue]
    engine: str = OLLAMA
    url: str = ""
    """The server with OpenAI's API that has the base; '' for Ollama."""

    @property
    def model(self) -> str:
        """The name under which the role's model is deployed."""
        return f"nix-{self.role}"


def tier_name(config: Config, catalogue: Catalogue, ram_gib: float) -> str:
    """The tier that is in force: the configured one, or for ``auto`` the one for ``ram_gib`` (MemTotal)."""
    return catalogue.tier_for(ram_gib).name if config.models.tier == "auto" else config.models.tier


def role_specs(config: Config, catalogue: Catalogue, ram_gib: float) -> dict[str, RoleSpec]:
    """Work out all roles; reads the Modelfiles.

    :raises ConfigError: an unknown role, a Modelfile that cannot be read, or a role that its engine cannot be asked for.
    :raises CatalogueError: an unknown tier, or roles that share a base but not its num_ctx.
    :raises ModelfileError: a Modelfile that does not parse or has a parameter that Ollama does not know.

    All of them have the keys that they are about, where it is not our own catalogue or Modelfile.
    """
    modelfiles: dict[str, Modelfile] = {}
    overrides: dict[str, RoleOverride] = {}
    unknown = [role for role in config.models.roles if role not in ROLES]
    if unknown:
        raise ConfigError(
            f"models.roles.{unknown[0]}: there is no such role.",
            f"The roles are {', '.join(ROLES)}.",
            keys=(f"models.roles.{unknown[0]}",),
        )
    check_engines(config)
    parameters: dict[str, dict[str, ParameterValue]] = {}
    for role in ROLES:
        chosen = config.models.roles.get(role)
        own = chosen.modelfile if chosen is not None else None
        path = Path(own) if own else modelfiles_dir() / catalogue.roles[role].modelfile
        with _about(f"models.roles.{role}.modelfile" if own else ""):
            modelfile = _read(path)
            typed = typed_parameters(modelfile, origin=str(path))
            base = (chosen.model if chosen else None) or _base(modelfile, path)
        elsewhere = role_engine(config, role)[0] == OPENAI
        if elsewhere and base is None:
            raise no_model_error(role)
        if elsewhere and modelfile.adapters:
            raise adapter_error(role, f"models.roles.{role}.modelfile")
        # num_ctx travels with every request, so that all requests agree on it; it is not baked in.
        num_ctx = typed.pop("num_ctx", None)
        modelfiles[role], parameters[role] = modelfile, typed
        overrides[role] = RoleOverride(
            model=base,
            num_ctx=(chosen.num_ctx if chosen else None) or (num_ctx if isinstance(num_ctx, int) else None),
            elsewhere=elsewhere,
        )
    with _about(""):
        resolved = catalogue.resolve(tier_name(config, catalogue, ram_gib), config.models.modern, overrides)
    specs: dict[str, RoleSpec] = {}
    for role, model in resolved.items():
        kind, url = role_engine(config, role)
        fitting = _fitting(modelfiles[role], model.num_ctx)
        specs[role] = RoleSpec(
            role, model.base, model.num_ctx, fitting, parameters[role], kind, url if kind == OPENAI else ""
        )
    return specs


def _fitting(modelfile: Modelfile, num_ctx: int) -> Modelfile:
    """The Modelfile with those of its examples, the first ones first, that leave a small window room to work in.

    An answer has a quarter of it, what is learned a tenth, and question and finds _LEAST_WORKING_TOKENS.
    """
    system = most_tokens(modelfile.system or "") + TOKENS_A_MESSAGE
    left = int(num_ctx * (_USABLE - _ANSWER - _LEARNED)) - system - _LEAST_WORKING_TOKENS
    kept: list[Message] = []
    for exchange in _exchanges(modelfile.messages):
        tokens = sum(most_tokens(message.content) + TOKENS_A_MESSAGE for message in exchange)
        if tokens <= left:
            left -= tokens
            kept += exchange
    return replace(modelfile, messages=tuple(kept))


def _exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """Messages in groups that belong together: each begins with what a user says."""
    groups: list[list[Message]] = []
    for message in messages:
        if message.role == "user" or not groups:
            groups.append([])
        groups[-1].append(message)
    return groups


@contextmanager
def _about(key: str) -> Iterator[None]:
    """Let an error say which key of the configuration it is about: its own keys, else this one."""
    try:
        yield
    except (CatalogueError, ConfigError, ModelfileError) as error:
        keys = error.keys or ((key,) if key else ())
        if not keys:
            raise
        raise type(error)(f"{', '.join(keys)}: {error.message}", error.hint, keys=keys) from error


def _read(path: Path) -> Modelfile:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.",
            "Give the path of a Modelfile that the daemon's user may read, or leave the key out.",
        ) from error
    return parse_modelfile(content, origin=str(path))


def _base(modelfile: Modelfile, path: Path) -> str | None:
    base = modelfile.base
    if base is not None and base.startswith(("/", "./", "../", "~")):
        raise ModelfileError(
            f"{path}: FROM {base} names a file; a role's base has to be a model that Ollama has.",
            f"Make one of it first: ollama create my-base -f {path}; then set models.roles.<role>.model "
            'to "my-base" and take the FROM line out.',
        )
    return base
