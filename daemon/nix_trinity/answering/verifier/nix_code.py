"""Read Nix as Nix: a block becomes expressions of our own, with its syntax errors.

The only file that imports tree-sitter. Answers show fragments (bindings without braces) and leave things out
(``...``); both are completed before parsing, in a way that keeps every line where it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from nix_trinity.answering.verifier.nix_expression import Expression, expression_of, path_of, text_of
from nix_trinity.knowledge.options import Path

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Parser

_MOST_PROBLEMS: Final = 3
_CLOSING: Final = {"}": "{", "]": "[", ")": "("}
# Bounded, so that many openings without an end cost no more than their number.
_COMMENT = re.compile(r"^[ \t]*#[^\n]*\n|/\*.{0,500}?\*/", re.MULTILINE | re.DOTALL)
_LAST_COMMA = re.compile(r",(\s*+(?:#[^\n]*+\n\s*+)*+\}\s*+[:@])")
_ELIDED_LINE = re.compile(r"^[ \t]*(?:\.\.\.|…)[ \t]*;?[ \t]*$(?!\s*\}\s*[:@])", re.MULTILINE)
_ELIDED_INSIDE = re.compile(r"(?<=[{\[;])(\s*)(?:\.{2,}|…)(\s*)(?=\]|\}(?!\s*[:@]))")
_STAND_IN = re.compile(r"(?<=[\w\"])\.(<[A-Za-z][\w -]{0,40}>)")
_ELIDED_VALUE = re.compile(r"(=\s*)(?:\.{2,}|…)(\s*;)")


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """What is wrong, for a person to read, and on which line (from 0)."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class NixCode:
    """A block that was read. ``source`` is what was parsed: the block, completed; its lines are the block's."""

    source: str
    expression: Expression
    problems: tuple[SyntaxProblem, ...]
    references: tuple[tuple[Path, int], ...]
    """Each ``config.a.b`` in it, without ``config``, with its line."""
    has_broken_tree: bool
    """It does not parse, so that nothing but the words in it is certain."""
    commentable: frozenset[int]
    """The lines after which a comment can stand: their end is in no string and no block comment."""


def read_nix(code: str) -> NixCode:
    """Read a block; never fails, whatever the text. Takes microseconds for what an answer holds."""
    candidates = _candidates(code)
    for source in candidates:
        tree = _parser().parse(source.encode("utf-8", "replace"))
        if not tree.root_node.has_error:
            break
    else:
        # Where none parses, faults are told of the form without what was left out on purpose.
        source = candidates[-2 if _is_fragment(code) else -3]
        tree = _parser().parse(source.encode("utf-8", "replace"))
    if tree.root_node.has_error:
        problems = _problems(tree.root_node)
    else:
        # A fragment may show one option twice, as two ways to choose from; a whole file may not.
        problems = _duplicates(tree.root_node) if source is candidates[0] else iter(())
    root = tree.root_node.child_by_field_name("expression")
    return NixCode(
        source=source,
        expression=expression_of(root) if root is not None else Expression("unknown", 0),
        problems=tuple(problems),
        references=tuple(_references(tree.root_node)),
        has_broken_tree=tree.root_node.has_error,
        commentable=_commentable(source, tree.root_node),
    )


def _parser() -> Parser:
    # A new one each time, which costs a microsecond: texts are checked in several threads.
    from tree_sitter import Parser

    return Parser(_language())


@cache
def _language() -> Language:
    # Imported here because most answers come before any code has to be read.
    import tree_sitter_nix
    from tree_sitter import Language

    return Language(tree_sitter_nix.language())


def _candidates(code: str) -> list[str]:
    """The forms that a block may be complete in: a file, the inside of a set, the beginning of a file."""
    # Nix takes a comma after the last argument, which the grammar does not know.
    code = _LAST_COMMA.sub(r" \1", code)
    elided = _ELIDED_LINE.sub("", code)
    elided = _ELIDED_INSIDE.sub(r"\1\2", elided)
    elided = _STAND_IN.sub(r'."\1"', elided)
    elided = _ELIDED_VALUE.sub(r"\1elided\2", elided)
    forms = [code, elided] if elided != code else [code]
    return [candidate for form in forms for candidate in (form, f"{{ {form}\n}}", f"{form}\nelided")]


