"""What a model may set, what is taken from it, and that Nix reads back exactly what was chosen."""

from __future__ import annotations

import json
import lzma
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_nix
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are a package of their own
from tree_sitter import Language, Parser

from nix_trinity.answering.settings_answer import SettingsError, parse_settings
from nix_trinity.answering.settings_render import (
    NixExpression,
    SettingValue,
    render_attribute,
    render_option,
    render_settings,
    render_value,
)
from nix_trinity.answering.settings_schema import Candidate, is_settable, settings_schema
from nix_trinity.knowledge.options import Option

# Of the test stack (tests/stack/system_packages.py); without it the tests that need it fail.
NIX = shutil.which("nix-instantiate") or "nix-instantiate"
PARSER = Parser(Language(tree_sitter_nix.language()))


def option(name: str, type_text: str, *, read_only: bool = False, default: str = "", example: str = "") -> Option:
    return Option(
        name=name, path=tuple(name.split(".")), type=type_text, read_only=read_only, default=default, example=example
    )


PORT = option("services.openssh.port", "16 bit unsigned integer; between 0 and 65535 (both inclusive)")
ENABLE = option("services.openssh.enable", "boolean")
SHELL = option("users.users.<name>.shell", "null or package or (path, not containing newlines or colons)")
LEVEL = option("services.x.level", 'one of "info", "debug"')
GROUPS = option("users.users.<name>.extraGroups", "list of string")
EXTRA = option("services.x.extraConfig", 'strings concatenated with "\\n"')
SECRET = option("services.x.passwordFile", "null or path")
RATIO = option("services.x.ratio", "floating point number")
ALIASES = option("environment.shellAliases", "attribute set of (null or string or path)")
DEVICE = option("swapDevices.*.device", "non-empty string")
SIZE = option("swapDevices.*.size", "null or signed integer")
ALL = (PORT, ENABLE, SHELL, LEVEL, GROUPS, EXTRA, SECRET, RATIO, ALIASES, DEVICE, SIZE)
CANDIDATES = [Candidate.of(each) for each in ALL]


def answer(*rows: object) -> str:
    return json.dumps({"settings": rows})


def chosen(where: Option, value: object, *names: str) -> dict[str, object]:
    return {"option": where.name, **({"names": names} if names else {}), "value": value}


def taken(where: Option, value: object, *names: str) -> SettingValue:
    (setting,) = parse_settings(answer(chosen(where, value, *names)), CANDIDATES)
    return setting.value


def snippet(*rows: object) -> str:
    return render_settings(parse_settings(answer(*rows), CANDIDATES))


def errors(code: str) -> bool:
    return PARSER.parse(code.encode()).root_node.has_error


