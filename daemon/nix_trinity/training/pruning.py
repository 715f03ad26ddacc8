"""Remove the models of versions that are not kept, and the texts of exchanges that were forgotten."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from nix_trinity.atomic_files import off_loop
from nix_trinity.config_sections import RetentionSection
from nix_trinity.engines.protocol import Engine, EngineLock
from nix_trinity.errors import ModelfileError, ModelMissingError, NotFoundError, StorageError
from nix_trinity.modelfile.grammar import Modelfile
from nix_trinity.training.learning import Pruned
from nix_trinity.training.recipe import find_model
from nix_trinity.training.retention import keep
from nix_trinity.training.version import Manifest, role_of
from nix_trinity.training.version_text import own_part, pair, version_text
from nix_trinity.training.versions import Versions


async def prune(
    engine: Engine,
    versions: Versions,
    policy: RetentionSection,
    *,
    lock: EngineLock,
    now_ms: int,
    dry_run: bool,
    free_bytes: Callable[[], int],
    running: Collection[str] = (),
) -> Pruned:
    """Delete the models that :func:`~nix_trinity.training.retention.keep` does not name; manifest and Modelfile stay.

    Only a model whose very name has a manifest of ours is ever deleted. ``free_bytes`` measures the file system of
    the engine's store before and after: the sizes that the engine lists count shared weights in every version.
    ``running``: candidates of a build that is at work. Exchanges are counted by whoever prunes those.

    :raises EngineError: the engine cannot be asked; what was done stays done.
    :raises StorageError: a manifest cannot be written.
    """
    async with lock:
        manifests = await off_loop(versions.load_all)
        kept = keep(manifests, policy, now_ms, running)
        installed = await engine.list_models()
        going = [
            (one, _reason(one))
            for one in manifests
            if one.name not in kept and role_of(one.name) is not None and find_model(installed, one.name) is not None
        ]
        listed = tuple((one.name, reason) for one, reason in going)
        if dry_run:
            return Pruned(True, listed, tuple(kept.items()), 0, 0)
        before = free_bytes()
        for one, _ in going:
            with suppress(ModelMissingError):
                await engine.delete(one.name)
            await off_loop(lambda one=one: _mark_removed(versions, one))  # type: ignore[misc]
        for one in manifests:
            if one.name not in kept and find_model(installed, one.name) is None:
                await off_loop(lambda one=one: _mark_removed(versions, one))  # type: ignore[misc]
        return Pruned(False, listed, tuple(kept.items()), 0, max(0, free_bytes() - before))


async def purge(
    engine: Engine, versions: Versions, ids: Collection[str], *, lock: EngineLock, running: Collection[str] = ()
) -> tuple[str, ...]:
    """Take forgotten exchanges out of all versions but the deployed and the ``running`` ones, and of all evaluations.

    The model of such a version is deleted, since it holds the text; its Modelfile and manifest stay without it.
    A deployed one has to be replaced first. Returns the names of the versions that were changed.

    :raises EngineError: the engine cannot be asked. Call again: a version keeps its ids until its model is gone.
    :raises StorageError: a file cannot be read or written.
    """
    forgotten = frozenset(ids)
    changed: list[str] = []
    async with lock:
        for one in await off_loop(versions.load_all):
            await off_loop(lambda one=one: _purge_evaluation(versions, one.name, forgotten))  # type: ignore[misc]
            if one.name not in names_holding((one,), forgotten, running):
                continue
            with suppress(ModelMissingError):
                await engine.delete(one.name)
            await off_loop(lambda one=one: _purge_texts(versions, one, forgotten))  # type: ignore[misc]
            changed.append(one.name)
    return tuple(changed)


def names_holding(
    manifests: Sequence[Manifest], ids: Collection[str], running: Collection[str] = ()
) -> tuple[str, ...]:
    """The versions that :func:`purge` would change: they hold one of these exchanges, and need not be replaced first."""
    return tuple(
        one.name
        for one in manifests
        if one.state != "deployed" and one.name not in running and not set(ids).isdisjoint(one.example_ids)
    )


def still_holding(manifests: Sequence[Manifest], ids: Collection[str]) -> tuple[str, ...]:
    """The deployed versions that teach one of these exchanges: they have to be replaced before it is forgotten."""
    forgotten = frozenset(ids)
    return tuple(one.name for one in manifests if one.state == "deployed" and not forgotten.isdisjoint(one.example_ids))


def _reason(manifest: Manifest) -> str:
    if manifest.state == "rejected":
        return "rejected"
    if manifest.state == "candidate":
        return "left over from a build that ended early"
    return "older than what is kept"


def _mark_removed(versions: Versions, manifest: Manifest) -> None:
    if manifest.state == "candidate":
        versions.replace(manifest.name, removed=True, state="rejected", checkpoint=False, why="Its build ended early.")
    else:
        versions.replace(manifest.name, removed=True)


def _purge_texts(versions: Versions, manifest: Manifest, forgotten: frozenset[str]) -> None:
    left = tuple(one for one in manifest.learned if one.id not in forgotten)
    purged = msgspec.structs.replace(manifest, learned=left, removed=True)
    texts = {message.content for one in manifest.learned if one.id in forgotten for message in pair(one)}
    try:
        own = own_part(versions.modelfile(manifest.name), manifest)
    except NotFoundError:
        versions.put(purged)
        return
    except ModelfileError:
        # Changed by hand, so that nobody knows what in it is whose.
        own = Modelfile(base=manifest.base)
    own = replace(own, messages=tuple(message for message in own.messages if message.content not in texts))
    # The manifest goes last: while it has the ids, the purge can be done again.
    versions.put(purged, version_text(purged, own))


def _purge_evaluation(versions: Versions, name: str, forgotten: frozenset[str]) -> None:
    try:
        evaluation = versions.read_evaluation(name)
    except StorageError:
        # What cannot be read cannot be searched either.
        versions.put_evaluation(name, {})
        return
    if evaluation is None:
        return
    left = _without(evaluation, forgotten)
    if left != evaluation:
        versions.put_evaluation(name, left)


def _without(value: Any, forgotten: frozenset[str]) -> Any:
    """The same without the tables of lists that belong to one of these exchanges."""
    if isinstance(value, dict):
        return {key: _without(one, forgotten) for key, one in value.items()}
    if isinstance(value, list):
        return [_without(one, forgotten) for one in value if not _belongs(one, forgotten)]
    return value


def _belongs(value: Any, forgotten: frozenset[str]) -> bool:
    if isinstance(value, str):
        return value in forgotten
    return isinstance(value, dict) and any(isinstance(one, str) and one in forgotten for one in value.values())
