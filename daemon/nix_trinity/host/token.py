"""The token of the TCP door, read from its file. What the file holds is never shown, in no error and no log."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from nix_trinity.errors import ConfigError

LEAST_CHARACTERS = 16
_MOST_BYTES = 4096
_KEYS = ("http.token_file",)
_MAKE_ONE = "Make one with: head -c 32 /dev/urandom | base64 > FILE"


def read_token(given: str, environment: Mapping[str, str]) -> bytes:
    """The token in the file ``given``, without the white space around it.

    A name without "/" is looked up in $CREDENTIALS_DIRECTORY, as systemd's LoadCredential= provides it.

    :raises ConfigError: there is no such credential, the file cannot be read, or no usable token is in it.
    """
    path = _path(given, environment)
    content = _content(path)
    token = content.strip()
    if len(token) < LEAST_CHARACTERS:
        what = f"holds a token of {len(token)} characters" if token else "is empty"
        raise ConfigError(
            f"http.token_file: {path} {what}; it takes {LEAST_CHARACTERS} or more.", f"{_MAKE_ONE}.", keys=_KEYS
        )
    if len(content) > _MOST_BYTES or not all(0x21 <= byte <= 0x7E for byte in token):
        raise ConfigError(
            f"http.token_file: what is in {path} cannot be sent in a header: a token is one line of ASCII without "
            f"spaces, in a file of at most {_MOST_BYTES} bytes.",
            f"{_MAKE_ONE}.",
            keys=_KEYS,
        )
    return token


def _path(given: str, environment: Mapping[str, str]) -> Path:
    if "/" in given:
        return Path(given)
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            f"http.token_file: {given!r} is the name of a credential, and systemd gave the daemon none "
            "(CREDENTIALS_DIRECTORY is not set).",
            f"Set LoadCredential={given}:FILE in nix-trinity.service, or give the file's whole path.",
            keys=_KEYS,
        )
    return Path(folder) / given


def _content(path: Path) -> bytes:
    try:
        # Not to wait for a pipe's other end.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unreadable(path, "it is no regular file")
        return os.read(descriptor, _MOST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    finally:
        os.close(descriptor)


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"http.token_file: {path} cannot be read: {why}.",
        "Name a file that the daemon's user may read, or one of systemd's credentials (LoadCredential=). " + _MAKE_ONE,
        keys=_KEYS,
    )
