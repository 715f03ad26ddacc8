"""What changed between two lists of options, from what the index saw and what NixOS itself renamed."""

from __future__ import annotations

from nix_trinity.answering.option_changes import Changes, changes_of
from nix_trinity.answering.verifier.renamed import Renamed
from nix_trinity.knowledge.corpus.finds import Change
from nix_trinity.knowledge.option_tree import OptionTree
from nix_trinity.knowledge.options import Option

TREE = OptionTree([Option(name=f"new.{name}", path=("new", name), type="boolean") for name in ("a", "b", "c")])
RENAMED = [
    Renamed(("old", "a"), ("new", "a"), "24.05"),
    Renamed(("old", "b"), ("new", "b"), "24.11", "with a note"),
    Renamed(("old", "gone"), None, "25.05"),
    Renamed(("new", "c"), ("new", "a"), "25.05"),
    Renamed(("old", "d"), ("nowhere", "d"), "25.05"),
    Renamed(("old", "e"), ("new", "a"), ""),
]


def seen(at: int, change: str, name: str, successor: str | None = None, *, to: str | None = "25.05") -> Change:
    return Change(at, "24.05" if to == "24.11" else "24.11", to, change, name, successor)


def changes(*rows: Change, since: str | None = None, under: str = "") -> Changes:
    return changes_of(rows, RENAMED, TREE, "25.05", since=since, under=under)


def known(found: Changes) -> list[tuple[str, str | None]]:
    return [(row.old, row.new) for row in found.known]


FIRST = [seen(1_000_000, "went", "x.old", to="24.11"), seen(1_000_004, "came", "x.new", to="24.11")]
SECOND = [
    seen(9_000_000, "came", "y.two"),
    seen(9_000_001, "came", "y.one"),
    seen(9_004_000, "renamed", "h.a", "h.b", to=None),
]


def test_the_newest_list_is_told_against_the_one_before_it() -> None:
    found = changes(*SECOND, *FIRST)
    (upgrade,) = found.upgrades
    assert (upgrade.from_release, upgrade.to_release, upgrade.seen_at_ms) == ("24.11", "25.05", 9_000_000)
    assert (upgrade.came, upgrade.went) == (("y.one", "y.two"), ())
    assert [(one.old, one.new) for one in upgrade.renamed] == [("h.a", "h.b")]
    assert known(found) == [("old.gone", None)]


def test_since_a_release_all_later_upgrades_are_told_newest_first() -> None:
    found = changes(*FIRST, *SECOND, since="24.05")
    assert [upgrade.to_release for upgrade in found.upgrades] == ["25.05", "24.11"]
    assert known(found) == [("old.b", "new.b"), ("old.gone", None)]
    assert [row.note for row in found.known] == ["with a note", ""]
    assert changes(*FIRST, *SECOND, since="25.05").upgrades == ()


def test_where_no_other_list_was_seen_it_is_what_nixos_renamed_in_this_release() -> None:
    found = changes()
    assert (found.upgrades, known(found)) == ((), [("old.gone", None)])


def test_a_row_of_nixos_counts_only_where_it_is_true_here() -> None:
    old = [name for name, _ in known(changes(since="20.03"))]
    assert old == ["old.a", "old.b", "old.gone"]


def test_it_is_narrowed_to_an_option_and_what_is_below_it() -> None:
    found = changes(*SECOND, seen(9_000_002, "came", "yy.z"), since="20.03", under="y")
    assert (found.upgrades[0].came, found.upgrades[0].renamed, known(found)) == (("y.one", "y.two"), (), [])
    assert known(changes(since="20.03", under="new.b")) == [("old.b", "new.b")]


def test_another_way_to_write_a_placeholder_is_no_new_name() -> None:
    rows = [seen(1, "renamed", "u.<name>.x", "u.<user>.x"), seen(1, "renamed", "u.<name>.x", "u.<name>.y")]
    (upgrade,) = changes(*rows).upgrades
    assert [(one.old, one.new) for one in upgrade.renamed] == [("u.<name>.x", "u.<name>.y")]