def _is_fragment(code: str) -> bool:
    """Whether a block that does not parse was meant as bindings without braces."""
    bare = _COMMENT.sub("", code).lstrip()
    return re.match(r'[A-Za-z_][\w\'-]*(?:\.(?:[\w\'-]+|"[^"\n]*"))*\s*=', bare) is not None


def _walk(root: Node, *, errors_only: bool = False) -> Iterator[Node]:
    """All nodes in the order of the text; without recursion, since hostile code nests deeply."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        children = node.children
        stack.extend(child for child in reversed(children) if not errors_only or child.has_error or child.is_missing)


def _problems(root: Node) -> Iterator[SyntaxProblem]:
    found: dict[tuple[int, str], None] = {}
    for node in _walk(root, errors_only=True):
        if node.is_missing:
            what = f"a `{node.type}` is missing" if not node.is_named else "something is missing here"
            found.setdefault((node.start_point[0], what))
        elif node.is_error:
            found.setdefault((node.start_point[0], _error(node)))
    unclosed = _unclosed(root)
    if unclosed:
        yield unclosed
    else:
        yield from (SyntaxProblem(line, message) for line, message in list(found)[:_MOST_PROBLEMS])


def _error(node: Node) -> str:
    first = text_of(node).split("\n", 1)[0].strip()
    if first.startswith("="):
        return "a `;` is missing at the end of the assignment before this one"
    if first.startswith(","):
        return "there are no commas between the elements of a Nix list, nor between the attributes of a set"
    if first.startswith(":"):
        return "attributes are assigned with `=`, not with `:`"
    shown = first if len(first) <= 40 else first[:40] + "…"
    return f"this is not valid Nix: `{shown}`" if shown else "this is not valid Nix"


def _unclosed(root: Node) -> SyntaxProblem | None:
    """The bracket that is never closed, or the closing one too many."""
    open_ones: list[tuple[str, int]] = []
    for node in _walk(root):
        kind = node.type
        if node.child_count or node.is_missing or node.is_named:
            continue
        if kind in _CLOSING.values():
            open_ones.append((kind, node.start_point[0]))
        elif kind == "${":
            open_ones.append(("{", node.start_point[0]))
        elif kind in _CLOSING:
            if not open_ones:
                return SyntaxProblem(node.start_point[0], f"this `{kind}` closes nothing")
            if open_ones[-1][0] != _CLOSING[kind]:
                bracket, line = open_ones[-1]
                return SyntaxProblem(line, f"this `{bracket}` is not closed before a `{kind}`")
            open_ones.pop()
    if open_ones:
        bracket, line = open_ones[-1]
        return SyntaxProblem(line, f"this `{bracket}` is never closed")
    return None


def _duplicates(root: Node) -> Iterator[SyntaxProblem]:
    """Attributes that one set gives twice, which Nix refuses, though they parse one by one."""
    for node in _walk(root):
        if node.type != "binding_set":
            continue
        seen: dict[Path, bool] = {}
        for entry in node.named_children:
            path, value = entry.child_by_field_name("attrpath"), entry.child_by_field_name("expression")
            if path is None or value is None:
                continue
            name, is_set = path_of(path), value.type == "attrset_expression"
            if name in seen and not (is_set and seen[name]) and "${…}" not in name:
                yield SyntaxProblem(
                    entry.start_point[0], f"`{'.'.join(name)}` is already set above; Nix refuses a second value"
                )
            seen[name] = is_set


def _references(root: Node) -> Iterator[tuple[Path, int]]:
    for node in _walk(root):
        if node.type != "select_expression":
            continue
        base, path = node.child_by_field_name("expression"), node.child_by_field_name("attrpath")
        if base is not None and path is not None and text_of(base) == "config":
            yield path_of(path), node.start_point[0]


def _commentable(source: str, root: Node) -> frozenset[int]:
    lines = source.split("\n")
    inside: set[int] = set()
    for node in _walk(root):
        if node.type in {"string_expression", "indented_string_expression", "comment"}:
            inside.update(range(node.start_point[0], node.end_point[0]))
    if root.has_error:
        # A string that is never closed is in no node of its own: what may be inside one is left alone.
        first = next((number for number, line in enumerate(lines) if "''" in line or "/*" in line), len(lines))
        inside.update(range(first, len(lines)))
        inside.update(number for number, line in enumerate(lines) if line.count('"') % 2)
    return frozenset(range(len(lines))) - inside
