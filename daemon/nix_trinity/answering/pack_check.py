"""Whether a knowledge pack is fit to be used and to be published: form, secrets, orders to the model, options, duplicates.

Pure: the files come as bytes, so that the daemon and ``nix-trinityd check-pack`` say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from nix_trinity.answering.fencing import looks_like_injection
from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.findings import Finding
from nix_trinity.answering.verifier.release import Segmenter
from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.notes import Note, literal_length, parse_note
from nix_trinity.knowledge.corpus.passage_search import LEAST_OF_PACK
from nix_trinity.knowledge.option_tree import OptionTree, split_name
from nix_trinity.knowledge.packs import (
    MANIFEST,
    MOST_EXCHANGES_BYTES,
    PackError,
    PackExchange,
    is_exchanges,
    is_note,
    parse_exchange,
    parse_manifest,
    same_asked,
)
from nix_trinity.knowledge.redaction import redact
from nix_trinity.knowledge.same_type import same_type

MOST_PROBLEMS = 1_000
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_ORDERS = "it reads like orders to the model, so it would not be used"
_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], "?")


class PackProblem(msgspec.Struct, frozen=True):
    """What is wrong in a file of a pack; ``line`` counts from 1."""

    file: str
    line: int
    message: str


class PackReport(msgspec.Struct, frozen=True):
    """What a check found. ``ok``: nothing at all."""

    ok: bool
    name: str
    """'' where pack.toml does not say it."""
    notes: int
    exchanges: int
    release: str | None
    """Of the options that it was checked by; null: of an unknown release, or by none."""
    problems: tuple[PackProblem, ...]
    more_problems: int
    """Found besides."""


@dataclass(slots=True)
class PackChecker:
    """Checks one pack. Without a verifier and options, everything but these is checked."""

    verifier: Verifier | None = None
    tree: OptionTree | None = None
    release: str | None = None
    _problems: list[PackProblem] = field(default_factory=list)
    _questions: dict[str, str] = field(default_factory=dict)
    _titles: dict[str, str] = field(default_factory=dict)

    def check(self, files: Mapping[str, bytes], unreadable: Sequence[tuple[str, str]] = ()) -> PackReport:
        """Check the files of a pack by their paths; of those that cannot be read, it is known why."""
        name, notes, exchanges = "", 0, 0
        for path, why in unreadable:
            if path == MANIFEST or is_note(path) or is_exchanges(path):
                self._add(path, 1, why)
        if MANIFEST in files:
            name = self._manifest(files[MANIFEST])
        elif MANIFEST not in {path for path, _ in unreadable}:
            self._add(MANIFEST, 1, "it is missing: name, licence and description are to stand in it")
        for path in sorted(files):
            if is_note(path):
                notes += self._note(path, files[path])
            elif is_exchanges(path):
                exchanges += self._exchanges(path, files[path])
        if not notes and not exchanges and not self._problems:
            self._add(MANIFEST, 1, "there are neither notes (*.md) nor exchanges (*.jsonl) beside it")
        self._problems.sort(key=lambda one: (one.file, one.line))
        return PackReport(
            not self._problems,
            name,
            notes,
            exchanges,
            self.release,
            tuple(self._problems[:MOST_PROBLEMS]),
            max(len(self._problems) - MOST_PROBLEMS, 0),
        )

    def faults(self, text: str) -> Iterator[tuple[int, str]]:
        """What is wrong in a text by the options of this NixOS, each with its line."""
        if self.verifier is None:
            return
        segmenter = Segmenter()
        before, line = "", 1
        for segment in (*segmenter.feed(text), *segmenter.flush()):
            for finding in self.verifier.check(segment, before).findings:
                if finding.is_error:
                    yield line + segment.text.count("\n", 0, finding.at), _in_words(finding)
            before += segment.text
            line += segment.text.count("\n")

    def _add(self, file: str, line: int, message: str) -> None:
        self._problems.append(PackProblem(file.translate(_CONTROLS), line, message.translate(_CONTROLS).rstrip(".")))

    def _manifest(self, data: bytes) -> str:
        try:
            manifest = parse_manifest(data, file=MANIFEST)
        except PackError as error:
            self._add(MANIFEST, error.line, error.what)
            return ""
        self._secrets(MANIFEST, data.decode())
        return manifest.name

    def _note(self, path: str, data: bytes) -> bool:
        if b"\0" in data:
            self._add(path, data.count(b"\n", 0, data.index(b"\0")) + 1, "it is binary, and no note")
            return False
        try:
            note = parse_note(data, file=path)
        except CorpusError as error:
            what = error.message.removeprefix(f"{path}: ")
            at = _TOML_LINE.search(what)
            ends = data.find(b"\n+++", 3) if "(at end of document)" in what else 0
            # The head begins on the second line.
            self._add(path, int(at[1]) + 1 if at else data.count(b"\n", 0, max(ends, 0)) + 1, what)
            return False
        whole = data.decode()
        self._secrets(path, whole)
        if looks_like_injection("\n".join((note.title, *note.asked, *note.triggers, note.text))):
            self._add(path, _orders_line(whole), _ORDERS)
        self._twice(self._titles, note.title, f"{path}:1", path, 1, "a note with this title")
        self._head(path, whole, note)
        first = whole.count("\n", 0, whole.rfind(note.text))
        for line, message in self.faults(note.text):
            self._add(path, first + line, message)
        return True

    def _head(self, path: str, whole: str, note: Note) -> None:
        for trigger in note.triggers:
            if literal_length(trigger) < LEAST_OF_PACK:
                short = (
                    f"the trigger {trigger!r} is too short for a pack: {LEAST_OF_PACK} characters besides * at least"
                )
                self._add(path, _line_with(whole, trigger), short)
        for name in note.options:
            missing = self._missing(name)
            if missing:
                self._add(path, _line_with(whole, name), missing)

    def _exchanges(self, path: str, data: bytes) -> int:
        if len(data) > MOST_EXCHANGES_BYTES:
            self._add(path, 1, f"it has more than {MOST_EXCHANGES_BYTES >> 10:,} KiB: cut it into several files")
            return 0
        count = 0
        for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                one = parse_exchange(line, file=path, line=number)
            except PackError as error:
                self._add(path, number, error.what)
                continue
            count += 1
            self._exchange(path, number, one)
        return count

    def _exchange(self, path: str, number: int, one: PackExchange) -> None:
        texts = (one.question, one.answer, *one.options, *one.options.values())
        kinds = dict.fromkeys(kind for text in texts for kind in redact(text).kinds)
        if kinds:
            self._add(path, number, f"it has what looks like a secret: {', '.join(kinds)}")
        if looks_like_injection(f"{one.question}\n{one.answer}"):
            self._add(path, number, _ORDERS)
        self._twice(
            self._questions,
            same_asked(one.question),
            f"{path}:{number}",
            path,
            number,
            "an exchange with this question",
        )
        told = dict.fromkeys(message for _, message in self.faults(one.answer))
        for message in told:
            self._add(path, number, message)
        for name, kind in one.options.items():
            missing = self._missing(name, kind)
            if missing and not any(name in message for message in told):
                self._add(path, number, missing)

    def _missing(self, name: str, kind: str | None = None) -> str:
        """What is wrong with an option that is named by itself; '' when nothing is."""
        if self.tree is None:
            return ""
        path = split_name(name)
        match = self.tree.look_up(path) if path is not None else None
        if match is not None and match.status == "group" and kind is None:
            return ""
        if match is None or match.option is None:
            # It takes milliseconds, and what is found after so many problems is only counted.
            near = self.tree.nearest(path) if path is not None and len(self._problems) < MOST_PROBLEMS else []
            perhaps = f"; perhaps {', '.join(near)}" if near else ""
            return f"{name} is not an option here{perhaps}"
        if kind is not None and not same_type(kind, match.option.type):
            return f"{name} is of another type here: {match.option.type}, and not {kind}"
        return ""

    def _twice(self, seen: dict[str, str], key: str, here: str, path: str, line: int, what: str) -> None:
        first = seen.setdefault(key, here)
        if first != here:
            self._add(path, line, f"there is {what} already: {first}")

    def _secrets(self, path: str, text: str) -> None:
        found = redact(text)
        if not found.count:
            return
        lines = text.split("\n")
        alone = [(number, redact(line)) for number, line in enumerate(lines, 1)]
        named = [(number, one.kinds) for number, one in alone if one.count]
        if not named:
            # One of several lines, such as a private key.
            other = found.text.split("\n")
            pairs = enumerate(zip(lines, other, strict=False), 1)
            first = next((number for number, (one, clean) in pairs if one != clean), len(other))
            named = [(first, found.kinds)]
        for number, kinds in named:
            self._add(path, number, f"it has what looks like a secret: {', '.join(kinds)}")


def _in_words(finding: Finding) -> str:
    told = f"{finding.name}: {finding.message}" if finding.name else finding.message
    return f"{told}; perhaps {', '.join(finding.suggestions)}" if finding.suggestions else told


def _line_with(text: str, piece: str) -> int:
    return text.count("\n", 0, max(text.find(piece), 0)) + 1


def _orders_line(text: str) -> int:
    lines = text.split("\n")
    return next((number for number, line in enumerate(lines, 1) if looks_like_injection(line)), 1)
