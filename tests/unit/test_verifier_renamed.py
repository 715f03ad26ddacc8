from __future__ import annotations

from pathlib import Path

import pytest

from nix_trinity.answering.verifier.renamed import Renamed, Renames, load_renamed
from nix_trinity.errors import CatalogueError
from nix_trinity.knowledge.option_tree import OptionTree, join_name, split_name
from tests.data.verifier.support import kinds, options_of, real_options, real_verifier, small_tree

THERE = {"option", "group", "freeform"}


def test_a_row_counts_only_where_the_old_name_is_gone_and_the_new_one_there() -> None:
    renames = Renames([Renamed(("sound", "pulse"), ("services", "pulse"), "25.05")])
    before = OptionTree(options_of({"sound.pulse.enable": "boolean"}))
    after = OptionTree(options_of({"services.pulse.enable": "boolean"}))
    neither = OptionTree(options_of({"x.y": "boolean"}))
    path = ("sound", "pulse", "enable")
    assert renames.find(path, before) is None
    assert renames.find(path, neither) is None
    found = renames.find(path, after)
    assert found is not None
    assert found.name == "services.pulse.enable"


def test_a_removed_group_that_is_still_there_is_not_said_to_be_removed() -> None:
    renames = Renames([Renamed(("a", "b"), None, "25.05")])
    assert renames.find(("a", "b", "x"), OptionTree(options_of({"a.b.c": "boolean"}))) is None
    assert renames.find(("a", "b", "x"), OptionTree(options_of({"a.c": "boolean"}))) is not None


def test_the_longest_old_name_wins_and_what_was_reshaped_leads_to_the_parent() -> None:
    renames = Renames(load_renamed())

    def successor(name: str) -> str | None:
        found = renames.find(split_name(name) or (), small_tree())
        assert found is not None, name
        return found.name

    assert successor("hardware.opengl.enable") == "hardware.graphics.enable"
    assert successor("hardware.opengl.driSupport32Bit") == "hardware.graphics.enable32Bit"
    assert successor("hardware.opengl.driSupport") is None
    assert successor("hardware.opengl.mesaPackage") == "hardware.graphics"
    assert successor("nix.trustedUsers") == "nix.settings.trusted-users"
    assert successor("sound.enable") is None
    assert renames.find(("services", "openssh", "foo"), small_tree()) is None


@pytest.mark.parametrize(
    ("text", "words"),
    {
        "x = ": "not valid TOML",
        "[[other]]\nold = 'a.b'": "unknown section",
        "renamed = 1": "not a list",
        "[[renamed]]\nold = 'a.b'": "not an option's name",
        "[[renamed]]\nold = 'a.b'\nnew = 'a.b'": "not an option's name",
        "[[renamed]]\nold = 'a..b'\nnew = 'c'": "not an option's name",
        "[[renamed]]\nold = 'a'\nnew = 'b'\nsince = '2024'": "no NixOS release",
        "[[renamed]]\nold = 'a'\nnew = 'b'\nwhen = '24.05'": "not a row",
        "[[removed]]\nold = 'a'\ninstead = ['a..b']": "no option's name",
        "[[removed]]\nold = 'a'\nnote = 5": "wrong kind",
        "[[removed]]\nold = 'a'\n[[removed]]\nold = 'a'": "twice",
    }.items(),
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "renamed.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError, match=words) as caught:
        load_renamed(file)
    assert str(file) in str(caught.value)
    assert caught.value.hint


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_renamed(tmp_path / "none.toml")


def test_the_rows_hold_for_the_real_list(data_dir: Path) -> None:
    tree = OptionTree(real_options(data_dir))
    rows = load_renamed()
    later = [row for row in rows if tree.look_up(row.old).status in THERE]
    # Rows for later releases: the old name is still an option, so they do not apply.
    assert len(later) < 25, [join_name(row.old) for row in later]
    lost = [
        join_name(row.old)
        for row in rows
        if row not in later and row.new is not None and tree.look_up(row.new).status not in THERE
    ]
    assert lost == []
    for row in rows:
        for name in row.instead:
            assert tree.look_up(split_name(name) or ()).status in THERE, name
    applies = [row for row in rows if row not in later]
    assert len(applies) > 150
    by = real_verifier(data_dir)
    for row in applies:
        [(kind, name)] = kinds(f"Set `{join_name((*row.old, 'x') if len(row.old) == 1 else row.old)}` now.", by)
        assert kind == ("removed_option" if row.new is None else "renamed_option"), name


def test_both_real_lists_agree_on_pulseaudio(data_dir: Path) -> None:
    assert kinds("Set `hardware.pulseaudio.enable`.", real_verifier(data_dir)) == [
        ("renamed_option", "hardware.pulseaudio.enable")
    ]
