"""What type texts are read as, on made-up ones, on hostile ones, and on every option of a real NixOS."""

from __future__ import annotations

import json
import lzma
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_nix
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from nix_trinity.knowledge.option_type_text import parse_type
from nix_trinity.knowledge.option_types import (
    ABOVE_ZERO,
    ANYTHING,
    BOOLEAN,
    FLOAT,
    FUNCTION,
    INTEGER,
    NULL,
    NUMBER,
    ONE_LINE,
    PACKAGE,
    PATH,
    STRING,
    SUBMODULE,
    OptionType,
    admits,
    either,
)

PORT = OptionType("integer", minimum=0, maximum=65535)


def list_of(element: OptionType) -> OptionType:
    return OptionType("list", element=element)


def set_of(element: OptionType) -> OptionType:
    return OptionType("attributes", element=element)


def one_of(*members: str | int | bool) -> OptionType:
    return OptionType("enum", members=members)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("boolean", BOOLEAN),
        ("signed integer", INTEGER),
        ("16 bit unsigned integer; between 0 and 65535 (both inclusive)", PORT),
        (
            "8 bit signed integer; between -128 and 127 (both inclusive)",
            OptionType("integer", minimum=-128, maximum=127),
        ),
        ("integer between 300 and 399 (both inclusive)", OptionType("integer", minimum=300, maximum=399)),
        ("unsigned integer, meaning >=0", OptionType("integer", minimum=0)),
        ("positive integer, meaning >0", OptionType("integer", minimum=1)),
        ("floating point number", FLOAT),
        (
            "integer or floating point number between 0.1 and 1 (both inclusive)",
            OptionType("number", minimum=0.1, maximum=1),
        ),
        ("positive integer or floating point number, meaning >0", OptionType("number", minimum=ABOVE_ZERO)),
        ("string", STRING),
        ("non-empty string", OptionType("string", not_empty=True)),
        ("(optionally newline-terminated) single-line string", ONE_LINE),
        ('strings concatenated with "\\n"', OptionType("string", separator="\n")),
        ('strings concatenated with ","', OptionType("string", separator=",")),
        ("string matching the pattern [0-7]{1,5}", OptionType("string", pattern="[0-7]{1,5}")),
        ("path", PATH),
        ("absolute path", PATH),
        ("package", PACKAGE),
        ("unspecified value", ANYTHING),
        ("submodule", SUBMODULE),
        ("list of string", list_of(STRING)),
        (
            "list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)",
            list_of(PORT),
        ),
        ("non-empty (list of string)", OptionType("list", element=STRING, not_empty=True)),
        ("attribute set of (submodule)", set_of(SUBMODULE)),
        ("lazy attribute set of raw value", set_of(ANYTHING)),
        ("attribute set of list of (systemd option)", set_of(list_of(ANYTHING))),
        ("null or string", either(NULL, STRING)),
        ("null or (list of string)", either(NULL, list_of(STRING))),
        ("(list of string) or string convertible to it", either(list_of(STRING), STRING)),
        ("unsigned integer, meaning >=0, or string", either(OptionType("integer", minimum=0), STRING)),
        ("function that evaluates to a(n) list of package", FUNCTION),
        (
            "string or function that evaluates to a(n) string",
            either(STRING, FUNCTION),
        ),
        ('one of "yes", "no"', one_of("yes", "no")),
        ('null or one of "yes", "no"', either(NULL, one_of("yes", "no"))),
        ('one of false, true, "lock"', one_of(False, True, "lock")),
        ("one of 10, 127, 224", one_of(10, 127, 224)),
        ('one of <null>, "ssh"', either(NULL, one_of("ssh"))),
        ('value "auto" (singular enum)', one_of("auto")),
        ('one of "a, b", "c or d", "say "hi"", "(e)"', one_of("a, b", "c or d", 'say "hi"', "(e)")),
        ('one of "default", "all" or list of string', either(one_of("default", "all"), list_of(STRING))),
        (
            'list of (one of "a", "b" or positive integer, meaning >0)',
            list_of(either(one_of("a", "b"), OptionType("integer", minimum=1))),
        ),
        (
            "path or string matching the pattern (http|https)://[^ or ]+ or boolean",
            either(PATH, OptionType("string", pattern="(http|https)://[^ or ]+"), BOOLEAN),
        ),
        (
            "section of an INI file (attrs of INI atom (null, bool, int, float or string))",
            set_of(either(NULL, BOOLEAN, INTEGER, NUMBER, STRING)),
        ),
        (
            "atom (bool, int or string) or a list of them for duplicate keys",
            either(BOOLEAN, INTEGER, STRING, list_of(either(BOOLEAN, INTEGER, STRING))),
        ),
        (
            "list of string (with check: non-empty without trailing slash)",
            list_of(OptionType("string", not_empty=True)),
        ),
        ("string or (raw elixir)", either(STRING, ANYTHING)),
        ("a kind that no one knows", ANYTHING),
        ("", ANYTHING),
    ],
)
def test_a_text_says_its_type(text: str, expected: OptionType) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize("text", ["JSON value", "null or YAML value", "TOML value", "attribute set", "anything"])
def test_names_below_a_format_are_ones_own(text: str) -> None:
    assert parse_type(text).is_freeform


