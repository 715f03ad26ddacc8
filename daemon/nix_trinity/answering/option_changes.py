"""What changed between two lists of options: pure functions over what the index saw, and NixOS' own renames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from nix_trinity.answering.verifier.renamed import Renamed, Renames
from nix_trinity.knowledge.corpus.finds import Change
from nix_trinity.knowledge.option_tree import OptionTree, is_placeholder, join_name, split_name

# The lists of one system, NixOS' and Home Manager's, are indexed one right after the other.
_SAME_UPGRADE_MS = 10_000


class RenamedOption(msgspec.Struct, frozen=True):
    """An option's old and new name."""

    old: str
    new: str


class Upgrade(msgspec.Struct, frozen=True):
    """What one new list of options brought, by name."""

    seen_at_ms: int
    from_release: str | None
    to_release: str | None
    came: tuple[str, ...]
    went: tuple[str, ...]
    renamed: tuple[RenamedOption, ...]
    """As far as the two lists tell by themselves: likeness of name, type and description."""


class KnownChange(msgspec.Struct, frozen=True):
    """What NixOS itself says that it renamed or removed (``new`` is null), and that is true of this system."""

    old: str
    new: str | None
    since: str
    note: str


class Changes(msgspec.Struct, frozen=True):
    """``GET /v1/changes``: newest upgrade first."""

    release: str | None
    """Of this system's options."""
    upgrades: tuple[Upgrade, ...]
    known: tuple[KnownChange, ...]


def changes_of(
    seen: Sequence[Change],
    renamed: Sequence[Renamed],
    tree: OptionTree,
    release: str | None,
    *,
    since: str | None,
    under: str,
) -> Changes:
    """What changed after the release ``since``; None: with the newest list, compared with the one before it.

    Where only one list was ever seen, NixOS' own changes are those of its release.
    """
    upgrades = list(reversed([_upgrade(each) for each in _by_upgrade(seen)]))
    if since is None:
        upgrades = upgrades[:1]
    else:
        upgrades = [one for one in upgrades if one.to_release is None or one.to_release > since]
    after = since or (upgrades[0].from_release if upgrades else None)
    rows = [row for row in renamed if row.since and (row.since > after if after else row.since == release)]
    return Changes(release, tuple(_only(one, under) for one in upgrades), tuple(_known(rows, tree, under)))


def _by_upgrade(seen: Iterable[Change]) -> list[list[Change]]:
    groups: list[list[Change]] = []
    for change in sorted(seen, key=lambda one: one.seen_at_ms):
        if groups and change.seen_at_ms - groups[-1][-1].seen_at_ms <= _SAME_UPGRADE_MS:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _upgrade(changes: Sequence[Change]) -> Upgrade:
    def named(kind: str) -> tuple[str, ...]:
        return tuple(sorted({one.name for one in changes if one.change == kind}))

    return Upgrade(
        seen_at_ms=changes[0].seen_at_ms,
        from_release=next((one.from_release for one in changes if one.from_release), None),
        to_release=next((one.to_release for one in changes if one.to_release), None),
        came=named("came"),
        went=named("went"),
        renamed=tuple(
            RenamedOption(old, new)
            for old, new in sorted({(one.name, one.successor or "") for one in changes if one.change == "renamed"})
            if not _is_same(old, new)
        ),
    )


def _only(upgrade: Upgrade, under: str) -> Upgrade:
    return msgspec.structs.replace(
        upgrade,
        came=tuple(name for name in upgrade.came if _is_under(name, under)),
        went=tuple(name for name in upgrade.went if _is_under(name, under)),
        renamed=tuple(one for one in upgrade.renamed if _is_under(one.old, under) or _is_under(one.new, under)),
    )


def _known(rows: Sequence[Renamed], tree: OptionTree, under: str) -> Iterable[KnownChange]:
    renames = Renames(rows)
    for row in sorted(rows, key=lambda one: (one.since, one.old)):
        found = renames.find(row.old, tree)
        if found is None or found.row is not row:
            continue
        old = join_name(row.old)
        if _is_under(old, under) or (found.name is not None and _is_under(found.name, under)):
            yield KnownChange(old, found.name, row.since, row.note)


def _is_same(old: str, new: str) -> bool:
    """Whether the two differ in how they write placeholders alone: for a person's own names nothing changed."""
    paths = (split_name(old) or (), split_name(new) or ())
    one, other = (tuple("*" if is_placeholder(attribute) else attribute for attribute in path) for path in paths)
    return one == other != ()


def _is_under(name: str, under: str) -> bool:
    return not under or name == under or name.startswith(f"{under}.")
