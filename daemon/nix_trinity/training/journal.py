"""The journal of intent: what a deployment is about to do, so that a crash in its middle is finished or undone."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from nix_trinity.atomic_files import DiskFiles, Files
from nix_trinity.errors import StorageError
from nix_trinity.training.version import VersionState
from nix_trinity.training.versions import to_toml


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """A role's name is being given to another version."""

    role: str
    to: str
    was: VersionState
    """The state that ``to`` had."""
    replaces: str | None = None
    """The version that was deployed; None when the role's own Modelfile answered."""
    previous: str | None = None
    """The version that was ``previous``."""
    at_ms: int
    why: str


class Journal:
    """At most one intent, in one file."""

    def __init__(self, path: Path, *, files: Files | None = None) -> None:
        self.path = path
        self._files = files or DiskFiles()

    def read(self) -> Intent | None:
        """What was begun and not ended; None when there is nothing.

        :raises StorageError: it is there and cannot be read.
        """
        try:
            return msgspec.convert(tomllib.loads(self.path.read_bytes().decode("utf-8")), Intent)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise StorageError(
                f"The journal of a deployment, {self.path}, cannot be read: {' '.join(str(error).split())}.",
                f"See which version answers (nix-trinity versions), then remove it: sudo rm {self.path}",
            ) from error

    def write(self, intent: Intent) -> None:
        """Begin.

        :raises StorageError: it cannot be written.
        """
        self._files.write(self.path, to_toml(msgspec.to_builtins(intent)))

    def remove(self) -> None:
        """End.

        :raises StorageError: it cannot be removed.
        """
        self._files.remove(self.path)
