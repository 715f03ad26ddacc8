"""Models that exist as definitions only, for servers that cannot make one: what is sent along with each request.

A definition is a file of the state folder, written whole or not at all. It says which model of which server it
stands on, and the system text, examples and parameters that come with it; nothing is copied to the server.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import msgspec
import structlog

from nix_trinity.atomic_files import DiskFiles, Files, off_loop
from nix_trinity.engines.protocol import ChatMessage, CreateRequest, InstalledModel, ModelDetails, ParameterValue
from nix_trinity.errors import EngineError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,100}")
_SUFFIX = ".toml"

_log = structlog.get_logger("engine")


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model is made of. ``server`` is the address that serves ``base``."""

    base: str
    server: str
    system: str = ""
    template: str = ""
    """Kept so that it can be compared; the server has its own."""
    parameters: dict[str, ParameterValue] = {}
    messages: tuple[ChatMessage, ...] = ()

    @property
    def weights(self) -> str:
        """What its weights are known by."""
        return weights_of(self.base, self.server)

    @property
    def digest(self) -> str:
        """Another one whenever anything of it is another; the name is none of it, so that a copy has the same."""
        content = {
            "weights": self.weights,
            "system": self.system,
            "template": self.template,
            "parameters": self.parameters,
            "messages": [[message.role, message.content] for message in self.messages],
        }
        return f"sha256:{hashlib.sha256(json.dumps(content, sort_keys=True).encode('utf-8', 'replace')).hexdigest()}"

    def details(self, name: str, context_length: int | None) -> ModelDetails:
        """See :meth:`nix_trinity.engines.protocol.Engine.show`."""
        return ModelDetails(
            name, self.weights, self.template, self.system, self.messages, self.parameters, context_length
        )

    def changed(self, request: CreateRequest) -> Definition:
        """One made from this one: what the request does not say is inherited."""
        return Definition(
            base=self.base,
            server=self.server,
            system=self.system if request.system is None else request.system,
            template=self.template if request.template is None else request.template,
            parameters={**self.parameters, **request.parameters},
            messages=request.messages or self.messages,
        )


class Definitions:
    """The folder of definitions. Names are compared as Ollama does: without case, ``:latest`` implied."""

    def __init__(self, folder: Path, *, files: Files | None = None) -> None:
        self._folder = folder
        self._files = files or DiskFiles()

    async def find(self, name: str) -> Definition | None:
        """The definition of this name; None where there is none that can be read."""
        return await off_loop(lambda: self._read(_key(name)))

    async def installed(self) -> list[InstalledModel]:
        """All definitions, by name."""
        return await off_loop(self._installed)

    async def put(self, name: str, definition: Definition) -> None:
        """Give the name this definition.

        :raises EngineError: the name is none that a file can have. :raises StorageError: it cannot be written.
        """
        key = _key(name)
        if _NAME.fullmatch(key) is None:
            raise EngineError(
                f"{name!r} cannot be the name of a definition.", "Use letters, digits, full stops and dashes only."
            )
        content = msgspec.toml.encode(definition)
        await off_loop(lambda: self._files.write(self._path(key), content))

    async def delete(self, name: str) -> bool:
        """Remove a definition; returns whether there was one.

        :raises StorageError: it cannot be removed.
        """
        key = _key(name)
        if _NAME.fullmatch(key) is None or not await off_loop(self._path(key).is_file):
            return False
        await off_loop(lambda: self._files.remove(self._path(key)))
        return True

    def _installed(self) -> list[InstalledModel]:
        found: list[InstalledModel] = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            definition = self._read(path.name.removesuffix(_SUFFIX))
            if definition is not None:
                size = path.stat().st_size if path.exists() else 0
                found.append(InstalledModel(path.name.removesuffix(_SUFFIX), definition.digest, size))
        return found

    def _read(self, key: str) -> Definition | None:
        if _NAME.fullmatch(key) is None:
            return None
        path = self._path(key)
        try:
            return msgspec.toml.decode(path.read_bytes(), type=Definition)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            # As a damaged model: it is made again, as one that is not there is.
            _log.warning("a definition cannot be read", path=str(path), error=str(error))
            return None

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"


def weights_of(base: str, server: str) -> str:
    """What the weights of a served model are known by: a server's word for them is their name."""
    return f"{base} @ {server}"


def _key(name: str) -> str:
    return name.lower().removesuffix(":latest")
