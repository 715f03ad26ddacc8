"""The token of the TCP door, read from its file."""

from __future__ import annotations

from collections.abc import Mapping

from nix_trinity.host.secret_file import SecretKind, read_secret

LEAST_CHARACTERS = 16
_TOKEN = SecretKind(
    "http.token_file", "token", LEAST_CHARACTERS, "Make one with: head -c 32 /dev/urandom | base64 > FILE"
)


def read_token(given: str, environment: Mapping[str, str]) -> bytes:
    """The token in the file ``given``; see :func:`~nix_trinity.host.secret_file.read_secret`.

    :raises ConfigError: there is no such credential, the file cannot be read, or no usable token is in it.
    """
    return read_secret(given, environment, _TOKEN)
