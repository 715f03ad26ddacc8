"""docs/reference/notes.md: its example is a note that works, and it tells every key and limit."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from nix_trinity.config_sections import CorpusSection
from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.corpus import Corpus
from nix_trinity.knowledge.corpus.notes import MOST_BYTES, Note, parse_note
from nix_trinity.knowledge.corpus.places import CorpusPlaces

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "notes.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "tests" / "data" / "sample-options.json"


def example() -> str:
    found = re.search(r"^````markdown\n(.*?)^````$", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def with_notes(folder: Path, work: Callable[[Corpus], Awaitable[None]]) -> None:
    async def run() -> None:
        state = folder / "state"
        state.mkdir()
        corpus = Corpus(state, CorpusPlaces(options=str(SAMPLE), notes=(str(folder / "notes"),)))
        try:
            await corpus.refresh()
            await work(corpus)
        finally:
            await corpus.close()

    asyncio.run(run())


def test_the_example_is_a_note_of_real_options() -> None:
    note = parse_note(example().encode(), file="example")
    assert note.title == "The printer on the second floor"
    named = SAMPLE.read_text(encoding="utf-8")
    assert all(f'"{option}": {{' in named for option in note.options)


def test_every_key_and_limit_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert told == set(Note.__struct_fields__) - {"text"}
    assert f"{MOST_BYTES >> 10} KiB" in PAGE
    assert "notes" in CorpusSection.__struct_fields__


def test_the_example_answers_a_pasted_error_and_a_question(tmp_path: Path) -> None:
    folder = tmp_path / "notes" / "below"
    folder.mkdir(parents=True)
    (folder / "office-printer.md").write_text(example(), encoding="utf-8")
    (folder / "office-printer.txt").write_text("not read", encoding="utf-8")
    log = 'Nov 25 09:00:01 host cupsd[7]: UNABLE to locate printer "office-2.local".\nmore'

    async def work(corpus: Corpus) -> None:
        status = await corpus.status()
        assert status is not None
        assert (status.notes, status.problems) == (1, ())
        found = await corpus.read(lambda index: index.passages.notes_triggered(log))
        assert [note.title for note in found] == ["The printer on the second floor"]
        asked = await corpus.read(lambda index: index.passages.by_text(["drucker", "stock"], kind="note", limit=3))
        assert [note.title for note in asked] == ["The printer on the second floor"]

    with_notes(tmp_path, work)


def test_a_note_that_cannot_be_used_is_named_and_the_others_stay(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "good.md").write_text(example(), encoding="utf-8")
    (folder / "bad.md").write_text(example().replace("triggers", "trigers"), encoding="utf-8")

    async def work(corpus: Corpus) -> None:
        status = await corpus.status()
        assert status is not None
        assert status.notes == 1
        assert len(status.problems) == 1
        assert "bad.md" in status.problems[0]
        assert "trigers" in status.problems[0]

    with_notes(tmp_path, work)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title = ", "titel = "),
        ('title = "The printer on the second floor"', ""),
        ('title = "The printer on the second floor"', 'title = ""'),
        ('title = "The printer on the second floor"', f'title = "{"x" * 301}"'),
        ("+++\ntitle", "\n+++\ntitle"),
        ('"services.avahi.enable"', "1"),
    ],
)
def test_what_the_page_calls_an_error_is_one(old: str, new: str) -> None:
    assert old in example()
    with pytest.raises(CorpusError, match="example") as caught:
        parse_note(example().replace(old, new, 1).encode(), file="example")
    assert caught.value.hint
