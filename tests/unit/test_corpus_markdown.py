"""The NixOS manual's markdown: what a reader sees of it, cut where its headings are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.knowledge.corpus.markdown import Section, named_options, plain, sections

MANUAL = Path(__file__).parents[1] / "data" / "corpus" / "manual.md"
HOSTILE = [
    "[" * 200_000,
    "[]{#" * 50_000,
    "{#" * 50_000,
    "{option}`" * 20_000,
    "```{=include=}\n" * 20_000,
    "# " + "#" * 50_000 + "x",
    "# a" + " {#" * 50_000,
    "# " + " " * 50_000 + "x",
    "\n \n" * 50_000,
    "`" * 200_000,
    "::: \n" * 50_000,
    "[x](#opt-" * 20_000,
]


def manual() -> dict[str, Section]:
    return {section.titles[-1] if section.titles else "": section for section in sections(MANUAL.read_text("utf-8"))}


def test_a_chapter_is_cut_at_its_headings_and_none_of_it_gets_lost() -> None:
    found = sections(MANUAL.read_text("utf-8"))
    assert [section.titles for section in found] == [
        ("Network",),
        ("Network", "Host name"),
        ("Network", "Firewall"),
        ("Network", "Firewall", "Ports"),
        ("Using C#",),
    ]
    assert [section.anchor for section in found] == ["sec-network", "sec-host-name", "", "", ""]


def test_roles_anchors_and_admonitions_read_as_plain_text() -> None:
    text = manual()["Host name"].text
    assert "Set `networking.hostName`, in `configuration.nix`, then run `nixos-rebuild switch`" in text
    assert "`HOSTNAME` follows, see `hostname(5)`" in text
    assert "The machine's name shows in the prompt." in text
    assert not any(mark in text for mark in ("{option}", "{file}", "{env}", "[]", "{#", ":::", "{.note}"))


def test_included_files_are_no_text_and_make_no_heading() -> None:
    assert manual()["Network"].text == "Text before the first section of the chapter."


def test_code_is_left_as_it_stands() -> None:
    text = manual()["Firewall"].text
    assert "# A comment in Nix, not a heading." in text
    assert "# ::: and {option}`x` stay here" in text
    assert "# Neither is this one." in text
    assert "# Nor this." in text
    assert "`docker ps --format '{{.Names}}'`" in text


def test_links_to_options_name_them() -> None:
    text = manual()["Firewall"].text
    assert "See `users.users.<name>.isNormalUser` and the shell (`users.users.<name>.shell`)" in text


def test_options_in_roles_are_counted_as_often_as_they_stand() -> None:
    text = "{option}`a.b`, {command}`c.d`, {option}`a.b` and {option}`users.users.<name>.shell`"
    assert named_options(text) == ["a.b", "a.b", "users.users.<name>.shell"]


def test_text_without_a_heading_is_one_passage() -> None:
    assert sections("Only text.\n\nMore of it.") == [Section((), "", "Only text.\n\nMore of it.")]
    assert sections("") == sections(" \n\n") == []


def test_line_ends_of_windows_do_not_matter() -> None:
    text = MANUAL.read_text("utf-8")
    assert sections(text.replace("\n", "\r\n")) == sections(text)


def test_a_long_section_is_cut_between_paragraphs() -> None:
    paragraphs = [f"Paragraph {number} says {'something ' * 40}".strip() for number in range(20)]
    found = sections("# Long {#sec-long}\n\n" + "\n\n".join(paragraphs))
    assert len(found) > 3
    assert {(section.titles, section.anchor) for section in found} == {(("Long",), "sec-long")}
    assert "\n\n".join(section.text for section in found).split("\n\n") == paragraphs
    assert all(len(section.text) <= 1_800 for section in found)


def test_a_paragraph_that_is_too_long_by_itself_is_cut_anywhere() -> None:
    found = sections("# Table\n\n" + "x" * 10_000)
    assert "".join(section.text for section in found) == "x" * 10_000
    assert all(len(section.text) <= 1_800 for section in found)


def test_a_block_of_code_that_is_never_closed_takes_the_rest() -> None:
    found = sections("# One\n\n```\n# two\n")
    assert [(section.titles, section.text) for section in found] == [(("One",), "```\n# two")]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_markdown_is_read_in_a_moment(text: str) -> None:
    began = time.process_time()
    sections(text)
    # Backtracking over these takes minutes; the limit is wide, since it is no measurement.
    assert time.process_time() - began < 10


@given(
    st.lists(
        st.sampled_from(["#", "# ", "```", "~~~", "\n", "\r\n", ":::", "{", "}", "[](#opt-", ")", "a b", "`", " "])
    )
)
def test_whatever_stands_there_is_cut_into_passages_of_bounded_length(pieces: list[str]) -> None:
    text = "".join(pieces)
    for section in sections(text):
        assert 0 < len(section.text) <= 1_800
    assert plain(plain("plain words")) == "plain words"


def test_links_of_the_release_notes_name_options_and_comments_are_not_text() -> None:
    text = """## New services {#sec-new}
<!-- add yours at an arbitrary place
in the list -->
- A file sender: [programs.sender](options.html#opt-programs.sender.enable), a list [here](option.html#opt-services.list).
- Set [](#opt-users.mutableUsers), and [its hash](#opt-users.users._name_.hashedPassword); {option}`boot.loader.timeout`.
"""
    [section] = sections(text)
    assert "<!--" not in section.text
    assert "arbitrary" not in section.text
    assert "programs.sender (`programs.sender.enable`)" in section.text
    assert "its hash (`users.users.<name>.hashedPassword`)" in section.text
