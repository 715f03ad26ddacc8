"""``nix-trinityd check-config``: all that can be told of a configuration without starting the daemon."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from nix_trinity.catalogue import ROLES, load_catalogue, same_model
from nix_trinity.config import Config, load_config
from nix_trinity.errors import CatalogueError, ConfigError
from nix_trinity.host.memory import total_memory_gib
from nix_trinity.roles import RoleSpec, role_specs


def check_config(file: Path) -> None:
    """Read the file and whatever it names that is read at the start or by the first build.

    The token's file is not among it: a system is built before there is one, and by another user.

    :raises TrinityError: the first thing that cannot be used; ``keys`` says which keys it is about.
    """
    config = load_config(file)
    specs = role_specs(config, load_catalogue(), total_memory_gib())
    _check_adapters(config.learning.adapters, specs)
    _check_evaluation(config)
    _check_packs(config)


def _check_adapters(adapters: Mapping[str, str], specs: Mapping[str, RoleSpec]) -> None:
    """An adapter is made for the weights of one model; on others it is refused, or gives nonsense."""
    for role in adapters:
        if role not in ROLES:
            raise ConfigError(
                f"learning.adapters.{role}: there is no such role.",
                f"The roles are {', '.join(ROLES)}.",
                keys=(f"learning.adapters.{role}",),
            )
    for one, other in combinations(specs.values(), 2):
        (key, adapter), (other_key, other_adapter) = _adapter(adapters, one), _adapter(adapters, other)
        if adapter and other_adapter and _is_same(adapter, other_adapter) and not same_model(one.base, other.base):
            raise ConfigError(
                f"{key}, {other_key}: {adapter} is given to two roles on different models: {one.role} is on {one.base}, "
                f"{other.role} on {other.base}. An adapter fits the model that it was made for and no other.",
                f"Take it out of one of the two, or give both roles that model (models.roles.{one.role}.model and "
                f"models.roles.{other.role}.model).",
                keys=(key, other_key),
            )


def _adapter(adapters: Mapping[str, str], spec: RoleSpec) -> tuple[str, str]:
    """The role's adapter ('': none) and the key that gives it."""
    if spec.role in adapters:
        return f"learning.adapters.{spec.role}", adapters[spec.role]
    return f"models.roles.{spec.role}.modelfile", next(iter(spec.modelfile.adapters), "")


def _is_same(one: str, other: str) -> bool:
    return Path(one) == Path(other) if one.startswith("/") else same_model(one, other)


def _check_evaluation(config: Config) -> None:
    """Read the files of evaluation questions: better now than when the first build needs them."""
    questions = importlib.import_module("nix_trinity.training.questions")
    try:
        questions.load_questions(config.learning.evaluation)
    except CatalogueError as error:
        key = "learning.evaluation"
        raise CatalogueError(f"{key}: {error.message}", error.hint, keys=(key,)) from error


def _check_packs(config: Config) -> None:
    """Read each ``pack.toml`` that is there: a folder outside of the store may come later than the system is built."""
    packs = importlib.import_module("nix_trinity.knowledge.corpus.pack_places")
    problems: list[str] = []
    packs.read_packs([one for one in packs.places_of(config.corpus.packs) if _is_there(one.path)], problems, [])
    if problems:
        key = "corpus.packs"
        raise ConfigError(f"{key}: {problems[0]}", "The form of a pack: docs/reference/packs.md.", keys=(key,))


def _is_there(folder: str) -> bool:
    try:
        return Path(folder).exists()
    except OSError:
        # Nobody says that whoever checks may look there; the daemon's user may.
        return False
