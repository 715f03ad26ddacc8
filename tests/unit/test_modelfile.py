from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nix_trinity.errors import ModelfileError
from nix_trinity.modelfile.grammar import Message, MessageRole, Modelfile
from nix_trinity.modelfile.parameters import typed_parameters
from nix_trinity.modelfile.parse import parse_modelfile
from nix_trinity.modelfile.render import render_modelfile

SPACES = " \t\n\r\v\f\x85\xa0\u2003\u3000"


def parse(text: str | bytes, *, require_from: bool = False) -> Modelfile:
    return parse_modelfile(text, origin="test.Modelfile", require_from=require_from)


def failure(text: str | bytes, *, require_from: bool = False) -> ModelfileError:
    with pytest.raises(ModelfileError) as caught:
        parse(text, require_from=require_from)
    assert caught.value.hint
    return caught.value


FULL = '''# a comment
from mistral:7b
REQUIRES v0.14.0
Parameter temperature 0.2
PARAMETER stop "<|end|>"
PARAMETER stop   ### Question:
TEMPLATE """{{ .System }}
{{ .Prompt }}"""
SYSTEM """
Say "hello".

# not a comment
"""
ADAPTER ./lora.gguf
LICENSE MIT
LICENSE "  two  "
RENDERER qwen3
PARSER qwen3
MESSAGE user it's 'so' # not a comment
\tMESSAGE\tassistant\t"one "quoted" line"  \t
'''


def test_every_command() -> None:
    assert parse(FULL) == Modelfile(
        base="mistral:7b",
        requires="0.14.0",
        parameters=(("temperature", "0.2"), ("stop", "<|end|>"), ("stop", "### Question:")),
        template="{{ .System }}\n{{ .Prompt }}",
        system='\nSay "hello".\n\n# not a comment\n',
        adapters=("./lora.gguf",),
        licenses=("MIT", "  two  "),
        renderer="qwen3",
        parser="qwen3",
        messages=(
            Message("user", "it's 'so' # not a comment"),
            Message("assistant", 'one "quoted" line'),
        ),
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = FULL.replace("hello", "grüß 你好 🦊")
    assert parse(text.encode(encoding)) == parse(text)
    assert parse("\ufeff" + text) == parse(text)


def test_big_endian_utf_16() -> None:
    assert parse(b"\xfe\xff" + "FROM phi".encode("utf-16-be")).base == "phi"


def test_carriage_returns_end_lines_and_stay_inside_quotes() -> None:
    assert parse('FROM phi\r\nSYSTEM """a\r\nb"""\r\nMESSAGE user c\r') == Modelfile(
        base="phi", system="a\r\nb", messages=(Message("user", "c"),)
    )


def test_further_weights_are_kept_apart_from_the_base() -> None:
    modelfile = parse("FROM /blobs/one\nFROM /blobs/projector\n")
    assert (modelfile.base, modelfile.further_weights) == ("/blobs/one", ("/blobs/projector",))
    assert parse(render_modelfile(modelfile)) == modelfile


def test_an_empty_file_and_a_required_from() -> None:
    assert parse("") == parse("# only\n\n   # comments") == Modelfile()
    assert "no FROM line" in failure("SYSTEM x", require_from=True).message
    assert parse("FROM phi", require_from=True).base == "phi"


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ('SYSTEM ""', ""),
        ("SYSTEM ", ""),
        ('SYSTEM """"""', ""),
        ('SYSTEM "a\nb"', "a\nb"),
        ('SYSTEM "a "b" c\nd"', 'a "b" c\nd'),
        ('SYSTEM """a """b""" c"""', 'a """b""" c'),
        ('SYSTEM """"\nx"""', '"\nx'),
        ('SYSTEM """""\nx"""', '""\nx'),
        ('SYSTEM """ends in "quotes""""', 'ends in "quotes"'),
        ('SYSTEM """a"""   \nMESSAGE user b', "a"),
        ("SYSTEM one\nSYSTEM two", "two"),
        ("SYSTEM   padded \t", "padded"),
        ("SYSTEM 'single'", "'single'"),
    ],
)
def test_quotes_as_ollama_reads_them(text: str, system: str) -> None:
    assert parse(text).system == system


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("FROM phi\nSYSTM x", 2, "'SYSTM' is no Modelfile keyword", "SYSTEM"),
        ("FROM phi\r\nhello there", 2, "'hello'", "LICENSE"),
        ('FROM ""', 1, "no model", "FROM <model>"),
        ("FROM", 1, "FROM has no value", "same line"),
        ("\nMESSAGE bad x", 2, "'bad' is no message role", "assistant"),
        ("MESSAGE User x", 1, "'User'", "lower case"),
        ("MESSAGE user", 1, "a role and a text", "one line"),
        ("PARAMETER stop", 1, "a name and a value", "one line"),
        ("PARAMETER  stop x", 1, "a name and a value", "one space"),
        ("PARAMETER top-k 1", 1, "a name and a value", "one space"),
        ("PARAMETER system You obey.", 1, "a name and a value", "one space"),
        ('FROM phi\nSYSTEM """a\nb\n""\n', 2, "does not end", '"""'),
        ('FROM phi\nMESSAGE user "a\nb', 2, 'starts with " does not end', 'with "'),
        ("REQUIRES soon", 1, "'soon' is no version", "0.17.4"),
        (b"FROM phi\nSYSTEM \xff", 2, "not UTF-8", "UTF-8"),
        (b"\xff\xfeF", 1, "not UTF-16", "UTF-8"),
    ],
)
def test_what_a_person_can_get_wrong(text: str | bytes, line: int, message: str, hint: str) -> None:
    error = failure(text)
    assert error.message.startswith(f"test.Modelfile:{line}: ")
    assert message in error.message
    assert hint in error.hint


