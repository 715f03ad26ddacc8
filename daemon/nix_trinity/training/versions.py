"""The folder of versions: a manifest, a Modelfile and an evaluation for each.

Only files that are named as one of our versions are read, written or removed; whatever else lies there is left alone.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
import tomli_w

from nix_trinity.atomic_files import DiskFiles, Files
from nix_trinity.engines.protocol import ChatMessage
from nix_trinity.errors import InternalError, NotFoundError, StorageError
from nix_trinity.modelfile.grammar import Modelfile
from nix_trinity.modelfile.parse import parse_modelfile
from nix_trinity.training.version import Manifest, role_of
from nix_trinity.training.version_text import pair, read_version_text

_log = structlog.get_logger("training")

_Signature = tuple[int, int, int]


class Versions:
    """All versions that there are or were. The daemon is the only writer."""

    def __init__(self, folder: Path, *, files: Files | None = None) -> None:
        self.folder = folder
        self._files = files or DiskFiles()
        # What was read, by name, with the file's state at that time: old manifests do not change.
        self._read: dict[str, tuple[_Signature, Manifest | str]] = {}

    def load_all(self) -> tuple[Manifest, ...]:
        """All manifests, newest first. One that cannot be read is logged by name and left out.

        :raises StorageError: the folder cannot be read.
        """
        found = [one for name in self.names() if isinstance(one := self._load(name), Manifest)]
        return tuple(sorted(found, key=lambda one: (-one.built_at_ms, one.name)))

    def broken(self) -> dict[str, str]:
        """The manifests that cannot be read: their names, with what is wrong in words."""
        return {name: one for name in self.names() if isinstance(one := self._load(name), str)}

    def names(self) -> tuple[str, ...]:
        """The names of all manifests, broken ones too.

        :raises StorageError: the folder cannot be read.
        """
        try:
            entries = [entry for entry in self.folder.iterdir() if entry.suffix == ".toml" and entry.is_file()]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unreadable(self.folder, error) from error
        return tuple(sorted(entry.stem for entry in entries if role_of(entry.stem) is not None))

    def find(self, name: str) -> Manifest | None:
        """The manifest of this name (in any case, ``:latest`` or not); None when there is none that can be read."""
        name = name.lower().removesuffix(":latest")
        found = self._load(name) if role_of(name) is not None else None
        return found if isinstance(found, Manifest) else None

    def get(self, name: str) -> Manifest:
        """The manifest of this name.

        :raises NotFoundError: there is none; the hint names those that are spelled alike.
        :raises StorageError: it is there and cannot be read.
        """
        found = self.find(name)
        if found is not None:
            return found
        problem = self.broken().get(name)
        if problem is not None:
            raise StorageError(
                f"The manifest of {name} cannot be used: {problem}.",
                f"Correct {self._manifest_path(name)}, or remove it when the version is not needed.",
            )
        close = difflib.get_close_matches(name, self.names(), n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See which there are: nix-trinity versions"
        raise NotFoundError(f"There is no version {name!r}.", hint)

    def deployed(self, role: str) -> Manifest | None:
        """The version that answers for the role; None when the role's own Modelfile still does."""
        ours = (self._load(name) for name in self.names() if role_of(name) == role)
        found = [one for one in ours if isinstance(one, Manifest) and one.state == "deployed"]
        # In the middle of a deployment two may say so; the later one is right (deployment.py).
        return max(found, key=lambda one: one.deployed_at_ms or 0, default=None)

    def learned_messages(self, role: str) -> tuple[ChatMessage, ...]:
        """What the role's deployed version teaches besides the role's own examples, as the model has it."""
        deployed = self.deployed(role)
        learned = deployed.learned if deployed is not None else ()
        return tuple(ChatMessage(message.role, message.content) for one in learned for message in pair(one))

    def put(self, manifest: Manifest, modelfile_text: str | None = None) -> None:
        """Write a manifest, and its Modelfile first when one is given.

        :raises StorageError: they cannot be written.
        """
        _check_name(manifest.name, manifest.role)
        if modelfile_text is not None:
            self._files.write(self.modelfile_path(manifest.name), modelfile_text.encode("utf-8", "replace"))
        self._files.write(self._manifest_path(manifest.name), to_toml(msgspec.to_builtins(manifest)))

    def replace(self, name: str, **fields: Any) -> Manifest:
        """Change some fields of a manifest, such as ``state`` and ``why``; returns the new one.

        :raises NotFoundError: there is no such version.
        :raises StorageError: it cannot be written.
        """
        old = self.get(name)
        changed: Manifest = msgspec.structs.replace(old, **fields)
        if changed != old:
            self.put(changed)
        return changed

    def modelfile(self, name: str) -> Modelfile:
        """What the version is made of, with examples that a Modelfile's text cannot hold.

        :raises NotFoundError: there is no such version, or its Modelfile is gone.
        :raises StorageError: it cannot be read.
        :raises ModelfileError: it does not parse.
        """
        manifest = self.get(name)
        path = self.modelfile_path(manifest.name)
        text = self._read_text(path)
        if text is None:
            raise NotFoundError(
                f"The Modelfile of {name} is gone ({path}).", "Build a new version: nix-trinity build --kind manual"
            )
        return read_version_text(parse_modelfile(text, origin=str(path)), manifest)

    def put_evaluation(self, name: str, evaluation: Mapping[str, Any]) -> None:
        """Write ``<name>.evaluation.toml``. What is None in a table is left out; a list cannot have one.

        :raises StorageError: it cannot be written.
        """
        _check_name(name, role_of(name))
        self._files.write(self._evaluation_path(name), to_toml(evaluation))

    def read_evaluation(self, name: str) -> dict[str, Any] | None:
        """The evaluation of a version; None when it was never evaluated.

        :raises StorageError: it cannot be read.
        """
        _check_name(name, role_of(name))
        path = self._evaluation_path(name)
        text = self._read_text(path)
        try:
            return None if text is None else tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise StorageError(
                f"{path} is not valid TOML: {error}.", "Remove the file: it is only a report."
            ) from error

    def remove_files(self, name: str) -> None:
        """Remove all that is known of a version; the manifest goes last.

        :raises StorageError: a file cannot be removed.
        """
        _check_name(name, role_of(name))
        for path in (self._evaluation_path(name), self.modelfile_path(name), self._manifest_path(name)):
            self._files.remove(path)

    def modelfile_path(self, name: str) -> Path:
        """Where the Modelfile of a version lies, whether or not it is there."""
        return self.folder / f"{name}.Modelfile"

    def _manifest_path(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def _evaluation_path(self, name: str) -> Path:
        return self.folder / f"{name}.evaluation.toml"

    def _load(self, name: str) -> Manifest | str | None:
        """The manifest, what is wrong with it, or None when there is none."""
        path = self._manifest_path(name)
        try:
            state = path.stat()
            signature = (state.st_ino, state.st_mtime_ns, state.st_size)
            known = self._read.get(name)
            if known is not None and known[0] == signature:
                return known[1]
            read: Manifest | str = _manifest(path.read_bytes().decode("utf-8"), name)
        except FileNotFoundError:
            self._read.pop(name, None)
            return None
        except OSError as error:
            return error.strerror or str(error)
        except ValueError as error:
            read = " ".join(str(error).split())
            _log.warning("manifest_broken", version=name, problem=read)
        self._read[name] = (signature, read)
        return read

    def _read_text(self, path: Path) -> str | None:
        try:
            return path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: Path, error: OSError | UnicodeDecodeError) -> StorageError:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return StorageError(f"{path} cannot be read: {reason or error}.", f"Look at it: sudo ls -ld {path}")


def _manifest(text: str, name: str) -> Manifest:
    """Read a manifest; ValueError (which TOML's and msgspec's errors are) says what is wrong."""
    manifest = msgspec.convert(tomllib.loads(text), Manifest)
    if manifest.name != name or manifest.role != role_of(name):
        raise ValueError(f"it is the manifest of {manifest.name} for the role {manifest.role}")
    return manifest


def _check_name(name: str, role: str | None) -> None:
    if role is None or role_of(name) != role:
        raise InternalError(
            f"{name!r} is no name for a version of the role {role}.", "This is a fault of NixTrinity: please report it."
        )


def to_toml(table: Mapping[str, Any]) -> bytes:
    """Write a table as TOML, without its Nones, which TOML does not know."""
    return tomli_w.dumps(_without_none(table)).encode("utf-8", "replace")


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_none(one) for key, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(one) for one in value]
    return value
