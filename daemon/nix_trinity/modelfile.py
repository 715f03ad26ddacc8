"""Read and write Ollama's Modelfiles.

The grammar is that of Ollama 0.17.4 (``parser/parser.go``), where its documentation is silent too:

- A keyword has any case; a comment starts with ``#`` at the start of a line and nowhere else.
- A value ends with its line, unless it starts with a quote: then it ends with the first line that *ends* in
  the same quote, three or one. So text may hold quotes, even three in a row, but only its last line may end
  in three. Single quotes are ordinary characters. There are no escapes.
- TEMPLATE, SYSTEM, RENDERER, PARSER and REQUIRES: the last one counts. The others accumulate; a second FROM
  names a further weights file (a vision model's projector, in what ``ollama show`` prints).
- A newline is LF or CR, kept as it is inside quotes. Text is UTF-8, or UTF-16 with a byte order mark.

Four differences: a file without FROM is fine (ours leave the base to the catalogue); invalid UTF-8 is an
error (Ollama replaces it); a PARAMETER named after a command is an error (Ollama takes it for that command);
and characters that Go calls unprintable are kept. ``ollama create -f`` drops those without a word, the
no-break space and the joiner inside emoji among them; its API keeps them, one reason to build through it.
"""

from __future__ import annotations

import codecs
import difflib
import re
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, cast

from nix_trinity.errors import ModelfileError

MessageRole = Literal["system", "user", "assistant"]
ParameterValue = int | float | bool | str | list[str]

_KEYWORDS: Final = (
    *("from", "parameter", "template", "system", "adapter", "license", "message"),
    *("renderer", "parser", "requires"),
)
_MESSAGE_ROLES: Final = ("system", "user", "assistant")

# api.Options and api.Runner in Ollama 0.17.4.
_PARAMETERS: Final[dict[str, type]] = {
    **dict.fromkeys(("num_keep", "seed", "num_predict", "top_k", "repeat_last_n"), int),
    **dict.fromkeys(("num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"), int),
    **dict.fromkeys(("temperature", "top_p", "min_p", "typical_p", "repeat_penalty"), float),
    **dict.fromkeys(("presence_penalty", "frequency_penalty"), float),
    "use_mmap": bool,
    "stop": list,
}
# Ollama still reads these and ignores them, so a person who sets one would be deceived.
_RETIRED: Final = frozenset(
    [
        *("penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock"),
        *("mirostat", "mirostat_tau", "mirostat_eta"),
    ]
)
# Go's strconv.ParseBool.
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_VERSION: Final = re.compile(r"v?(0|[1-9]\d*)(\.(0|[1-9]\d*)){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
# To Ollama, "PARAMETER system x" is "SYSTEM x", and so with each of its commands (FROM is "model" there).
_NAME: Final = rf"(?!(?:model|{'|'.join(_KEYWORDS[2:])})(?![A-Za-z0-9_]))[A-Za-z0-9_]+"
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
# What Go's unicode.IsSpace holds; Python's str.strip() would also take the separators U+001C to U+001F.
_SPACES: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True, slots=True)
class Message:
    """One line of an example conversation."""

    role: MessageRole
    content: str


@dataclass(frozen=True, slots=True)
class Modelfile:
    """A Modelfile's content; ``None`` and the empty tuple mean that the base model's own value stays.

    ``parameters`` keeps names, texts and order as written; :func:`typed_parameters` gives them their types.
    """

    base: str | None = None
    further_weights: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    system: str | None = None
    adapters: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    renderer: str | None = None
    parser: str | None = None
    requires: str | None = None


def parse_modelfile(text: str | bytes, *, origin: str, require_from: bool = False) -> Modelfile:
    """Read a Modelfile; ``origin`` is the file's name for error texts.

    Raises ModelfileError with ``origin:line``, what is wrong and the fix.
    """
    return _Reader(_decode(text, origin), origin).read(require_from=require_from)


