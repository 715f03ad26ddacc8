"""The sample of options: read like the real list, true to it, and with no text of it."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_nix
from tree_sitter import Language, Parser

from nix_trinity.knowledge.corpus.notes import parse_note
from nix_trinity.knowledge.corpus.options_json import parse_options, release_of
from nix_trinity.knowledge.redaction import redact

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "sample-options.json"
NOTES = ROOT / "modelfiles" / "notes"
ENTRIES: dict[str, dict[str, Any]] = json.loads(SAMPLE.read_text(encoding="utf-8"))
FACTS = ("loc", "type", "default", "readOnly", "declarations")
MOST_SHARED_WORDS = 6


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['’]\w+)?", text.lower())


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of one word more than may be shared."""
    found = words(text)
    for start in range(len(found) - MOST_SHARED_WORDS):
        yield tuple(found[start : start + MOST_SHARED_WORDS + 1])


@pytest.fixture(scope="module")
def real(data_dir: Path) -> dict[str, dict[str, Any]]:
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        entries: dict[str, dict[str, Any]] = json.load(file)
        return entries


def test_it_is_read_as_the_real_list_is() -> None:
    options = parse_options(SAMPLE.read_bytes(), file=SAMPLE.name, origin="nixos")
    assert [option.name for option in options] == list(ENTRIES)
    assert len(options) >= 420
    assert release_of(options) == "25.05"


@pytest.mark.parametrize(
    "name",
    [
        "services.openssh.enable",
        "networking.firewall.allowedTCPPorts",
        "users.users.<name>.extraGroups",
        "boot.loader.systemd-boot.enable",
        "time.timeZone",
        "services.pipewire.enable",
        "virtualisation.docker.enable",
        "services.nginx.virtualHosts.<name>.enableACME",
        "environment.systemPackages",
        "system.stateVersion",
        "nix.gc.automatic",
        "hardware.graphics.enable",
        "swapDevices.*.size",
    ],
)
def test_what_people_ask_for_most_is_there(name: str) -> None:
    assert name in ENTRIES


def test_descriptions_are_one_or_two_plain_sentences() -> None:
    for name, entry in ENTRIES.items():
        described = entry["description"]
        assert re.fullmatch(r"[A-Z][^\n`{}<>]{10,200}\.", described), name
    assert len({entry["description"] for entry in ENTRIES.values()}) == len(ENTRIES)


def test_examples_are_valid_nix_and_hold_no_secret() -> None:
    parser = Parser(Language(tree_sitter_nix.language()))
    for name, entry in ENTRIES.items():
        text = entry.get("example", {"text": "null"})["text"]
        assert not parser.parse(text.encode()).root_node.has_error, name
        assert redact(f"{name} = {text};").count == 0, name


def test_every_option_that_a_note_names_is_there(real: dict[str, dict[str, Any]]) -> None:
    # Settings below a freeform option (nixpkgs.config.allowUnfree) are in neither list.
    named = {
        name: file.name for file in NOTES.glob("*.md") for name in parse_note(file.read_bytes(), file=file.name).options
    }
    known = {name: file for name, file in named.items() if name in real}
    assert len(known) >= 300
    assert {name: file for name, file in known.items() if name not in ENTRIES} == {}


def test_its_facts_are_those_of_the_real_list(real: dict[str, dict[str, Any]]) -> None:
    for name, entry in ENTRIES.items():
        assert {key: entry.get(key) for key in FACTS} == {key: real[name].get(key) for key in FACTS}, name


def test_no_description_is_copied(real: dict[str, dict[str, Any]]) -> None:
    copied = [
        name
        for name, entry in ENTRIES.items()
        if _longest_run(words(entry["description"]), words(real[name]["description"])) > MOST_SHARED_WORDS
    ]
    assert copied == []


def test_no_description_has_a_run_of_words_of_any_real_one(real: dict[str, dict[str, Any]]) -> None:
    theirs = {run for entry in real.values() for run in runs(str(entry.get("description", "")))}
    assert [name for name, entry in ENTRIES.items() if theirs.intersection(runs(entry["description"]))] == []


def test_a_copy_would_be_seen(real: dict[str, dict[str, Any]]) -> None:
    theirs = words(real["services.openssh.settings.PermitRootLogin"]["description"])
    assert _longest_run(["says", *theirs], theirs) == len(theirs) > MOST_SHARED_WORDS


def _longest_run(ours: list[str], theirs: list[str]) -> int:
    return SequenceMatcher(None, ours, theirs, autojunk=False).find_longest_match().size
