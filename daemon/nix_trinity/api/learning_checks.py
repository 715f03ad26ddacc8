"""What requests of the learn line have in common: who may send them, and which names there are."""

from __future__ import annotations

from nix_trinity.catalogue import ROLES
from nix_trinity.errors import AccessError, NotFoundError, RequestError
from nix_trinity.knowledge.exchanges import Reader

_SHOWN = 40


def operator(reader: Reader, why: str) -> Reader:
    """The reader, who is an operator.

    :raises AccessError: they are none; ``why`` says what only operators may do.
    """
    if not reader.sees_all:
        raise forbidden(why)
    return reader


def forbidden(why: str) -> AccessError:
    """What those who are no operators are told."""
    return AccessError(why, "Run it as root, or join the operators' group (services.nixTrinity.operators).")


def check_role(name: str) -> str:
    """The name of a role.

    :raises RequestError: ``unknown_role``; with the role that may be meant.
    """
    if name not in ROLES:
        from difflib import get_close_matches

        close = get_close_matches(name[:_SHOWN].lower(), ROLES, n=1)
        raise RequestError(
            f"There is no role called {name[:_SHOWN]!r}.",
            f"Did you mean {close[0]}?" if close else f"The roles are {', '.join(ROLES)}.",
            code="unknown_role",
        )
    return name


def checked_version(name: str, field: str) -> tuple[str, str]:
    """The name of a version and its role. Whether there is such a version is not looked up.

    :raises RequestError: there is no name. :raises NotFoundError: no version has such a name.
    """
    from nix_trinity.training.version import role_of

    if not name:
        raise RequestError(f"{field!r} is not given.", "It is the name of a version; list them: nix-trinity versions")
    role = role_of(name)
    if role is None:
        raise NotFoundError(
            f"There is no version called {name[:_SHOWN]!r}.",
            "Versions have names like nix-expert-20261127; list them with: nix-trinity versions",
        )
    return name, role