# Mostly what breaks parsers, and any other character now and then.
texts = st.text(st.sampled_from(list('ab# \'"""') + list(SPACES)) | st.characters(codec="utf-8"), max_size=30)
names = st.from_regex(r"\A[A-Za-z0-9_]{1,12}\Z").map(lambda name: f"x{name}")
roles: st.SearchStrategy[MessageRole] = st.sampled_from(("system", "user", "assistant"))
versions = st.from_regex(r"\A[1-9][0-9]?\.[0-9]\.[1-9]\Z")
maybe = st.none() | texts
modelfiles = st.builds(
    Modelfile,
    base=st.none() | texts.filter(bool),
    parameters=st.lists(st.tuples(names, texts), max_size=3).map(tuple),
    template=maybe,
    system=maybe,
    adapters=st.lists(texts, max_size=2).map(tuple),
    licenses=st.lists(texts, max_size=2).map(tuple),
    messages=st.lists(st.builds(Message, role=roles, content=texts), max_size=3).map(tuple),
    renderer=maybe,
    parser=maybe,
    requires=st.none() | versions,
)


def texts_of(modelfile: Modelfile) -> list[str | None]:
    return [
        *(modelfile.base, modelfile.template, modelfile.system, modelfile.renderer, modelfile.parser),
        *(value for _, value in modelfile.parameters),
        *(*modelfile.adapters, *modelfile.licenses),
        *(message.content for message in modelfile.messages),
    ]


@settings(max_examples=500)
@given(modelfiles)
@example(Modelfile(system='"""'))
@example(Modelfile(system='""\n'))
@example(Modelfile(system='a"""b\n"""'))
@example(Modelfile(system="a\r\n\r\n"))
@example(Modelfile(system='x""" \n'))
def test_what_is_written_is_read_back(modelfile: Modelfile) -> None:
    # Exactly the texts in which a line other than the last ends in three quotes cannot be written.
    impossible = any(
        re.search(rf'"""[{SPACES}\u2000-\u200a\u1680\u2028\u2029\u202f\u205f]*[\r\n]', text or "")
        for text in texts_of(modelfile)
    )
    if impossible:
        with pytest.raises(ModelfileError, match='ends in """'):
            render_modelfile(modelfile)
    else:
        assert parse(render_modelfile(modelfile)) == modelfile


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_input_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(ModelfileError):
        parse(text)


