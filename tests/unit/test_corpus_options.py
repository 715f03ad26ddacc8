"""``options.json`` as NixOS and Home Manager make it, and everything else that may lie in its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.options_json import parse_options, release_of
from nix_trinity.knowledge.options import Option

DATA = Path(__file__).parents[1] / "data" / "corpus"
ENTRY: dict[str, Any] = {"loc": ["a", "b"], "type": "boolean", "description": "Whether.", "declarations": []}
SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def options(name: str, origin: str) -> dict[str, Option]:
    return {option.name: option for option in parse_options((DATA / name).read_bytes(), file=name, origin=origin)}


@pytest.fixture(scope="module")
def nixos() -> dict[str, Option]:
    return options("nixos-options.json", "nixos")


def refused(data: bytes) -> str:
    with pytest.raises(CorpusError) as caught:
        parse_options(data, file="/etc/options.json", origin="nixos")
    assert caught.value.message.startswith("/etc/options.json: ")
    assert "nixos-rebuild switch" in caught.value.hint
    assert "the last good index" in caught.value.hint
    return caught.value.message


def test_an_option_of_nixos_is_read_as_its_list_has_it(nixos: dict[str, Option]) -> None:
    assert nixos["programs.zsh.enable"] == Option(
        name="programs.zsh.enable",
        path=("programs", "zsh", "enable"),
        type="boolean",
        default="false",
        example="true",
        description="Whether to have zsh for the whole system, see {option}`users.defaultUserShell`.\n",
        declarations=("nixos/modules/programs/zsh/zsh.nix",),
    )
    assert nixos["system.nixos.release"].read_only


def test_what_is_not_meant_for_people_is_left_out(nixos: dict[str, Option]) -> None:
    assert not {"services.hidden.enable", "services.invisible.enable"} & set(nixos)
    assert "services.shallow" in nixos
    assert len(nixos) == 8


def test_an_attribute_with_a_dot_stays_one_attribute(nixos: dict[str, Option]) -> None:
    option = nixos['services.opensearch.settings."cluster.name"']
    assert option.path == ("services", "opensearch", "settings", "cluster.name")


def test_defaults_come_as_nix_as_markdown_and_as_plain_json(nixos: dict[str, Option]) -> None:
    assert nixos["programs.zsh.package"].default == "`pkgs.zsh`, or what {option}`programs.zsh.enable` brings"
    assert nixos["programs.zsh.package"].description == "The package to use."
    assert nixos['services.opensearch.settings."cluster.name"'].default == '"opensearch"'
    assert nixos["services.old.ports"].default == "[22,80]"
    assert nixos["services.old.ports"].example == '{"a":true}'
    assert nixos["services.old.ports"].description == ""


def test_home_managers_declarations_are_links_or_names() -> None:
    home = options("home-manager-options.json", "home-manager")
    assert home["programs.git.enable"].declarations[0].startswith("https://github.com/nix-community/home-manager/")
    assert home["programs.zsh.enable"].declarations == ("<home-manager/modules/programs/zsh.nix>",)
    assert {option.origin for option in home.values()} == {"home-manager"}


@pytest.mark.parametrize(
    ("default", "release"),
    [
        ('"25.05"', "25.05"),
        (' "24.11"\n', "24.11"),
        ("lib.trivial.release", None),
        ("", None),
        ('"' + "9" * 99 + '"', None),
    ],
)
def test_the_release_is_what_the_list_says(default: str, release: str | None) -> None:
    option = Option(name="system.nixos.release", path=("system", "nixos", "release"), type="string", default=default)
    assert release_of([option]) == release


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a list of options"),
        (json.dumps({"a.b": ENTRY}).encode()[:-7], "not a list of options"),
        (b"[]", "not a list of options"),
        (b'"text"', "not a list of options"),
        (b"null", "not a list of options"),
        (b"{}", "there is no option in it"),
        (b'{"a": 1}', "not a list of options"),
        (b'{"version": {"loc": "a.b"}}', "not a list of options"),
        (b'{"a.b": {"type": "boolean"}}', "missing required field `loc`"),
        (b'{"a.b": {"loc": [1]}}', "Expected `str`, got `int` - at `$[...].loc[0]`"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "not a list of options"),
        (b'{"a\xff": {"loc": ["a"]}}', "not a list of options"),
        (b'{"a.b": {"loc": ["a"], "default": ' + b"[" * 200_000, "not a list of options"),
        (b'{"a.b": {"loc": ["a"], "default": ' + b'{"a":' * 200_000, "not a list of options"),
        (b"[" * 1_000_000, "not a list of options"),
        (json.dumps({"a.b": {**ENTRY, "internal": True}, " ": ENTRY, "c": {**ENTRY, "loc": []}}).encode(), "no option"),
        (b"<!doctype html><title>404</title>", "not a list of options"),
    ],
    ids=range(17),
)
def test_anything_else_is_refused_with_the_file_and_what_to_do(data: bytes, said: str) -> None:
    assert said in refused(data)


def test_one_gigantic_text_is_cut() -> None:
    data = json.dumps({"a.b": {**ENTRY, "description": "x" * 5_000_000, "default": "y" * 5_000_000}}).encode()
    [option] = parse_options(data, file="f", origin="nixos")
    assert len(option.description) == len(option.default) == 20_000


@given(
    st.dictionaries(
        st.text(max_size=6),
        st.fixed_dictionaries({"loc": SMALL}, optional={"default": SMALL, "description": SMALL, "visible": SMALL})
        | SMALL,
        max_size=4,
    )
)
def test_whatever_json_it_is_there_are_options_or_an_error_that_says_so(value: dict[str, Any]) -> None:
    try:
        found = parse_options(json.dumps(value).encode(), file="f", origin="nixos")
    except CorpusError as error:
        assert error.message.startswith("f: ")  # noqa: PT017 (either outcome is right)
    else:
        assert all(option.name in value and option.path for option in found)


@given(st.binary(max_size=60))
def test_whatever_bytes_they_are_no_other_error_comes(data: bytes) -> None:
    with pytest.raises(CorpusError, match=r"^f: "):
        parse_options(data, file="f", origin="nixos")
