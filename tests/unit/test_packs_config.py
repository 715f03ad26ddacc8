"""Packs in the configuration, and docs/reference/packs.md held to the form."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from nix_trinity.config import parse_config
from nix_trinity.config_check import check_config
from nix_trinity.config_sections import PackEntry
from nix_trinity.errors import ConfigError
from nix_trinity.knowledge.corpus.pack_places import PackPlace, places_of
from nix_trinity.knowledge.packs import (
    Manifest,
    Pack,
    PackExchange,
    is_exchanges,
    is_note,
    parse_exchange,
    parse_manifest,
)
from tests.data.packs import MANIFEST, write_pack

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "packs.md").read_text(encoding="utf-8")


def test_a_pack_is_a_folder_or_a_table() -> None:
    text = '[corpus]\npacks = ["/a", { path = "/b", name = "bee", revision = "1a2b3c4-dirty" }, { path = "/c" }]'
    entries = parse_config(text, origin="x").corpus.packs
    assert entries == ("/a", PackEntry(path="/b", name="bee", revision="1a2b3c4-dirty"), PackEntry(path="/c"))
    assert places_of(entries) == (PackPlace("/a"), PackPlace("/b", "bee", "1a2b3c4-dirty"), PackPlace("/c"))


@pytest.mark.parametrize(
    ("packs", "key", "hint"),
    [
        ('"/a"', "corpus.packs", ""),
        ('["relative"]', "corpus.packs[0]", ""),
        ('["/a", { name = "x" }]', "corpus.packs[1]", ""),
        ('[{ path = "/a", nmae = "x" }]', "corpus.packs[0].nmae", "Did you mean 'name'?"),
        ('[{ path = "/a", name = "../x" }]', "corpus.packs[0].name", ""),
        ('[{ path = "/a", revision = "a b" }]', "corpus.packs[0].revision", ""),
    ],
)
def test_what_is_no_pack_is_named(packs: str, key: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"[corpus]\npacks = {packs}", origin="x")
    assert (caught.value.message.startswith(f"x: {key}: "), hint in caught.value.hint) == (True, True), caught.value


def test_a_configuration_is_checked_with_the_packs_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    good, twin = write_pack(tmp_path / "good"), write_pack(tmp_path / "twin")
    file.write_text(f'[corpus]\npacks = ["{good}", "/srv/comes/later"]\n')
    check_config(file)
    file.write_text(f'[corpus]\npacks = ["{good}", "{twin}"]\n')
    with pytest.raises(ConfigError, match="is a pack named team-knowledge as well") as caught:
        check_config(file)
    assert caught.value.keys == ("corpus.packs",)
    (twin / "pack.toml").write_text("name = 7\n")
    with pytest.raises(ConfigError, match=r"pack\.toml:1: "):
        check_config(file)


@pytest.mark.parametrize(
    ("revision", "shown"),
    [
        ("", "x, MIT"), ("2026-11", "x @ 2026-11, MIT"), ("0" * 40, "x @ 0000000, MIT"),
        ("0" * 40 + "-dirty", "x @ 0000000-dirty, MIT"), ("1a2b3c4", "x @ 1a2b3c4, MIT"),
    ],
)  # fmt: skip
def test_a_label(revision: str, shown: str) -> None:
    assert Pack("x", revision, "MIT").label == shown


@pytest.mark.parametrize(
    ("licence", "good"),
    [
        ("MIT", True), ("CC-BY-4.0", True), ("MIT OR Apache-2.0", True), ("GPL-2.0-only WITH Classpath-exception-2.0", True),
        ("(MIT OR CC0-1.0) AND LicenseRef-House", True), ("", False), ("CC BY 4.0", False), ("MIT or BSD", False),
        ("a\nb", False), ("MIT\n", False),
    ],
)  # fmt: skip
def test_a_licence(licence: str, good: bool) -> None:
    manifest = MANIFEST.replace('"CC-BY-4.0"', json.dumps(licence)).encode()
    if good:
        assert parse_manifest(manifest, file="x").licence == licence
    else:
        with pytest.raises(Exception, match="licence"):
            parse_manifest(manifest, file="x")


def test_which_files_belong_to_a_pack() -> None:
    assert [is_note(path) for path in ("a.md", "x/b.md", "README.md", "x/readme.md", ".git/a.md", "a.txt", "a.md~")] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert [is_exchanges(path) for path in ("a.jsonl", "x/b.jsonl", ".x/b.jsonl", "b.json")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_page_tells_every_key_and_its_example_is_one() -> None:
    for kind in (Manifest, PackExchange):
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in PAGE, field.name
    example = re.search(r"```json\n(.*)\n```", PAGE)
    assert example is not None
    assert parse_exchange(example[1].encode(), file="x", line=1).reviewed == "2026-11"