def _decode(text: str | bytes, origin: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    encoding = "utf-16" if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + text[: error.start].count(b"\n")
        raise ModelfileError(
            f"{origin}:{line}: this is not {encoding.removesuffix('-sig').upper()} text.",
            "Save the file as UTF-8.",
        ) from error


class _Reader:
    """Takes one command after the other off the text; ``line`` is where the current command starts."""

    def __init__(self, text: str, origin: str) -> None:
        self._lines = [line for line in _LINE.findall(text) if line]
        self._origin = origin
        self._next = 0
        self._start = 0

    def read(self, *, require_from: bool) -> Modelfile:
        single: dict[str, str] = {}
        parameters: list[tuple[str, str]] = []
        messages: list[Message] = []
        several: dict[str, list[str]] = {"from": [], "adapter": [], "license": []}
        while self._next < len(self._lines):
            self._start = self._next
            line = self._lines[self._next].lstrip(" \t").rstrip("\r\n")
            if not line or line.startswith("#"):
                self._next += 1
                continue
            keyword, rest = self._keyword(line)
            if keyword == "parameter":
                name, rest = self._word(keyword, rest, _NAME, "a name and a value")
                parameters.append((name, self._value(rest)))
            elif keyword == "message":
                role, rest = self._word(keyword, rest, r"[A-Za-z]+", "a role and a text")
                if role not in _MESSAGE_ROLES:
                    self._fail(f"{role!r} is no message role.", "Use system, user or assistant, in lower case.")
                messages.append(Message(cast(MessageRole, role), self._value(rest)))
            else:
                value = self._value(rest)
                if keyword == "from" and not value:
                    self._fail("FROM names no model.", "Write FROM <model>.")
                if keyword in several:
                    several[keyword].append(value)
                else:
                    single[keyword] = self._version(value) if keyword == "requires" else value
        weights = several["from"]
        if require_from and not weights:
            raise ModelfileError(f"{self._origin}: there is no FROM line.", "Add the line FROM <model>.")
        return Modelfile(
            base=weights[0] if weights else None,
            further_weights=tuple(weights[1:]),
            parameters=tuple(parameters),
            template=single.get("template"),
            system=single.get("system"),
            adapters=tuple(several["adapter"]),
            licenses=tuple(several["license"]),
            messages=tuple(messages),
            renderer=single.get("renderer"),
            parser=single.get("parser"),
            requires=single.get("requires"),
        )

    def _keyword(self, line: str) -> tuple[str, str]:
        word = re.split(r"[ \t]", line, maxsplit=1)[0]
        keyword = word.lower()
        if keyword not in _KEYWORDS:
            close = difflib.get_close_matches(keyword, _KEYWORDS, n=1)
            fix = f"Did you mean {close[0].upper()}?" if close else f"Use {', '.join(_KEYWORDS).upper()}."
            self._fail(f"{word[:40]!r} is no Modelfile keyword.", f'{fix} Text of several lines needs """.')
        if len(word) == len(line):
            self._fail(f"{keyword.upper()} has no value.", "Write the value on the same line.")
        return keyword, line[len(word) + 1 :]

    def _word(self, keyword: str, rest: str, pattern: str, needs: str) -> tuple[str, str]:
        found = re.match(f"({pattern})[ \t](.*)", rest, re.DOTALL)
        if not found:
            self._fail(f"{keyword.upper()} needs {needs}.", "Put one space between them, and all on one line.")
        return found[1], found[2]

    def _value(self, first: str) -> str:
        """The value whose first line is ``first``; takes its further lines off the text."""
        opening = first.lstrip(_SPACES)
        quote = next((mark for mark in ('"""', '"') if opening.startswith(mark)), "")
        ending = self._lines[self._next]
        taken = [opening + ending[len(ending.rstrip("\r\n")) :]]
        self._next += 1
        if not quote:
            return opening.rstrip(_SPACES)
        closed = _closes(opening, quote, first=True)
        while not closed:
            if self._next == len(self._lines):
                self._fail(f"the text that starts with {quote} does not end.", f"End its last line with {quote}.")
            taken.append(self._lines[self._next])
            closed = _closes(self._lines[self._next], quote, first=False)
            self._next += 1
        return "".join(taken).rstrip(_SPACES)[len(quote) : -len(quote)]

    def _version(self, value: str) -> str:
        if not _VERSION.fullmatch(value):
            self._fail(f"REQUIRES {value!r} is no version.", "Write it like 0.17.4.")
        return value.removeprefix("v")

    def _fail(self, what: str, fix: str) -> NoReturn:
        raise ModelfileError(f"{self._origin}:{self._start + 1}: {what}", fix)


def _closes(line: str, quote: str, *, first: bool) -> bool:
    """Whether a quoted value ends with ``line``; on the ``first`` one the opening quote does not count."""
    trimmed = line.rstrip(_SPACES)
    return trimmed.endswith(quote) and len(trimmed) >= len(quote) * (2 if first else 1)


def render_modelfile(modelfile: Modelfile) -> str:
    """Write a Modelfile that :func:`parse_modelfile` and Ollama read back as the same value.

    Raises ModelfileError for what the grammar cannot say: a text in which a line other than the last ends in
    three double quotes (the API takes it), and names that are none.
    """
    weights = (*([] if modelfile.base is None else [modelfile.base]), *modelfile.further_weights)
    if not all(weights) or (modelfile.further_weights and modelfile.base is None):
        raise ModelfileError("FROM has an empty model name.", "Name a model, or leave the base out.")
    lines = [f"FROM {_written('FROM', name)}" for name in weights]
    if modelfile.requires is not None and not _VERSION.fullmatch(modelfile.requires):
        raise ModelfileError(f"REQUIRES {modelfile.requires!r} is no version.", "Write it like 0.17.4.")
    for keyword in ("requires", "renderer", "parser"):
        value = getattr(modelfile, keyword)
        if value is not None:
            lines.append(f"{keyword.upper()} {_written(keyword.upper(), value)}")
    for name, value in modelfile.parameters:
        if not re.fullmatch(_NAME, name):
            raise ModelfileError(f"{name!r} cannot be a parameter's name.", "Use one of Ollama's names.")
        lines.append(f"PARAMETER {name} {_written(f'PARAMETER {name}', value)}")
    if modelfile.template is not None:
        lines.append(f"TEMPLATE {_written('TEMPLATE', modelfile.template)}")
    if modelfile.system is not None:
        lines.append(f"SYSTEM {_written('SYSTEM', modelfile.system)}")
    lines += [f"ADAPTER {_written('ADAPTER', adapter)}" for adapter in modelfile.adapters]
    lines += [f"LICENSE {_written('LICENSE', licence)}" for licence in modelfile.licenses]
    for message in modelfile.messages:
        if message.role not in _MESSAGE_ROLES:
            raise ModelfileError(f"{message.role!r} is no message role.", "Use system, user or assistant.")
        lines.append(f"MESSAGE {message.role} {_written('MESSAGE', message.content)}")
    return "".join(f"{line}\n" for line in lines)


def _written(where: str, value: str) -> str:
    plain = value and value == value.strip(_SPACES) and not value.startswith('"')
    if plain and not re.search(r"[\r\n]", value):
        return value
    *inner, _ = re.split(r"[\r\n]", value)
    # A blank line after the quotes changes nothing: Ollama trims everything it has read before it looks.
    for number, line in enumerate(inner, start=1):
        if line.rstrip(_SPACES).endswith('"""'):
            raise ModelfileError(
                f'{where}: line {number} of its text ends in """, and a Modelfile would end the text there.',
                'Put a character after the """, or take one quote away.',
            )
    return f'"""{value}"""'


def typed_parameters(
    modelfile: Modelfile, *, origin: str = "Modelfile", tolerant: bool = False
) -> dict[str, ParameterValue]:
    """The parameters as the API's structured create wants them.

    ``stop`` accumulates to a list; of any other parameter the last line counts. Names and types are those of
    ``api.Options`` in Ollama 0.17.4. Raises ModelfileError for an unknown or retired name and for a value of
    the wrong type: at create, Ollama's API accepts all of them in silence. With ``tolerant`` they are left
    out, as Ollama does when it runs a model: older models of its library carry some.
    """
    typed: dict[str, ParameterValue] = {}
    stops: list[str] = []
    for name, text in modelfile.parameters:
        if _PARAMETERS.get(name) is list:
            stops.append(text)
            typed[name] = stops
            continue
        try:
            typed[name] = _typed(name, text, origin)
        except ModelfileError:
            if not tolerant:
                raise
    return typed


def _typed(name: str, text: str, origin: str) -> int | float | bool:
    kind = _PARAMETERS.get(name)
    if kind is int and _INTEGER.fullmatch(text) and -(2**63) <= int(text) < 2**63:
        return int(text)
    if kind is float and _NUMBER.fullmatch(text):
        return float(text)
    if kind is bool and text in _BOOLEANS:
        return _BOOLEANS[text]
    if kind is not None:
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise ModelfileError(f"{origin}: PARAMETER {name} is {text!r}, and not {wanted}.", f"Give {name} {wanted}.")
    if name in _RETIRED:
        raise ModelfileError(f"{origin}: PARAMETER {name} no longer does anything.", "Remove the line.")
    close = difflib.get_close_matches(name, _PARAMETERS, n=1)
    fix = f"Did you mean {close[0]}?" if close else f"Use one of: {', '.join(sorted(_PARAMETERS))}."
    raise ModelfileError(f"{origin}: PARAMETER {name} is unknown to Ollama.", fix)