def parses(code: str) -> bool:
    if errors(code):
        return False
    done = subprocess.run(
        [NIX, "--parse", "-"], input=f"pkgs: {code}".encode(), capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


# What the model is asked for


def test_the_schema_names_the_options_in_order_and_the_option_before_its_value() -> None:
    schema = settings_schema(CANDIDATES, most=3)
    items = schema["properties"]["settings"]
    assert (items["minItems"], items["maxItems"]) == (1, 3)
    assert [item["properties"]["option"]["const"] for item in items["items"]["anyOf"]] == [each.name for each in ALL]
    first = items["items"]["anyOf"][2]
    assert list(first["properties"]) == ["option", "names", "value"] == first["required"]


@pytest.mark.parametrize(
    "unsettable",
    [
        option("a.b", "boolean", read_only=True),
        option("a.b", "function that evaluates to a(n) list of package"),
        option("a.b", "attribute set of (submodule)"),
        option("a.b", "null or (submodule)"),
        option("a.b", "JSON value"),
        option("a.b", "unspecified value"),
        option("a.b", "impossible (empty enum)"),
        option("a.<function body>.b", "boolean"),
        option("a.*", "string"),
    ],
)
def test_what_cannot_be_said_is_left_out(unsettable: Option) -> None:
    assert not is_settable(unsettable)
    assert "a." not in json.dumps(settings_schema([Candidate.of(unsettable), Candidate.of(ENABLE)]))
    with pytest.raises(ValueError, match="none of the candidates"):
        settings_schema([Candidate.of(unsettable)])
    with pytest.raises(SettingsError):
        parse_settings(answer(chosen(unsettable, value=True)), [Candidate.of(unsettable)])


# What is taken from it


def test_values_take_the_form_of_their_types() -> None:
    assert taken(PORT, 2222) == 2222
    assert taken(SHELL, "pkgs.zsh", "alice") == NixExpression("pkgs.zsh")
    assert taken(SHELL, None, "alice") is None
    ratio = taken(RATIO, 1)
    assert (ratio, type(ratio)) == (1.0, float)
    assert taken(SECRET, "./motd") == NixExpression("./motd")


def test_an_absolute_path_is_written_as_a_string_so_that_no_secret_is_copied_into_the_store() -> None:
    assert snippet(chosen(SECRET, "/run/secrets/x")) == 'services.x.passwordFile = "/run/secrets/x";\n'


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (PORT, 65536), (PORT, -1), (PORT, 22.0), (PORT, "22"), (PORT, True), (PORT, 10**400),
        (ENABLE, "true"), (ENABLE, 1), (ENABLE, None),
        (LEVEL, "warn"), (LEVEL, ["info"]),
        (EXTRA, "a\x00b"), (EXTRA, "a\x1b[31m"), (EXTRA, "a\u202eb"), (EXTRA, "\ud800"), (EXTRA, "x" * 1501),
        (SECRET, "/etc/../shadow"), (SECRET, "../x"), (SECRET, "/a b"), (SECRET, '/a";x'), (SECRET, "/a\n"),
        (RATIO, "1"), (RATIO, True),
        (ALIASES, {"a\nb": "c"}), (ALIASES, {"": "c"}), (ALIASES, {"a": 1}), (ALIASES, {"a": "b\nc"}), (ALIASES, []),
        (DEVICE, ""), (DEVICE, " "), (SIZE, 2**63),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(where: Option, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        taken(where, value)
    assert caught.value.stable_code == "settings_invalid"
    assert where.name in caught.value.message


@pytest.mark.parametrize(
    "value",
    [
        "zsh",
        "pkgs.zsh; x = 1",
        "pkgs.with",
        "pkgs",
        "pkgs.a.${b}",
        "builtins.exec",
        "pkgs.a\n",
        "<nixpkgs>",
        'pkgs."a"',
    ],
)
def test_no_other_code_comes_in_as_a_package(value: str) -> None:
    with pytest.raises(SettingsError):
        taken(SHELL, value, "alice")


@pytest.mark.parametrize("names", [(), ("a", "b"), ("",), (" ",), ("a\nb",), ("<name>",), ('a"b',), ("x" * 65,), (1,)])
def test_unusable_names_are_refused(names: tuple[object, ...]) -> None:
    row = {"option": GROUPS.name, "names": names, "value": []}
    with pytest.raises(SettingsError):
        parse_settings(answer(row), CANDIDATES)


@pytest.mark.parametrize(
    "text",
    [
        "", "nothing", "[]", "null", "{}", '{"settings": null}', '{"settings": [], "more": 1}',
        answer("x"), answer({}), answer({"option": "services.evil.enable", "value": True}),
        answer({"option": ["services.openssh.enable"], "value": True}), answer({"option": ENABLE.name}),
        answer(chosen(ENABLE, value=True) | {"priority": 1}), answer(chosen(ENABLE, True, "alice")),
        '{"settings": [{"option": "services.x.ratio", "value": NaN}]}',
        '{"settings": [{"option": "services.x.ratio", "value": 1e999}]}',
        "[" * 99_999, '{"settings": [' + " " * 100_001, "1" * 9_999,
        answer(*[chosen(ENABLE, value=True)] * 17),
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_settings(text, CANDIDATES)


def test_an_answer_cut_off_anywhere_is_refused() -> None:
    whole = answer(chosen(PORT, 22), chosen(GROUPS, ["wheel"], "alice"))
    for end in range(len(whole)):
        with pytest.raises(SettingsError):
            parse_settings(whole[:end], CANDIDATES)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4))
def test_no_value_is_another_error_and_what_is_taken_is_nix(value: object) -> None:
    for where in ALL:
        names = ("alice",) if "<name>" in where.path else ()
        try:
            settled = parse_settings(answer(chosen(where, value, *names)), CANDIDATES)
        except SettingsError:
            continue
        assert not errors(f"{{ {render_settings(settled)} }}")


def test_of_settings_that_exclude_each_other_the_first_stays() -> None:
    whole = option("a.b", "attribute set of string")
    inner = option("a.b.c", "string")
    candidates = [Candidate.of(each) for each in (whole, inner, *ALL)]
    rows = [chosen(ENABLE, value=True), chosen(ENABLE, value=False), chosen(whole, {"c": "1"}), chosen(inner, "2")]
    assert render_settings(parse_settings(answer(*rows), candidates)) == (
        'services.openssh.enable = true;\na.b = { c = "1"; };\n'
    )
    assert [each.names for each in parse_settings(
        answer(chosen(GROUPS, [], "a"), chosen(GROUPS, [], "b"), chosen(GROUPS, ["x"], "a")), CANDIDATES
    )] == [("a",), ("b",)]  # fmt: skip


# How it is written


def test_settings_are_full_names_one_a_line_and_list_elements_come_together() -> None:
    rows = [
        chosen(ENABLE, value=True),
        chosen(SHELL, "pkgs.zsh", "alice"),
        chosen(GROUPS, ["wheel", "audio"], "o'neil or"),
        chosen(DEVICE, "/dev/sda2"),
        chosen(SIZE, -1),
        chosen(EXTRA, "a ''b''\n  ${c}\n"),
    ]
    text = snippet(*rows)
    assert (
        text
        == """\
services.openssh.enable = true;
users.users.alice.shell = pkgs.zsh;
users.users."o'neil or".extraGroups = [ "wheel" "audio" ];
swapDevices = [ { device = "/dev/sda2"; size = -1; } ];
services.x.extraConfig = ''
  a '''b'''
    ''${c}
'';
"""
    )
    assert parses(f"{{ {text} }}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e5, "100000.0"), (1e22, "1.0e+22"), (-1e-7, "-1.0e-07"), ([-1, -0.5], "[ (-1) (-0.5) ]"), ([], "[ ]"), ({}, "{ }"),
        ({"or": None, "a.b": [NixExpression("./x")]}, '{ "or" = null; "a.b" = [ ./x ]; }'),
        ([NixExpression("f x")], "[ (f x) ]"), ("$${a}\t", '"$\\${a}\\t"'),
    ],
)  # fmt: skip
def test_a_value_is_written_as_nix_wants_it(value: SettingValue, text: str) -> None:
    assert render_value(value) == text


@pytest.mark.parametrize("value", [2**63, -(2**63), float("inf"), float("nan")])
def test_what_nix_cannot_write_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="Nix"):
        render_value([value])


