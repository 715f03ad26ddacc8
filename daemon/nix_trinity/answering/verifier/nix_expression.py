"""A Nix expression as plain values: what an answer assigns, as far as it can be known without evaluation.

The syntax tree comes from ``nix_code``; this file knows the names of its nodes, not the library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from nix_trinity.knowledge.options import Path

Kind = Literal[
    "boolean",
    "integer",
    "float",
    "string",
    "path",
    "null",
    "list",
    "attributes",
    "function",
    "apply",
    "choice",
    "unknown",
]

# What nests deeper than this is not configuration; it is taken as unknown, so that hostile nesting does no harm.
_DEEPEST: Final = 120
# lib functions that hand on their last argument, by how many arguments they take.
_WRAPPERS: Final = {
    **dict.fromkeys(
        ("mkForce", "mkDefault", "mkBefore", "mkAfter", "mkVMOverride", "mkImageMediaOverride", "mkOptionDefault"), 1
    ),
    **dict.fromkeys(("mkIf", "mkOverride", "mkOrder", "optionalAttrs", "optionals", "optionalString"), 2),
}


class SyntaxNode(Protocol):
    """What this file needs of tree-sitter's ``Node``."""

    @property
    def type(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> bytes | None: ...  # noqa: D102
    @property
    def start_point(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def is_error(self) -> bool: ...  # noqa: D102
    @property
    def is_missing(self) -> bool: ...  # noqa: D102
    @property
    def child_count(self) -> int: ...  # noqa: D102
    @property
    def named_children(self) -> Sequence[SyntaxNode]: ...  # noqa: D102
    def child_by_field_name(self, name: str, /) -> SyntaxNode | None: ...  # noqa: D102
    def children_by_field_name(self, name: str, /) -> Sequence[SyntaxNode]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Expression:
    """A Nix expression, as far as it can be known without evaluating it. Lines count from 0 in the block.

    ``choice`` is a value that is one of ``elements``, or all of them merged (``if``, ``mkMerge``, ``//``).
    """

    kind: Kind
    line: int
    literal: str | int | float | bool | None = None
    """Of a scalar, where it is written out; None otherwise (a string with interpolation)."""
    elements: tuple[Expression, ...] = ()
    """Of a list, a choice, an application (its arguments); of a function, its body."""
    bindings: tuple[Binding, ...] = ()
    name: str = ""
    """Of an application, the last attribute of what is applied; of a function, its arguments, space-separated."""


@dataclass(frozen=True, slots=True)
class Binding:
    """``path = value;``. Attributes that are computed stand in the path as ``${…}``."""

    path: Path
    line: int
    value: Expression


def expression_of(node: SyntaxNode, depth: int = 0) -> Expression:
    """Turn a node of the syntax tree and all below it into an expression."""
    line = node.start_point[0]
    unknown = Expression("unknown", line)
    if depth > _DEEPEST or node.is_error or node.is_missing:
        return unknown
    match node.type:
        case "parenthesized_expression":
            return _field(node, "expression", depth)
        case "let_expression" | "with_expression" | "assert_expression":
            return _field(node, "body", depth)
        case "if_expression":
            branches = (_field(node, "consequence", depth), _field(node, "alternative", depth))
            return Expression("choice", line, elements=branches)
        case "attrset_expression" | "rec_attrset_expression":
            return Expression("attributes", line, bindings=tuple(_bindings(node, depth)))
        case "list_expression":
            return Expression(
                "list", line, elements=tuple(expression_of(each, depth + 1) for each in _children(node, "element"))
            )
        case "function_expression":
            return Expression("function", line, elements=(_field(node, "body", depth),), name=_arguments(node))
        case "apply_expression":
            return _application(node, depth)
        case "binary_expression":
            return _binary(node, depth)
        case _:
            return _scalar(node) or unknown


def _scalar(node: SyntaxNode) -> Expression | None:
    line, text = node.start_point[0], text_of(node)
    match node.type:
        case "variable_expression" if text in {"true", "false"}:
            return Expression("boolean", line, text == "true")
        case "variable_expression" if text == "null":
            return Expression("null", line)
        case "integer_expression":
            return Expression("integer", line, int(text) if len(text) < 20 else None)
        case "float_expression":
            return Expression("float", line, float(text))
        case "string_expression" | "indented_string_expression":
            return Expression("string", line, _string(node))
        # `<name>` parses as a search path, and is what people write for a value of one's own.
        case "path_expression" | "hpath_expression":
            return Expression("path", line)
        case "uri_expression":
            return Expression("string", line, text)
        case "unary_expression" if text.startswith("!"):
            return Expression("boolean", line)
        case "unary_expression":
            inner = _scalar(node.named_children[-1]) if node.named_children else None
            if inner is not None and isinstance(inner.literal, int | float):
                return Expression(inner.kind, line, -inner.literal)
        case "has_attr_expression":
            return Expression("boolean", line)
    return None


def _string(node: SyntaxNode) -> str | None:
    """The text of a string, None when a part of it is computed."""
    parts: list[str] = []
    for part in node.named_children:
        if part.type == "string_fragment":
            parts.append(text_of(part))
        elif part.type in {"escape_sequence", "dollar_escape"}:
            parts.append(text_of(part)[-1])
        else:
            return None
    return "".join(parts)


def _binary(node: SyntaxNode, depth: int) -> Expression:
    line = node.start_point[0]
    sign = node.child_by_field_name("operator")
    operator = text_of(sign) if sign is not None else ""
    if operator in {"==", "!=", "<", ">", "<=", ">=", "&&", "||", "->"}:
        return Expression("boolean", line)
    if operator not in {"++", "//"}:
        return Expression("unknown", line)
    sides = (_field(node, "left", depth), _field(node, "right", depth))
    if operator == "//":
        return Expression("choice", line, elements=sides)
    return Expression(
        "list", line, elements=tuple(each for side in sides for each in side.elements if side.kind == "list")
    )


def _application(node: SyntaxNode, depth: int) -> Expression:
    line = node.start_point[0]
    arguments: list[SyntaxNode] = []
    applied: SyntaxNode | None = node
    while applied is not None and applied.type == "apply_expression" and len(arguments) < _DEEPEST:
        argument = applied.child_by_field_name("argument")
        if argument is not None:
            arguments.append(argument)
        applied = applied.child_by_field_name("function")
    arguments.reverse()
    name = text_of(applied).rpartition(".")[2] if applied is not None and applied.child_count < 4 else ""
    if _WRAPPERS.get(name) == len(arguments):
        return expression_of(arguments[-1], depth + 1)
    values = tuple(expression_of(each, depth + 1) for each in arguments)
    if name == "mkMerge" and len(values) == 1 and values[0].kind == "list":
        return Expression("choice", line, elements=values[0].elements)
    if name == "optional" and len(values) == 2:
        return Expression("list", line, elements=values[1:])
    if applied is not None and applied.type in {"attrset_expression", "rec_attrset_expression"}:
        # Two files in one block look like one set that is applied to another.
        return Expression("choice", line, elements=(expression_of(applied, depth + 1), *values))
    return Expression("apply", line, elements=values, name=name)


def _bindings(node: SyntaxNode, depth: int) -> Iterator[Binding]:
    for group in node.named_children:
        for entry in group.named_children if group.type == "binding_set" else ():
            line = entry.start_point[0]
            if entry.type == "binding":
                path = entry.child_by_field_name("attrpath")
                if path is not None:
                    yield Binding(path_of(path), line, _field(entry, "expression", depth))
            elif entry.type in {"inherit", "inherit_from"}:
                for names in (child for child in entry.named_children if child.type == "inherited_attrs"):
                    for attribute in path_of(names):
                        yield Binding((attribute,), line, Expression("unknown", line))


def path_of(node: SyntaxNode) -> Path:
    """Read the attributes of an ``attrpath``."""
    return tuple(_attribute(child) for child in node.named_children if child.type != "comment")


def _attribute(node: SyntaxNode) -> str:
    if node.type == "identifier":
        return text_of(node)
    text = _string(node) if node.type == "string_expression" else None
    return text if text is not None else "${…}"


def _arguments(node: SyntaxNode) -> str:
    universal = node.child_by_field_name("universal")
    formals = node.child_by_field_name("formals")
    names = [text_of(universal)] if universal is not None else []
    for formal in formals.named_children if formals is not None else ():
        name = formal.child_by_field_name("name")
        names.append(text_of(name) if name is not None else "...")
    return " ".join(names)


def _field(node: SyntaxNode, name: str, depth: int) -> Expression:
    child = node.child_by_field_name(name)
    return expression_of(child, depth + 1) if child is not None else Expression("unknown", node.start_point[0])


def _children(node: SyntaxNode, name: str) -> Sequence[SyntaxNode]:
    return [child for child in node.children_by_field_name(name) if not child.is_error]


def text_of(node: SyntaxNode) -> str:
    """Give the text that a node covers."""
    return (node.text or b"").decode("utf-8", "replace")
