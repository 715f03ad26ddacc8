"""A secret read from its file or from one of systemd's credentials. What the file holds is never shown, in no error and no log."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nix_trinity.errors import ConfigError

MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SecretKind:
    """Which secret it is: the configuration's key that names its file, and how a person comes by one."""

    key: str
    what: str
    """As in "a token"."""
    least_characters: int
    advice: str


def read_secret(given: str, environment: Mapping[str, str], kind: SecretKind) -> bytes:
    """The secret in the file ``given``, without the white space around it.

    A name without "/" is looked up in $CREDENTIALS_DIRECTORY, as systemd's LoadCredential= provides it.

    :raises ConfigError: there is no such credential, the file cannot be read, or nothing usable is in it.
    """
    path = _path(given, environment, kind)
    content = _content(path, kind)
    secret, least = content.strip(), kind.least_characters
    if len(secret) < least:
        what = f"holds a {kind.what} of {len(secret)} characters" if secret else "is empty"
        raise _error(kind, f"{path} {what}; it takes {least} or more.", f"{kind.advice}.")
    if len(content) > MOST_BYTES or not all(0x21 <= byte <= 0x7E for byte in secret):
        raise _error(
            kind,
            f"what is in {path} cannot be sent in a header: a {kind.what} is one line of ASCII without "
            f"spaces, in a file of at most {MOST_BYTES} bytes.",
            f"{kind.advice}.",
        )
    return secret


def _path(given: str, environment: Mapping[str, str], kind: SecretKind) -> Path:
    if "/" in given:
        return Path(given)
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise _error(
            kind,
            f"{given!r} is the name of a credential, and systemd gave the daemon none "
            "(CREDENTIALS_DIRECTORY is not set).",
            f"Set LoadCredential={given}:FILE in nix-trinity.service, or give the file's whole path.",
        )
    return Path(folder) / given


def _content(path: Path, kind: SecretKind) -> bytes:
    try:
        # Not to wait for a pipe's other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _unreadable(path, kind, getattr(error, "strerror", None) or str(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unreadable(path, kind, "it is no regular file")
        return os.read(descriptor, MOST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, kind, error.strerror or str(error)) from error
    finally:
        os.close(descriptor)


def _unreadable(path: Path, kind: SecretKind, why: str) -> ConfigError:
    return _error(
        kind,
        f"{path} cannot be read: {why}.",
        f"Name a file that the daemon's user may read, or one of systemd's credentials (LoadCredential=). {kind.advice}",
    )


def _error(kind: SecretKind, message: str, hint: str) -> ConfigError:
    return ConfigError(f"{kind.key}: {message}", hint, keys=(kind.key,))
