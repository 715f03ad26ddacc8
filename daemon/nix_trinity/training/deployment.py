"""Give a role's name to another version, so that a crash at any point is finished or undone.

journal → copy → compare digests → preload → greet → manifests → journal gone. Ollama's copy is not atomic; until the
journal is gone, :meth:`Deployment.recover` does it all over again, or undoes it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import structlog

from nix_trinity.atomic_files import Files, off_loop
from nix_trinity.catalogue import ROLES
from nix_trinity.engines.protocol import Engine, EngineLock, EngineSource
from nix_trinity.errors import (
    EngineBusyError,
    EngineError,
    EngineUnreachableError,
    ModelMissingError,
    NotFoundError,
    RequestError,
)
from nix_trinity.training.journal import Intent, Journal
from nix_trinity.training.recipe import find_model
from nix_trinity.training.smoke import smoke
from nix_trinity.training.version import Manifest, deployed_name
from nix_trinity.training.versions import Versions

_log = structlog.get_logger("training")


class Deployment:
    """Switches roles from one version to another, one at a time. Answers that are running end on the old one."""

    def __init__(
        self,
        engine: EngineSource,
        versions: Versions,
        journal: Path,
        *,
        lock: EngineLock,
        files: Files | None = None,
    ) -> None:
        self._engine = engine
        self._versions = versions
        self._journal = Journal(journal, files=files)
        self._lock = lock

    async def deploy(self, name: str, *, now_ms: int, why: str) -> Manifest:
        """Let the version answer for its role; a deployment that was interrupted before is ended first.

        Cancelled in its middle, it leaves its journal for :meth:`recover`. When it fails, the old version is put back.

        :raises NotFoundError: there is no such version.
        :raises RequestError: ``version_removed``: its model is gone from the engine; says how to build it again.
        :raises EngineUnreachableError: the engine went away; the journal stays for :meth:`recover`.
        :raises EngineError: the engine cannot do it (``copy_differs``, ``smoke_failed``, …).
        :raises StorageError: journal or manifest cannot be read or written.
        """
        async with self._lock:
            engine = await self._engine()
            pending = await off_loop(self._journal.read)
            if pending is not None:
                await self._resume(engine, pending)
            version = await off_loop(lambda: self._versions.get(name))
            installed = await engine.of(version.name).list_models()
            model = find_model(installed, version.name)
            if model is None:
                raise self._removed(version, engine.of(version.name))
            answering = find_model(installed, deployed_name(version.role))
            if version.state == "deployed" and answering is not None and answering.digest == model.digest:
                return version
            intent = await off_loop(lambda: self._intent(version, now_ms, why))
            await off_loop(lambda: self._journal.write(intent))
            return await self._switch(engine, intent, version)

    async def recover(self) -> str | None:
        """End what a crash interrupted, at start and before anything is deployed; returns what was done, in a line.

        :raises EngineError: the engine cannot be asked now; the journal stays, so call again when it can.
        :raises StorageError: journal or manifest cannot be read or written.
        """
        async with self._lock:
            intent = await off_loop(self._journal.read)
            if intent is None:
                return None
            said = await self._resume(await self._engine(), intent)
            _log.warning("deployment_recovered", role=intent.role, version=intent.to, done=said)
            return said

    async def pending(self) -> bool:
        """Whether a deployment was begun that is still to be ended by :meth:`recover`."""
        return await off_loop(self._journal.read) is not None

    async def rollback(self, role: str, version: str | None, *, now_ms: int) -> Manifest:
        """Deploy an earlier version again: the previous one unless told which.

        :raises NotFoundError: there is no such role or version, or no earlier one.
        :raises RequestError: it is another role's, was never deployed (``never_deployed``), is the deployed one
            (``already_deployed``), or its model is gone (``version_removed``).
        :raises EngineError: as for :meth:`deploy`.
        """
        if role not in ROLES:
            raise NotFoundError(f"There is no role {role!r}.", f"The roles are {', '.join(ROLES)}.")
        await self.recover()
        chosen = await off_loop(lambda: self._previous(role) if version is None else self._versions.get(version))
        if chosen.role != role:
            raise RequestError(
                f"{chosen.name} is a version of the role {chosen.role}, not of {role}.",
                f"To deploy it: nix-trinity rollback {chosen.role} {chosen.name}",
            )
        if chosen.state == "deployed":
            raise RequestError(
                f"{chosen.name} is the deployed version of {role} already.",
                f"Choose another one: nix-trinity versions {role}",
                code="already_deployed",
            )
        if chosen.deployed_at_ms is None:
            raise RequestError(
                f"{chosen.name} was never deployed ({chosen.why.rstrip('.') or chosen.state}), so there is nothing to "
                "go back to.",
                f"Choose one that was: nix-trinity versions {role}",
                code="never_deployed",
            )
        current = await off_loop(lambda: self._versions.deployed(role))
        after = f" after {current.name}" if current is not None else ""
        manifest = await self.deploy(chosen.name, now_ms=now_ms, why=f"An operator went back to it{after}.")
        if current is not None:
            # So that no timer deploys the same examples again.
            why = f"An operator went back from it to {manifest.name}."
            await off_loop(lambda: self._versions.replace(current.name, went_back=True, why=why))
        return manifest

    def _previous(self, role: str) -> Manifest:
        earlier = [
            one
            for one in self._versions.load_all()
            if one.role == role and one.state in ("previous", "retired") and one.deployed_at_ms is not None
        ]
        there = [one for one in earlier if not one.removed] or earlier
        if not there:
            raise NotFoundError(
                f"There is no earlier version of {role} to go back to.",
                f"See which there are: nix-trinity versions {role}",
            )
        return max(there, key=lambda one: (one.state == "previous", one.replaced_at_ms or 0))

    def _intent(self, version: Manifest, now_ms: int, why: str) -> Intent:
        old = self._versions.deployed(version.role)
        previous = [one for one in self._versions.load_all() if one.role == version.role and one.state == "previous"]
        return Intent(
            role=version.role,
            to=version.name,
            was=version.state,
            replaces=old.name if old is not None and old.name != version.name else None,
            previous=previous[0].name if previous else None,
            at_ms=now_ms,
            why=why,
        )

    async def _resume(self, engine: Engine, intent: Intent) -> str:
        version = await off_loop(lambda: self._versions.find(intent.to))
        there = find_model(await engine.of(intent.to).list_models(), intent.to) is not None
        if version is None or not there:
            return await self._undo(engine, intent, f"{intent.to} is gone from {engine.of(intent.to).label}", gone=True)
        try:
            await self._switch(engine, intent, version)
        except EngineError as error:
            if await off_loop(self._journal.read) is not None:
                raise
            return f"The interrupted deployment of {intent.to} was undone: {error.message}"
        return f"The interrupted deployment of {intent.to} was finished."

    async def _switch(self, engine: Engine, intent: Intent, version: Manifest) -> Manifest:
        """From the journal on; does no harm when parts of it were done before."""
        name = deployed_name(intent.role)
        try:
            await engine.copy(version.name, name)
            await _check_copy(engine, version.name, name)
            try:
                await engine.preload(name, version.num_ctx)
            except EngineError as error:
                # The next question loads it; whether it answers is seen below.
                _log.warning("preload_failed", model=name, error=error.message)
            try:
                await smoke(engine, name, version.num_ctx)
            except EngineBusyError as error:
                # It answered when it was built and evaluated, and the copy is the same.
                _log.warning("greeting_put_off", model=name, error=error.message)
            model = find_model(await engine.of(version.name).list_models(), version.name)
        except EngineUnreachableError:
            # It says nothing of the model: recover() goes on when the engine is there again.
            raise
        except EngineError as error:
            await self._undo(engine, intent, error.message, gone=False)
            raise
        digest = model.digest if model is not None else version.digest
        await off_loop(lambda: self._finish(intent, digest))
        return await off_loop(lambda: self._versions.get(version.name))

    def _finish(self, intent: Intent, digest: str | None) -> None:
        if intent.was == "deployed":
            # It was so already, and its copy was mended.
            self._versions.replace(intent.to, removed=False, digest=digest)
            self._journal.remove()
            return
        # The new one first: at no moment is none deployed.
        self._versions.replace(
            intent.to,
            state="deployed",
            deployed_at_ms=intent.at_ms,
            replaced_at_ms=None,
            removed=False,
            went_back=False,
            digest=digest,
            why=intent.why,
        )
        for one in self._versions.load_all():
            if one.role != intent.role or one.name == intent.to:
                continue
            if one.name == intent.replaces:
                self._versions.replace(one.name, state="previous", replaced_at_ms=intent.at_ms)
            elif one.state in ("deployed", "previous"):
                self._versions.replace(one.name, state="retired", replaced_at_ms=one.replaced_at_ms or intent.at_ms)
        self._journal.remove()

    async def _undo(self, engine: Engine, intent: Intent, reason: str, *, gone: bool) -> str:
        """Put the old version back. Raises EngineError when the engine cannot; then the journal stays."""
        name = deployed_name(intent.role)
        installed = await engine.of(name).list_models()
        old = find_model(installed, intent.replaces) if intent.replaces is not None else None
        if old is not None:
            await engine.copy(old.name, name)
            await _check_copy(engine, old.name, name)
            said = f"{intent.replaces} answers again"
        else:
            # Without this name the role's model is made anew from its Modelfile.
            with suppress(ModelMissingError):
                await engine.delete(name)
            said = f"{name} will be made from the role's Modelfile"
        await off_loop(lambda: self._take_back(intent, reason, gone=gone))
        return f"The interrupted deployment of {intent.to} was undone ({reason.rstrip('.')}): {said}."

    def _take_back(self, intent: Intent, reason: str, *, gone: bool) -> None:
        if intent.replaces is not None and self._versions.find(intent.replaces) is not None:
            self._versions.replace(intent.replaces, state="deployed", replaced_at_ms=None)
        if intent.previous not in (None, intent.to) and self._versions.find(intent.previous or "") is not None:
            self._versions.replace(intent.previous or "", state="previous")
        failed = self._versions.find(intent.to)
        if failed is not None:
            new = intent.was == "candidate"
            self._versions.replace(
                intent.to,
                state="rejected" if new else intent.was,
                removed=gone or failed.removed,
                why=f"It could not be deployed: {reason}" if new else failed.why,
                # They did not speak against it: without them the same examples may be tried again.
                scores=None if new else failed.scores,
            )
        self._journal.remove()

    def _removed(self, version: Manifest, engine: Engine) -> RequestError:
        if engine.kind == "ollama":
            path = self._versions.modelfile_path(version.name)
            what, remedy = "in Ollama", f"Build it again first: sudo ollama create {version.name} -f {path}"
        else:
            what, remedy = "there", f"Choose another one: nix-trinity versions {version.role}"
        return RequestError(
            f"The model of {version.name} is not {what} any more: it was pruned or removed, or its role was on another engine then.",
            remedy,
            code="version_removed",
        )


async def _check_copy(engine: Engine, source: str, copy: str) -> None:
    installed = await engine.of(copy).list_models()
    wanted, found = find_model(installed, source), find_model(installed, copy)
    if wanted is None or found is None or wanted.digest != found.digest:
        raise EngineError(
            f"{engine.of(copy).label} copied {source} to {copy}, and the two are not the same.",
            "Another program may be changing models (services.ollama.syncModels must be false).",
            code="copy_differs",
        )