@pytest.mark.parametrize("text", ["boolean", "null or string", "submodule", "list of string", 'one of "a", "b"'])
def test_names_below_other_types_are_not(text: str) -> None:
    assert not parse_type(text).is_freeform


@pytest.mark.parametrize(
    ("text", "taken", "refused"),
    [
        ("boolean", [True], [1, "true", None]),
        ("signed integer", [1], [True, 1.0, "1"]),
        ("integer between 1 and 3 (both inclusive)", [1, 3], [0, 4]),
        ("floating point number", [1.0], [1, True]),
        ("one of 1, 2, 3", [1], [True, "1", 4]),
        ('one of false, true, "lock"', [True, "lock"], [1, "true"]),
        ("non-empty string", ["a"], ["", " \n"]),
        ("(optionally newline-terminated) single-line string", ["a", "a\n"], ["a\nb"]),
        ("string matching the pattern [[:digit:]]{2}:[[:digit:]]{2}", ["03:15"], ["3:15", "03:15\n"]),
        ("string matching the pattern []a\\-]+[.](x|y)", ["a]-\\.x"], ["b.x", "a.z"]),
        ("non-empty (list of path)", [["/a"]], [[], ["a"], "/a"]),
        ("attribute set of (null or boolean)", [{}, {"a": None}], [{"a": 1}, [], None]),
    ],
)
def test_a_value_is_taken_or_refused(text: str, taken: list[object], refused: list[object]) -> None:
    option_type = parse_type(text)
    assert [value for value in taken if not admits(option_type, value)] == []
    assert [value for value in refused if admits(option_type, value)] == []


PHRASES = [
    "boolean", "string", "list of ", "attribute set of ", "null or ", " or ", "(", ")", "one of ", '"', '"a"', ", ",
    "string matching the pattern ", "[", "[[:a:]", "]", "\\", " convertible to it", " (with check: ", "value ",
    "integer between ", "1 and ", "²", "(both inclusive)", "section of an INI file (attrs of ", " or a list of them",
    'strings concatenated with "', "non-empty (", "<null>", "JSON value", "atom (", "bool, ", ", or ", "\n", "- ",
]  # fmt: skip


@given(st.lists(st.sampled_from(PHRASES) | st.text(max_size=4), max_size=40).map("".join))
def test_no_text_is_an_error(text: str) -> None:
    option_type = parse_type(text)
    for value in (None, True, 3, 0.5, "a", [], {}, ["a"], {"a": "b"}):
        admits(option_type, value)


@pytest.mark.parametrize("phrase", PHRASES)
def test_a_long_text_takes_no_long_time(phrase: str) -> None:
    for start in ("", "string matching the pattern ", 'one of "', "(" * 30, "list of "):
        text = start + phrase * (60_000 // len(phrase))
        started = time.process_time()
        parse_type(text)
        assert time.process_time() - started < 20  # no measure: what takes quadratic time takes minutes


PARSER = Parser(Language(tree_sitter_nix.language()))


class NotLiteralError(Exception):
    """The expression is more than plain data."""


@pytest.fixture(scope="module")
def options(data_dir: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lzma.decompress((data_dir / "nixos-options.json.xz").read_bytes()))
    return found


def test_nearly_every_real_text_is_read(options: dict[str, Any]) -> None:
    unread = [option["type"] for option in options.values() if parse_type(option["type"]) == ANYTHING]
    says_nothing = {"unspecified value", "raw value", "anything"}
    assert len([text for text in unread if text not in says_nothing]) <= 6
    assert len(options) > 20_000


def test_real_defaults_are_of_their_types(options: dict[str, Any]) -> None:
    compared, refused = 0, []
    for name, value, option in literals(options):
        compared += 1
        if not admits(parse_type(option["type"]), value):
            refused.append((name, option["type"], value))
    assert compared > 17_000
    # What is left are faults of the modules themselves: prose in the place of an expression, null where the option
    # has to be set, "" for a path. None is of a kind that the parser could get wrong.
    unexplained = [
        row
        for row in refused
        if not (isinstance(row[2], str) and row[1] != "string") and row[2] is not None and row[2] != {}
    ]
    assert unexplained == []
    assert len(refused) < 100


def literals(options: dict[str, Any]) -> Iterator[tuple[str, object, Any]]:
    for name, option in options.items():
        default = option.get("default") or {}
        if default.get("_type") != "literalExpression":
            continue
        tree = PARSER.parse(default["text"].encode())
        if tree.root_node.has_error:
            continue
        try:
            yield name, literal(tree.root_node), option
        except NotLiteralError:
            continue


def literal(node: Node) -> object:
    """Give a Nix expression that is plain data as Python data."""
    text = (node.text or b"").decode()
    inner = [child for child in node.named_children if child.type != "comment"]
    match node.type:
        case "source_code" | "parenthesized_expression" if len(inner) == 1:
            return literal(inner[0])
        case "variable_expression" if text in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[text]
        case "integer_expression":
            return int(text)
        case "float_expression":
            return float(text)
        case "list_expression":
            return [literal(child) for child in inner]
        case "string_expression" if all(child.type == "string_fragment" for child in inner):
            return "".join((child.text or b"").decode() for child in inner)
        case "attrset_expression" if not inner:
            return {}
    raise NotLiteralError
