"""Roles, models and memory tiers, read from ``modelfiles/catalogue.toml``, as the NixOS module does.

Nothing here does I/O except :func:`load_catalogue`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from nix_trinity.catalogue_entries import Memory, Model, Role, RoleModel, RoleOverride, Tier
from nix_trinity.errors import CatalogueError

ROLES: Final = ("expert", "empathy", "coder", "quick")

# What Ollama itself falls back to on small machines; used for a model that the catalogue does not know.
UNKNOWN_MODEL_NUM_CTX: Final = 4096


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything in ``catalogue.toml``; each name that a tier uses is known to exist."""

    memory: Memory
    roles: dict[str, Role]
    models: dict[str, Model]
    tiers: dict[str, Tier]

    def tier_for(self, ram_gib: float) -> Tier:
        """The largest tier whose threshold ``ram_gib`` (the MemTotal that the kernel reports) reaches.

        The threshold is ``ram_gib_min * (1 - slack_ratio)``. Below all of them it is the smallest tier.
        """
        ascending = sorted(self.tiers.values(), key=lambda tier: tier.ram_gib_min)
        reached = [tier for tier in ascending if ram_gib >= self.reported_gib(tier)]
        return reached[-1] if reached else ascending[0]

    def reported_gib(self, tier: Tier) -> float:
        """The least MemTotal, in GiB, of a machine that counts as ``tier``."""
        return tier.ram_gib_min * (1 - self.memory.slack_ratio)

    def fitting(self, ram_gib: float) -> tuple[str, ...]:
        """Models for roles that fit in ``ram_gib`` (MemTotal) beside the system, largest first."""
        room = ram_gib - self.memory.system_gib
        fits = [model for model in self.models.values() if not model.embedding and model.memory_gib <= room]
        return tuple(model.name for model in sorted(fits, key=lambda model: (-model.memory_gib, model.name)))

    def model(self, name: str) -> Model | None:
        """The catalogue's entry for ``name``, compared as Ollama does: without case, ``:latest`` implied."""
        return next((model for key, model in self.models.items() if same_model(key, name)), None)

    def resolve(
        self, tier_name: str, modern: bool = False, overrides: Mapping[str, RoleOverride] | None = None
    ) -> dict[str, RoleModel]:
        """The model and context of every role, in the order of :data:`ROLES`.

        ``overrides`` may name a model that the catalogue does not know: its ``num_ctx`` is then
        :data:`UNKNOWN_MODEL_NUM_CTX` unless given, and its memory is unknown.
        Raises CatalogueError for an unknown tier or role, a ``num_ctx`` beyond what the model can do, an
        embedding model in a role, and two roles on one base with different ``num_ctx``.
        """
        chosen = overrides or {}
        tier = self.tiers.get(tier_name)
        if tier is None:
            raise _unknown("tier", tier_name, self.tiers, where="the configuration", keys=("models.tier",))
        for role in chosen:
            if role not in self.roles:
                raise _unknown("role", role, self.roles, where="the configuration")
        bases = tier.modern if modern else tier.roles
        result = {role: self._role_model(role, bases[role], chosen.get(role, RoleOverride())) for role in ROLES}
        check_shared_context(one for one in result.values() if not chosen.get(one.role, RoleOverride()).elsewhere)
        return result

    def _role_model(self, role: str, base: str, override: RoleOverride) -> RoleModel:
        base = override.model or base
        # Of what another server runs a model with, its name says nothing.
        known = self.model(base) if not override.elsewhere else None
        num_ctx = override.num_ctx
        if num_ctx is None:
            num_ctx = known.num_ctx if known else UNKNOWN_MODEL_NUM_CTX
        if num_ctx < 1:
            raise CatalogueError(
                f"Role {role} has num_ctx {num_ctx}, which is not a number of tokens.",
                f"Set {_option(role, 'numCtx')} to a positive number, or leave it out.",
                keys=(_key(role, "num_ctx"),),
            )
        if known and known.embedding:
            raise CatalogueError(
                f"Role {role} is set to {base}, which is an embedding model and cannot answer.",
                f"Set {_option(role, 'model')} to a chat model; an embedding model belongs to the tier.",
                keys=(_key(role, "model"),),
            )
        if known and num_ctx > known.max_ctx:
            raise CatalogueError(
                f"Role {role} asks {base} for a num_ctx of {num_ctx}; its limit is {known.max_ctx}.",
                f"Set {_option(role, 'numCtx')} to {known.max_ctx} or less, or leave it out.",
                keys=(_key(role, "num_ctx"),),
            )
        return RoleModel(
            role=role,
            base=base,
            num_ctx=num_ctx,
            modelfile=self.roles[role].modelfile,
            memory_gib=round(known.memory_at(num_ctx), 1) if known else None,
            download_gb=known.download_gb if known else None,
        )


