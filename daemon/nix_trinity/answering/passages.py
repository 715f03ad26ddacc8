"""The finds of the search as text for the model: whole passages, the best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from nix_trinity.answering.retriever.features import Ranked
from nix_trinity.answering.retriever.retrieve import Retrieved
from nix_trinity.knowledge.corpus.finds import Found
from nix_trinity.knowledge.corpus.markdown import plain
from nix_trinity.knowledge.corpus.option_rows import summary_of
from nix_trinity.knowledge.corpus.words import stem, words

_LEADING_OPTIONS = 4
_MOST_OPTIONS = 5
_NOTES_ON_ERRORS = 2
_LONGEST_NOTE = 550
_LONGEST_NOTE_ON_ERRORS = 2_000
_TITLE_SHARE = 0.5
_TITLE_WORD = 4
# Short, since each token costs a model on a processor some hundredths of a second before its first word.
_LONGEST_SUMMARY = 140
_LONGEST_VALUE = 40
_LONGEST_TYPE = 60


def passages(retrieved: Retrieved, past: Sequence[Found] = ()) -> list[str]:
    """What the model is to know, the most telling first, so that what does not fit is dropped from the end.

    ``past`` are past answers: below the options that make them true, and above the notes, which are longer.
    """
    options = [option_line(one) for one in retrieved.options[:_MOST_OPTIONS]] if retrieved.confident else []
    most = _LONGEST_NOTE_ON_ERRORS if retrieved.about_error else _LONGEST_NOTE
    notes = [note_text(note, most) for note in _notes(retrieved)]
    manual = [note_text(passage, most) for passage in retrieved.manual[:1]]
    leading = [*options[:_LEADING_OPTIONS], *(past_text(one) for one in past)]
    # What this system's own lists say goes before what was written elsewhere.
    if retrieved.about_error and notes and _notes(retrieved)[0].pack is None:
        return [notes[0], *leading, *notes[1:], *manual]
    return [*leading, *notes[:1], *options[_LEADING_OPTIONS:], *notes[1:], *manual]


def given_notes(retrieved: Retrieved | None, past: Sequence[Found] = ()) -> list[Found]:
    """The notes, passages of the manual and past answers among :func:`passages`."""
    return [] if retrieved is None else [*_notes(retrieved), *retrieved.manual[:1], *past]


def _notes(retrieved: Retrieved) -> Sequence[Found]:
    """The notes worth their tokens: beside options that surely answer, only those whose very title is asked for."""
    if retrieved.about_error:
        return retrieved.notes[:_NOTES_ON_ERRORS]
    if not retrieved.sure:
        return retrieved.notes[:1]
    asked = set(retrieved.query.stems)
    return [note for note in retrieved.notes[:1] if _share_of_title(note, asked) >= _TITLE_SHARE]


def _share_of_title(note: Found, asked: Set[str]) -> float:
    title = {stem(word) for word in words(note.title) if len(word) >= _TITLE_WORD}
    return len(title & asked) / len(title) if title else 0.0


def option_line(ranked: Ranked) -> str:
    """One option in a line or two."""
    option = ranked.option
    about = [_shortened(option.type, _LONGEST_TYPE)]
    if option.default:
        about.append(f"default {_shortened(option.default, _LONGEST_VALUE)}")
    if option.example and len(option.example) <= _LONGEST_VALUE and option.type != "boolean":
        about.append(f"for example {_shortened(option.example, _LONGEST_VALUE)}")
    summary = _shortened(summary_of(option), _LONGEST_SUMMARY)
    return f"- {option.name} ({'; '.join(about)}): {summary}"


def note_text(found: Found, most: int) -> str:
    """A note or a passage of the manual: its first paragraphs and code blocks, whole, up to ``most`` characters."""
    kept: list[str] = []
    room = most
    for block in _blocks(plain(found.body).strip()):
        room -= len(block)
        if kept and room < 0:
            kept.append("…")
            break
        kept.append(block)
    return f"{found.title}{from_pack(found)}\n" + "\n\n".join(kept)


def _blocks(text: str) -> Iterator[str]:
    """The paragraphs of a text; a fenced block of code is one with all that is in it."""
    lines: list[str] = []
    fenced = False
    for line in text.split("\n"):
        if line.startswith("```"):
            fenced = not fenced
        if line.strip() or fenced:
            lines.append(line)
        elif lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


def past_text(found: Found) -> str:
    """A past answer with its question."""
    if found.pack is not None:
        return f"Asked elsewhere{from_pack(found)}: {found.title}\nThe answer that was accepted there:\n{found.body}"
    return f"Asked here before: {found.title}\nThe answer that was accepted:\n{found.body}"


def from_pack(found: Found) -> str:
    """What marks a text that is a pack's and not this system's own."""
    return f" (from the knowledge pack {found.pack.label})" if found.pack is not None else ""


def _shortened(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
