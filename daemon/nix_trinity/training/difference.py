"""What one version teaches and another does not."""

from __future__ import annotations

from nix_trinity.errors import RequestError
from nix_trinity.training.learning import Difference
from nix_trinity.training.version import Learned, Manifest


def difference(older: Manifest, newer: Manifest) -> Difference:
    """Compare two versions of a role. An example whose answer was corrected since counts as dropped and learned anew.

    :raises RequestError: they are of different roles.
    """
    if older.role != newer.role:
        raise RequestError(
            f"{older.name} and {newer.name} are versions of different roles.",
            f"Choose two of one role: nix-trinity versions {newer.role}",
        )
    before, after = ({_taught(one) for one in version.learned} for version in (older, newer))
    return Difference(
        older=older.name,
        newer=newer.name,
        learned=tuple(one for one in newer.learned if _taught(one) not in before),
        dropped=tuple(one for one in older.learned if _taught(one) not in after),
        kept=len(before & after),
    )


def _taught(one: Learned) -> tuple[str, str, str]:
    return one.id, one.question, one.answer
