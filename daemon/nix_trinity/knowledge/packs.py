"""The form of a knowledge pack: a folder with ``pack.toml``, notes and reviewed exchanges (docs/reference/packs.md).

Whoever wrote a pack is not vouched for by anybody here, so all of it is checked for type and length, and unknown keys are
errors.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec

from nix_trinity.errors import CorpusError

MANIFEST = "pack.toml"
EXCHANGES = "exchanges.jsonl"
"""The file that ``nix-trinity pack`` writes; others that end in .jsonl are read as well."""
MOST_MANIFEST_BYTES = 1 << 16
MOST_EXCHANGES_BYTES = 2 << 20
"""Of one file; a pack may have several."""
PAGE = "docs/reference/packs.md"

# What a git repository has besides: markdown that is no note.
_NOT_NOTES = frozenset({"readme", "license", "licence", "contributing", "changelog", "code_of_conduct", "security"})
_SHORTENED = re.compile(r"([0-9a-f]{7})[0-9a-f]{33,57}(-dirty)?")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_ALPHABET = "23456789bcdfghjkmnpqrstvwxyz"
_KEY_LENGTH = 10

_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+(?!\n)$"
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=_PRINTABLE)]
# Before $, since Python's one lets a line feed at the end pass.
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?(?!\n)$")]
Revision = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._+-]{0,64}(?!\n)$")]
# An SPDX expression by its form; which identifiers there are is not looked up.
Licence = Annotated[
    str,
    msgspec.Meta(
        max_length=100, pattern=r"^\(*[A-Za-z0-9][A-Za-z0-9.+-]*\)*( (AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*(?!\n)$"
    ),
]
Question = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Answer = Annotated[str, msgspec.Meta(min_length=1, max_length=8_000)]
Types = Annotated[dict[Line, Annotated[str, msgspec.Meta(max_length=8_192)]], msgspec.Meta(max_length=100)]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``pack.toml``."""

    name: Name
    licence: Licence
    """An SPDX expression."""
    description: Line
    revision: Revision = ""
    """Where no git revision is known; the configuration's one goes before it."""
    authors: tuple[Line, ...] = ()
    homepage: Annotated[str, msgspec.Meta(max_length=300, pattern=r"^https?://[^\s]+(?!\n)$")] | None = None
    without: tuple[Question, ...] = ()
    """Questions that ``nix-trinity pack`` is not to write into it again."""
    form: Literal[1] = 1


class PackExchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One line of an exchanges' file. It says nothing of who asked or when."""

    question: Question
    answer: Answer
    options: Types = {}
    """The options that the answer names, with the types that they had."""
    release: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,40}(?!\n)$")] | None = None
    """The NixOS release by whose options it was checked."""
    reviewed: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])(?!\n)$")] | None = None
    """The month in which it was accepted."""

    @property
    def key(self) -> str:
        """What it is called in sources; another text has another key."""
        digest = hashlib.sha256(f"{self.question}\0{self.answer}".encode()).digest()
        number, digits = int.from_bytes(digest[:16]), ""
        for _ in range(_KEY_LENGTH):
            number, digit = divmod(number, len(_ALPHABET))
            digits += _ALPHABET[digit]
        return digits


@dataclass(frozen=True, slots=True)
class Pack:
    """Where a text of a pack comes from: what every source of an answer says."""

    name: str
    revision: str
    """'' where none is known."""
    licence: str

    @property
    def label(self) -> str:
        """Such as ``team-knowledge @ 1a2b3c4, CC-BY-4.0``."""
        short = _SHORTENED.fullmatch(self.revision)
        revision = f"{short[1]}{short[2] or ''}" if short else self.revision
        return f"{self.name}{f' @ {revision}' if revision else ''}, {self.licence}"


class PackError(CorpusError):
    """A file of a pack cannot be used; ``line`` says where in it, from 1 on."""

    def __init__(self, file: str, line: int, what: str, hint: str = f"The form: {PAGE}.") -> None:
        super().__init__(f"{file}:{line}: {what}", hint)
        self.line = line
        self.what = what


