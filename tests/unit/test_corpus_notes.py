"""Notes: what a file has to be, what is said of one that is not, and which errors it answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.notes import MOST_BYTES, Note, parse_note, trigger_matches

NOTES = Path(__file__).parents[1] / "data" / "corpus" / "notes"


def refused(data: bytes) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        parse_note(data, file="/etc/notes/mine.md")
    assert caught.value.message.startswith("/etc/notes/mine.md: ")
    assert caught.value.hint
    return caught.value


def test_a_persons_note_is_read_as_it_says() -> None:
    note = parse_note((NOTES / "printer.md").read_bytes(), file="printer.md")
    assert note == Note(
        title="The printer on the second floor",
        triggers=("lp: Error - The printer or class does not exist",),
        asked=("how do I print on the second floor",),
        options=("hardware.printers.ensurePrinters",),
        text="Ask `brother.lan`, not the print server:\n\n```\nlpadmin -p second -v ipp://brother.lan\n```",
    )


def test_line_ends_and_marks_of_windows_are_understood() -> None:
    data = (NOTES / "printer.md").read_bytes()
    note = parse_note(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"), file="printer.md")
    assert note.title == "The printer on the second floor"
    assert "lpadmin" in note.text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "there is no head between two lines +++"),
        (b"# Only markdown\n\nText.\n", "there is no head between two lines +++"),
        (b'+++\ntitle = "Never closed"\n\nText.\n', "there is no head between two lines +++"),
        (b"+++\ntitle = \n+++\nText.\n", "the note's head cannot be used"),
        (b"+++\n\n+++\nText.\n", "missing required field `title`"),
        (b'+++\ntitle = ""\n+++\nText.\n', "length >= 1"),
        (b'+++\ntitle = "A"\ntags = ["x"]\n+++\nText.\n', "unknown field `tags`"),
        (b'+++\ntitle = "A"\ntriggers = "x"\n+++\nText.\n', "Expected `array`, got `str` - at `$.triggers`"),
        (b'+++\ntitle = "A"\n+++\n \n\t\n', "the note has no text"),
        (b'+++\ntitle = "A"\n+++\nText \xff.\n', "byte 25 is not UTF-8"),
        (b'+++\ntitle = "A"\n+++\n' + b"x" * MOST_BYTES, "a note has at most 256 KiB"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "there is no head between two lines +++"),
    ],
    ids=[
        "empty",
        "no head",
        "open head",
        "bad head",
        "no title",
        "empty title",
        "key",
        "type",
        "text",
        "utf",
        "big",
        "binary",
    ],
)
def test_a_file_that_is_no_note_is_refused_with_what_is_wrong(data: bytes, said: str) -> None:
    assert said in refused(data).message


@pytest.mark.parametrize(
    ("trigger", "line", "fits"),
    [
        ("attribute '*' missing", "error: attribute 'foo' missing", True),
        ("attribute '*' missing", "error: attribute 'foo' is missing", False),
        ("Failed to start *.service", "systemd[1]: FAILED TO START nginx.service.", True),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("aa*aa", "aaa", False),
        ("***", "anything", False),
    ],
)
def test_a_trigger_fits_within_one_line(trigger: str, line: str, fits: bool) -> None:
    assert trigger_matches(trigger, [line.casefold()]) is fits


def test_a_trigger_does_not_reach_over_lines() -> None:
    assert not trigger_matches("start*end", ["start", "end"])


@pytest.mark.parametrize("trigger", ["*" * 200 + "x", "a*" * 140 + "b", "*a" * 140, "aaaa*" * 55 + "b"])
def test_a_hostile_trigger_takes_a_moment_on_a_long_line(trigger: str) -> None:
    began = time.process_time()
    assert not trigger_matches(trigger, ["a" * 2_000_000 if "a" not in trigger[-1] else "c" * 2_000_000])
    assert time.process_time() - began < 10


@given(
    st.lists(st.text(alphabet="ab", max_size=3), min_size=1, max_size=5),
    st.lists(st.text(alphabet="abc", max_size=3), max_size=5),
)
def test_whatever_stands_between_the_pieces_a_trigger_finds_them(pieces: list[str], gaps: list[str]) -> None:
    gaps = [*gaps, *[""] * len(pieces)]
    line = "".join(piece + gap for piece, gap in zip(pieces, gaps, strict=False))
    assert trigger_matches("*".join(pieces), [line]) is any(pieces)