TEXT = st.text(
    st.sampled_from("'\"$\\{}\n\t\r a-é—") | st.characters(exclude_characters="\0", exclude_categories=["Cs"])
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    # Nix prints six digits of a float.
    | st.integers(-99_999, 99_999).map(lambda number: number / 10)
    | TEXT
)
# Nix prints a set that has one of these as what it makes of it, not as the set (builtins.toJSON).
NAMES = TEXT.filter(lambda name: name not in {"outPath", "__toString"})
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(VALUES, min_size=10, max_size=40))
def test_nix_reads_every_value_back(values: list[Any]) -> None:
    code = render_value(values)
    assert not errors(code)
    assert evaluated(code) == values


def test_nix_reads_every_short_text_of_the_awkward_characters_back() -> None:
    both = awkward_texts()
    assert evaluated(render_value(both)) == both


@given(TEXT | st.lists(TEXT, min_size=2, max_size=4).map("\n".join))
def test_a_string_is_what_its_syntax_says(text: str) -> None:
    assert decoded(text) == text


def test_every_short_text_of_the_awkward_characters_is_what_its_syntax_says() -> None:
    assert [text for text in awkward_texts() if decoded(text) != text] == []


def decoded(text: str) -> str:
    """Write a string, and read it back from its syntax tree."""
    root = PARSER.parse(render_value(text).encode()).root_node
    assert not root.has_error
    (literal,) = root.named_children
    parts = [(part.type, (part.text or b"").decode()) for part in literal.children[1:-1]]
    if literal.type == "string_expression":
        named = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}
        parts = [(kind, named.get(part, part[1:]) if kind == "escape_sequence" else part) for kind, part in parts]
    else:
        parts = [(kind, "''" if part == "'''" else part) for kind, part in parts]
    read = "".join(part for kind, part in parts if kind != "dollar_escape")
    return read if literal.type == "string_expression" else without_indentation(read)