def is_note(path: str) -> bool:
    """Whether a file of a pack, by its path from the pack's folder on, is to be read as a note."""
    file = PurePosixPath(path)
    return file.suffix == ".md" and file.stem.lower().replace("-", "_") not in _NOT_NOTES and not is_hidden(path)


def is_exchanges(path: str) -> bool:
    """Whether it is to be read as exchanges."""
    return path.endswith(".jsonl") and not is_hidden(path)


def is_hidden(path: str) -> bool:
    """Whether it is of no concern, as .git and .github are."""
    return any(part.startswith(".") for part in path.split("/"))


def same_asked(question: str) -> str:
    """What two questions have in common when they are written the same: blanks and capitals do not count."""
    return " ".join(question.split()).casefold()


def parse_manifest(data: bytes, *, file: str) -> Manifest:
    """Read ``pack.toml``.

    :raises PackError: names the line, the key and the form.
    """
    text = _text(data, file, MOST_MANIFEST_BYTES)
    try:
        return msgspec.convert(tomllib.loads(text), Manifest)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        raise PackError(file, int(at[1]) if at else text.count("\n") + 1, f"it is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        key, what = _explained(error)
        spelt = " It is spelt 'licence'." if "`license`" in what else ""
        raise PackError(file, _line_of(text, key or what), f"{f'{key}: ' if key else ''}{what}.{spelt}") from error


def parse_exchanges(data: bytes, *, file: str) -> list[tuple[int, PackExchange]]:
    """Read a file of exchanges: each with the number of its line.

    :raises PackError: the first line that is none.
    """
    _text(data, file, MOST_EXCHANGES_BYTES)
    return [
        (number, parse_exchange(line, file=file, line=number))
        for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        if line.strip()
    ]


def parse_exchange(data: bytes, *, file: str, line: int) -> PackExchange:
    """Read one line.

    :raises PackError: it is no exchange.
    """
    try:
        found = msgspec.json.decode(data, type=PackExchange)
    except msgspec.ValidationError as error:
        key, what = _explained(error)
        raise PackError(file, line, f"{f'{key}: ' if key else ''}{what}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackError(file, line, f"it is not one JSON object: {error}.") from error
    for key, text in (("question", found.question), ("answer", found.answer)):
        if not text.strip():
            raise PackError(file, line, f"{key}: it is empty.")
        if "\0" in text:
            raise PackError(file, line, f"{key}: it has a NUL byte in it.")
    return found


def manifest_text(manifest: Manifest) -> str:
    """``pack.toml`` for a new pack."""
    lines = [
        f"{key} = {msgspec.json.encode(value).decode()}"
        for key, value in (
            ("name", manifest.name),
            ("licence", manifest.licence),
            ("description", manifest.description),
        )
    ]
    return "\n".join(lines) + "\n"


def _text(data: bytes, file: str, most_bytes: int) -> str:
    if len(data) > most_bytes:
        raise PackError(file, 1, f"it has more than the {most_bytes >> 10:,} KiB that such a file may have.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PackError(file, line, f"byte {error.start} is not UTF-8.", "Save the file as UTF-8.") from error


def _explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """The key that is wrong ('' for the whole), and what is wrong with it."""
    what, _, where = str(error).partition(" - at `$")
    return where.rstrip("`").lstrip("."), f"{what[:1].lower()}{what[1:]}"


def _line_of(text: str, key: str) -> int:
    """The line on which a key stands; 1 for one that is missing."""
    unknown = re.search(r"unknown field `(.+?)`", key)
    name = re.escape(unknown[1] if unknown else key.partition("[")[0])
    found = re.search(rf"^[ \t]*{name}[ \t]*=", text, re.MULTILINE) if name else None
    return text.count("\n", 0, found.start()) + 1 if found else 1
