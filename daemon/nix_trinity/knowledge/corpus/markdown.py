"""Cut markdown into passages at its headings: the NixOS manual, its release notes, and our own notes.

The manual's dialect has roles (``{option}`services.x```), attributes (``[]{#sec-x}``, ``{#id .class}``), links to
options (``[](#opt-services.x)``) and admonitions (``::: {.note}``); what a reader would not see is taken out. Code
stays as it is. The patterns are bounded, so that reading takes time in proportion to the text, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"^(#{1,6})\s+(\S.*)$")
_HEADING_END = re.compile(r"(?:^|\s)#+$")
_HEADING_ID = re.compile(r"\{#([\w.:-]+)[^}]*\}")
_ROLE = re.compile(r"\{(?:option|command|file|env|var|manpage|application|program|term|keycap|ref)\}`([^`]*)`")
_SPAN_ID = re.compile(r"(`[^`\n]*`)|(?:\[\])?\{[#.][^}\n]{1,200}\}")
_OPTION_LINK = re.compile(r"\[([^\]\n]{0,200})\]\((?:options?\.html)?#opt-([^)\s]{1,300})\)")
_COMMENT = re.compile(r"<!--(?:(?!-->).){0,2000}-->", re.DOTALL)
_LINK_PLACEHOLDER = re.compile(r"(?<=\.)_([a-z][\w-]*)_(?=\.|$)")
_ADMONITION = re.compile(r"^:{3,}.*$", re.MULTILINE)
_INCLUDE = re.compile(r"^```\{=include=\}.*\n(?:(?!```).*\n)*```[ \t]*$", re.MULTILINE)
_OPTION_ROLE = re.compile(r"\{option\}`([^`\s]+)`")
_MOST_CHARACTERS = 1_800
_LONGEST_TITLE = 200
_LONGEST_HEADING = 1_000


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
    """``text`` without the dialect's marks; what stands in code is left alone."""
    if not any(mark in text for mark in ("{", ":::", "#opt-", "<!--")):
        return text
    if "```" not in text and "~~~" not in text:
        return _plain_prose(text)
    runs: list[tuple[bool, list[str]]] = []
    for line, is_code in _with_fences(text.split("\n")):
        if not runs or runs[-1][0] != is_code:
            runs.append((is_code, []))
        runs[-1][1].append(line)
    return "\n".join("\n".join(lines) if is_code else _plain_prose("\n".join(lines)) for is_code, lines in runs)


def named_options(text: str) -> list[str]:
    """What stands in ``{option}`` roles, in order, with repetitions."""
    return _OPTION_ROLE.findall(text)


def _by_heading(text: str) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    titles: list[tuple[int, str]] = []
    anchor, lines = "", list[str]()
    for line, is_code in _with_fences(text.split("\n")):
        heading = None if is_code else _HEADING.match(line[:_LONGEST_HEADING])
        if heading is None:
            lines.append(line)
            continue
        yield tuple(title for _, title in titles), anchor, lines
        named = _HEADING_ID.search(heading[2])
        title = plain(_HEADING_END.sub("", _HEADING_ID.sub("", heading[2]).rstrip())).strip()[:_LONGEST_TITLE]
        level = len(heading[1])
        titles = [*((depth, above) for depth, above in titles if depth < level), (level, title)]
        anchor, lines = named[1] if named else "", []
    yield tuple(title for _, title in titles), anchor, lines


def _with_fences(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it belongs to a block of code."""
    fence = ""
    for line in lines:
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
            yield line, True
            continue
        yield line, bool(fence)
        if mark and line.strip().startswith(fence):
            fence = ""


def _plain_prose(text: str) -> str:
    linked = _OPTION_LINK.sub(_option_link, _ROLE.sub(r"`\1`", _COMMENT.sub("", text)))
    return _ADMONITION.sub("", _SPAN_ID.sub(lambda found: found[1] or "", linked))


def _option_link(found: re.Match[str]) -> str:
    # The manual writes <name> as _name_ there: an anchor takes no angle brackets.
    name = "`" + _LINK_PLACEHOLDER.sub(r"<\1>", found[2]) + "`"
    text = found[1].strip()
    return name if text in ("", name) else f"{text} ({name})"


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