def test_plain_values_stay_plain() -> None:
    modelfile = Modelfile(base="phi", parameters=(("top_k", "4"),), messages=(Message("user", 'say "x"'),))
    assert render_modelfile(modelfile) == 'FROM phi\nPARAMETER top_k 4\nMESSAGE user say "x"\n'


@pytest.mark.parametrize(
    ("modelfile", "message"),
    [
        (Modelfile(system='one\ntwo"""\nthree'), 'SYSTEM: line 2 of its text ends in """'),
        (Modelfile(messages=(Message("user", '"""\nx'),)), "MESSAGE: line 1"),
        (Modelfile(base=""), "empty model name"),
        (Modelfile(further_weights=("x",)), "empty model name"),
        (Modelfile(parameters=(("top k", "1"),)), "'top k'"),
        (Modelfile(parameters=(("model", "other"),)), "'model'"),
        (Modelfile(messages=(Message("tool", "x"),)), "'tool'"),  # type: ignore[arg-type]
        (Modelfile(requires="soon"), "'soon'"),
    ],
)
def test_what_cannot_be_written(modelfile: Modelfile, message: str) -> None:
    with pytest.raises(ModelfileError) as caught:
        render_modelfile(modelfile)
    assert message in caught.value.message
    assert caught.value.hint


def test_parameters_get_the_types_of_ollamas_options() -> None:
    written = {"temperature": "0.2", "top_p": "1", "num_ctx": "4096", "seed": "-1", "use_mmap": "True"}
    modelfile = Modelfile(parameters=(*written.items(), ("stop", "a"), ("top_k", "1"), ("stop", "b"), ("top_k", "2")))
    typed = typed_parameters(modelfile)
    assert typed == {
        **{"temperature": 0.2, "top_p": 1.0, "num_ctx": 4096, "seed": -1, "use_mmap": True},
        **{"stop": ["a", "b"], "top_k": 2},
    }
    assert {name: type(value) for name, value in typed.items()} == {
        **{"temperature": float, "top_p": float, "num_ctx": int, "seed": int, "use_mmap": bool},
        **{"stop": list, "top_k": int},
    }
    assert typed_parameters(Modelfile()) == {}
    old = Modelfile(parameters=(("num_gqa", "8"), ("mirostat", "1"), ("top_k", "many"), ("seed", "1")))
    assert typed_parameters(old, tolerant=True) == {"seed": 1}
    # A name that only starts like a command is a name.
    assert parse("PARAMETER systematic 1").parameters == (("systematic", "1"),)


@pytest.mark.parametrize(
    ("name", "value", "message", "hint"),
    [
        ("temprature", "0.2", "unknown to Ollama", "temperature"),
        ("model", "phi", "unknown to Ollama", "Use one of"),
        ("top_k", "4.5", "not a whole number", "whole number"),
        ("seed", "9" * 19, "not a whole number", "whole number"),
        ("num_ctx", "4_096", "not a whole number", "whole number"),
        ("temperature", "warm", "not a number", "number"),
        ("temperature", "nan", "not a number", "number"),
        ("use_mmap", "yes", "not true or false", "true or false"),
        ("mirostat", "1", "no longer does anything", "Remove"),
    ],
)
def test_parameters_that_ollama_would_not_take(name: str, value: str, message: str, hint: str) -> None:
    with pytest.raises(ModelfileError) as caught:
        typed_parameters(Modelfile(parameters=((name, value),)), origin="my.Modelfile")
    assert caught.value.message.startswith(f"my.Modelfile: PARAMETER {name} ")
    assert message in caught.value.message
    assert hint in caught.value.hint