def without_indentation(text: str) -> str:
    """Take away what Nix does: the first line break, and the spaces that all lines with more in them start with."""
    lines = text.removeprefix("\n").split("\n")
    lines[-1] = lines[-1] if lines[-1].strip(" ") else ""  # and a last line that only indents the closing quotes
    common = min(len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" "))
    return "\n".join(line[min(common, len(line) - len(line.lstrip(" "))) :] for line in lines)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_written_in_full_and_as_nix_reads_floats(value: float) -> None:
    text = render_value(value)
    assert float(text) == value
    assert re.fullmatch(r"-?(?:[1-9][0-9]*\.[0-9]*|0?\.[0-9]+)(?:[Ee][+-]?[0-9]+)?", text)


def awkward_texts() -> list[str]:
    """Give all short texts of the characters that mean something in a Nix string, on one line and on several."""
    texts = [""]
    for _ in range(4):
        longest = len(texts[-1])
        texts += [text + character for text in texts if len(text) == longest for character in "'\"${\\\n a\r"]
    return texts + [f"x\n{text}" for text in texts] + [f"{text}\nx\n" for text in texts]


def evaluated(code: str) -> Any:
    command = [NIX, "--eval", "--strict", "--json", "-"]
    done = subprocess.run(command, input=code.encode(), capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@given(TEXT, st.sampled_from(["if", "or", "null", "a'b", "-a", "1a", "ä", "a.b", "${x}"]))
def test_every_attribute_name_parses(name: str, other: str) -> None:
    assert not errors(f"{{ {render_attribute(name)}.{render_attribute(other)}.end = 1; }}")


# One option without a model


@pytest.mark.parametrize(
    ("given_option", "text"),
    [
        (option("services.openssh.enable", "boolean", default="false"), "services.openssh.enable = true;"),
        (option("a.b", "boolean", default="true"), "a.b = true;"),
        (option("a.b", "string", default='"x"', example='"y"'), 'a.b = "y";'),
        (option("a.b", "signed integer", default="5", example='"6"'), "a.b = 5;"),
        (option("a.b", "list of string", example='[\n  "wheel"\n]'), 'a.b = [ "wheel" ];'),
        (option("a.b", "package", default="pkgs.hello"), "a.b = pkgs.hello;"),
        (option("a.b", "list of string", example="[ pkgs.hello ]", default="[ ]"), "a.b = [ ];"),
        (option("a.b", "list of package", example="[ pkgs.hello ]"), "a.b = [ pkgs.hello ];"),
        (option("a.b", "attribute set of (submodule)", example="{ x = { y = 1; }; }"), "a.b = { x = { y = 1; }; };"),
        (option("a.b", "string", example="config.networking.hostName"), "# a.b = …;  (string)"),
        (option("a.b", "string", default='"${pkgs.x}"'), "# a.b = …;  (string)"),
        (option("users.users.<name>.uid", "signed integer", default="1000"), 'users.users."<name>".uid = 1000;'),
        (
            option("swapDevices.*.device", "string", example='"/dev/sda2"'),
            'swapDevices = [ { device = "/dev/sda2"; } ];',
        ),
        (option("a.b", "boolean", read_only=True), "# a.b is read-only"),
    ],
)
def test_an_option_alone_gets_its_likeliest_value(given_option: Option, text: str) -> None:
    assert render_option(given_option) == text


# Every option of a real NixOS


@pytest.fixture(scope="module")
def options(data_dir: Path) -> list[Option]:
    rows = json.loads(lzma.decompress((data_dir / "nixos-options.json.xz").read_bytes()))
    return [
        Option(
            name=name,
            path=tuple(row["loc"]),
            type=row["type"],
            default=expression(row.get("default")),
            example=expression(row.get("example")),
            read_only=row["readOnly"],
        )
        for name, row in rows.items()
    ]


def expression(field: dict[str, str] | None) -> str:
    return field["text"] if field and field["_type"] == "literalExpression" else ""


def test_every_line_about_a_real_option_parses(options: list[Option]) -> None:
    lines = [render_option(each) for each in options]
    assert [line for line in lines if "\n" in line] == []
    assert sum(line.startswith("#") for line in lines) < len(lines) / 10
    # Each in a set of its own: several options name the same list.
    assert parses("[\n" + "\n".join(f"{{\n{line}\n}}" for line in lines) + "\n]")


def test_what_the_schema_allows_is_taken_and_is_nix(options: list[Option]) -> None:
    by_type: dict[str, Option] = {each.type: each for each in options if is_settable(each)}
    settable = sum(is_settable(each) for each in options)
    assert settable > 0.9 * len(options)
    code: list[str] = []
    refused: set[str] = set()
    for each in by_type.values():
        candidate = Candidate.of(each)
        schema = settings_schema([candidate])
        validator = Draft202012Validator(schema)
        Draft202012Validator.check_schema(schema)
        assert set(keywords(schema)) <= SUPPORTED
        for value in examples(schema["properties"]["settings"]["items"]):
            text = answer(value)
            validator.validate(json.loads(text))
            try:
                code.append(f"{{ {render_settings(parse_settings(text, [candidate]))} }}")
            except SettingsError:
                refused.add(each.type)
    # Patterns that no grammar of llama.cpp's says, and an enum of 17,000 characters: the answer is checked here alone.
    assert {text for text in refused if "string matching the pattern " not in text and len(text) < 6_000} == set()
    assert len(refused) < 12
    assert parses("[\n" + "\n".join(code) + "\n]")


# What llama.cpp's converter of schemas into grammars knows.
SUPPORTED = {
    "type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "const", "enum", "anyOf",
    "pattern", "minLength", "maxLength", "minimum", "maximum",
}  # fmt: skip


def keywords(schema: dict[str, Any]) -> Iterator[str]:
    yield from schema
    below: list[Any] = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    below += [each for key in ("items", "additionalProperties") if isinstance(each := schema.get(key), dict)]
    for each in below:
        yield from keywords(each)
    if "pattern" in schema:
        assert re.fullmatch(r"\^.*\$", schema["pattern"]), schema
        outside = re.sub(r"\[(?:\\.|[^\]\\])+\]", "", schema["pattern"])
        assert "\\" not in outside, "a quantifier after an escape would take more than it should"
        assert all(int(most) < 2000 for most in re.findall(r"(\d+)\}", outside))
    assert schema.get("maxLength", 0) < 2000


def examples(schema: dict[str, Any]) -> Sequence[Any]:
    """Give one value for each alternative of a schema."""
    if "anyOf" in schema:
        return [value for each in schema["anyOf"] for value in examples(each)]
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return [schema["enum"][0], schema["enum"][-1]]
    match schema["type"]:
        case "boolean":
            return [True, False]
        case "null":
            return [None]
        case "integer":
            return [schema.get("minimum", -3), schema.get("maximum", 10**9)]
        case "number":
            return [schema.get("minimum", 0.5), schema.get("maximum", 1)]
        case "array":
            return [[value] * max(1, schema["minItems"]) for value in examples(schema["items"])]
        case "object" if "properties" in schema:
            parts = {name: examples(each) for name, each in schema["properties"].items()}
            return [{name: parts[name][0] for name in parts} | {"value": value} for value in parts["value"]]
        case "object":
            return [{"LANG": value, "a b": value} for value in examples(schema["additionalProperties"])]
    if "pattern" not in schema:
        return ["a\n''${b}''\n", "x"]
    fitting = [text for text in SAMPLES if re.search(schema["pattern"], text)]
    assert fitting, schema
    return fitting


SAMPLES = [
    "pkgs.hello", "/etc/motd", "./motd", "$${x} '' #", "é", "03:15", "a.service", "2024-01-31", "ffffff", "aB3/" * 5 + "xy",
    "7", "4G", "10KiB", "1:2", "5d", "md5", "zstd", "none", "abc_1", "abcdefghij234567.onion", "#123456", "0777",
    "user:100:10:1", "http://x", "tcp://x", "ext:abc", "/run/x", "abcdefgh",
]  # fmt: skip