def same_model(one: str, other: str) -> bool:
    """Whether two names mean one model to Ollama: compared without case, and without ``:latest``."""
    return one.lower().removesuffix(":latest") == other.lower().removesuffix(":latest")


def check_shared_context(roles: Iterable[RoleModel]) -> None:
    """Raise CatalogueError if two roles share a base but not its ``num_ctx``.

    Ollama keys a loaded runner by weights and ``num_ctx``: with two values, each change of role would unload
    the model and load it again.
    """
    for first, second in combinations(roles, 2):
        if same_model(first.base, second.base) and first.num_ctx != second.num_ctx:
            raise CatalogueError(
                f"Roles {first.role} and {second.role} share {first.base} but ask for different contexts "
                f"({first.num_ctx} and {second.num_ctx} tokens), so each change of role would reload it.",
                f"Set {_option(first.role, 'numCtx')} and {_option(second.role, 'numCtx')} to one number, or "
                "give one of the two roles another model.",
                keys=(_key(first.role, "num_ctx"), _key(second.role, "num_ctx")),
            )


def _key(role: str, name: str) -> str:
    return f"models.roles.{role}.{name}"


def _option(role: str, name: str) -> str:
    return f"services.nixTrinity.roles.{role}.{name}"


def modelfiles_dir() -> Path:
    """Where ``catalogue.toml`` and the Modelfiles are: in the installed package, else in the repository."""
    here = Path(__file__).resolve()
    packaged = here.parent / "modelfiles"
    return packaged if packaged.is_dir() else here.parents[2] / "modelfiles"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of :func:`modelfiles_dir`.

    Raises CatalogueError when it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Check that the file exists and that the daemon's user may read it.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path} is not valid TOML: {error}.", "Correct the file at that place.") from error


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read and check the catalogue; ``path`` defaults to the one that comes with the package.

    Raises CatalogueError naming the file, the key path and the fix.
    """
    path = path or modelfiles_dir() / "catalogue.toml"
    document = read_toml(path)
    sections = ("memory", "roles", "models", "tiers")
    for key in (*document, *sections):
        if key not in sections:
            raise _unknown("section", key, sections, where=str(path))
        if not isinstance(document.get(key), dict):
            raise CatalogueError(f"{path} has no table [{key}].", f"Add [{key}]; see the catalogue's head.")
    catalogue = Catalogue(
        memory=_convert(document["memory"], Memory, path, "memory"),
        roles=_named(document["roles"], Role, path, "roles"),
        models=_named(document["models"], Model, path, "models"),
        tiers=_named(document["tiers"], Tier, path, "tiers"),
    )
    _check_references(catalogue, path)
    return catalogue


_Entry = TypeVar("_Entry", bound=msgspec.Struct)


def _convert(table: object, kind: type[_Entry], path: Path, key: str) -> _Entry:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        # msgspec ends its message with the path below the table: "... - at `$.num_ctx`".
        what, _, below = str(error).partition(" - at `$")
        raise CatalogueError(
            f"{path}: {key}{below.rstrip('`')}: {what}.", f"Correct [{key}] in {path.name}."
        ) from error


def _named(table: dict[str, Any], kind: type[_Entry], path: Path, section: str) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for name, entry in table.items():
        key = f"{section}.{name}" if section != "models" else f'{section}."{name}"'
        if isinstance(entry, dict) and "name" in entry:
            raise CatalogueError(f"{path}: {key}.name: the name is the table's own.", "Remove the key `name`.")
        entries[name] = _convert({"name": name, **entry} if isinstance(entry, dict) else entry, kind, path, key)
    return entries


def _check_references(catalogue: Catalogue, path: Path) -> None:
    _same_keys("roles", catalogue.roles, path)
    if not catalogue.tiers:
        raise CatalogueError(f"{path}: tiers: there is none.", "Add at least one table [tiers.NAME].")
    for tier in catalogue.tiers.values():
        for which, table in (("roles", tier.roles), ("modern", tier.modern)):
            _same_keys(f"tiers.{tier.name}.{which}", table, path)
        names = [*tier.roles.values(), *tier.modern.values(), *tier.selectable]
        for name in [*names, *([tier.embedding] if tier.embedding else [])]:
            if name not in catalogue.models:
                raise _unknown("model", name, catalogue.models, where=f"{path}: tiers.{tier.name}")


def _same_keys(key: str, table: Mapping[str, object], path: Path) -> None:
    for role in table:
        if role not in ROLES:
            raise _unknown("role", role, ROLES, where=f"{path}: {key}")
    for role in ROLES:
        if role not in table:
            raise CatalogueError(f"{path}: {key}: role {role} is missing.", f"Add {role} to [{key}].")


def _unknown(what: str, name: str, known: Iterable[str], *, where: str, keys: tuple[str, ...] = ()) -> CatalogueError:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Use one of: {', '.join(names)}."
    return CatalogueError(f"{where} names {what} {name!r}, which does not exist.", hint, keys=keys)
