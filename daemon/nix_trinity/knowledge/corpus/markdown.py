"""Cut markdown into passages at its headings: the NixOS manual, its release notes, and our own notes.

The manual's dialect has roles (``{option}`services.x```), attributes (``[]{#sec-x}``, ``{#id .class}``) and
admonitions (``::: {.note}``); what a reader would not see is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*\s*$")
_HEADING_ID = re.compile(r"\s*\{#([\w.:-]+)[^}]*\}")
_ROLE = re.compile(r"\{(?:option|command|file|env|var|manpage|application|program|term|keycap|ref)\}`([^`]*)`")
_SPAN_ID = re.compile(r"\[\]\{#[^}]*\}|\{(?:#|\.)[^}]*\}")
_ADMONITION = re.compile(r"^:{3,}.*$", re.MULTILINE)
_INCLUDE = re.compile(r"^```\{=include=\}.*?^```\s*$", re.MULTILINE | re.DOTALL)
_OPTION_ROLE = re.compile(r"\{option\}`([^`\s]+)`")
_MOST_CHARACTERS = 1_800
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Section:
    """A passage: its heading path (outermost first), its anchor ('' without one), and its text."""

    titles: tuple[str, ...]
    anchor: str
    text: str


def sections(text: str) -> list[Section]:
    """The passages of one file, in order; a long section is cut between its paragraphs."""
    found: list[Section] = []
    for titles, anchor, lines in _by_heading(_INCLUDE.sub("", text.replace("\r\n", "\n"))):
        body = plain("\n".join(lines)).strip()
        found.extend(Section(titles, anchor, piece) for piece in _pieces(body))
    return found


def plain(text: str) -> str:
    """``text`` without the dialect's marks."""
    return _ADMONITION.sub("", _SPAN_ID.sub("", _ROLE.sub(r"`\1`", text)))


def named_options(text: str) -> list[str]:
    """What stands in ``{option}`` roles, in order, with repetitions."""
    return _OPTION_ROLE.findall(text)


def _by_heading(text: str) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    titles: list[tuple[int, str]] = []
    anchor, lines, fence = "", list[str](), ""
    for line in text.split("\n"):
        opened = _FENCE.match(line)
        if opened and not fence:
            fence = opened[1]
        elif opened and line.strip().startswith(fence):
            fence = ""
        heading = None if fence or opened else _HEADING.match(line)
        if heading is None:
            lines.append(line)
            continue
        yield tuple(title for _, title in titles), anchor, lines
        named = _HEADING_ID.search(heading[2])
        title = plain(_HEADING_ID.sub("", heading[2])).strip()[:_LONGEST_TITLE]
        level = len(heading[1])
        titles = [*((depth, above) for depth, above in titles if depth < level), (level, title)]
        anchor, lines = named[1] if named else "", []
    yield tuple(title for _, title in titles), anchor, lines


def _pieces(body: str) -> Iterator[str]:
    piece = ""
    for paragraph in re.split(r"\n\s*\n", body):
        # A single paragraph that is too long is cut hard: it is a table or a listing.
        for start in range(0, max(len(paragraph), 1), _MOST_CHARACTERS):
            part = paragraph[start : start + _MOST_CHARACTERS]
            if piece and len(piece) + len(part) > _MOST_CHARACTERS:
                yield piece
                piece = ""
            piece = f"{piece}\n\n{part}" if piece else part
    if piece.strip():
        yield piece
