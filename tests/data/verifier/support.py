"""What the verifier's tests share: a tree of a few real options, the real list, and an answer run through it all."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path

from nix_trinity.answering.verifier.check import Verifier
from nix_trinity.answering.verifier.findings import Checked, Finding
from nix_trinity.answering.verifier.marking import marked
from nix_trinity.answering.verifier.release import Segment, Segmenter
from nix_trinity.answering.verifier.renamed import Renames, load_renamed
from nix_trinity.knowledge.option_tree import OptionTree, split_name
from nix_trinity.knowledge.options import Option

HERE = Path(__file__).parent


def options_of(entries: dict[str, str], origin: str = "nixos") -> list[Option]:
    """Options from their names and types."""
    return [Option(name=name, path=split_name(name) or (), type=kind, origin=origin) for name, kind in entries.items()]


@cache
def small_options() -> tuple[Option, ...]:
    entries = json.loads((HERE / "options.json").read_text(encoding="utf-8"))
    return tuple(options_of(entries))


@cache
def small_tree() -> OptionTree:
    return OptionTree(small_options())


@cache
def real_options(data_dir: Path) -> tuple[Option, ...]:
    entries = json.loads(lzma.decompress((data_dir / "nixos-options.json.xz").read_bytes()))
    return tuple(
        Option(
            name=name,
            path=tuple(entry["loc"]),
            type=entry["type"],
            description=_text(entry.get("description")),
            example=_text(entry.get("example")),
            default=_text(entry.get("default")),
        )
        for name, entry in entries.items()
    )


@cache
def verifier() -> Verifier:
    return Verifier(small_tree(), Renames(load_renamed()), "25.05")


@cache
def real_verifier(data_dir: Path) -> Verifier:
    return Verifier(OptionTree(real_options(data_dir)), Renames(load_renamed()), "25.05")


def cut(text: str) -> list[Segment]:
    segmenter = Segmenter()
    return [*segmenter.feed(text), *segmenter.flush()]


def checked(text: str, by: Verifier | None = None) -> list[Checked]:
    """An answer, cut and checked as the pipeline does it."""
    by = by or verifier()
    before, found = "", []
    for segment in cut(text):
        found.append(by.check(segment, before))
        before += segment.text
    return found


def findings(text: str, by: Verifier | None = None) -> list[Finding]:
    return [finding for each in checked(text, by) for finding in each.findings]


def shown(text: str, by: Verifier | None = None) -> str:
    """What a person would see of an answer."""
    return "".join(marked(each) for each in checked(text, by))


def nix(code: str) -> str:
    return f"```nix\n{code}\n```\n"


def kinds(text: str, by: Verifier | None = None) -> list[tuple[str, str]]:
    """Kind and name of everything that was found."""
    return [(finding.kind, finding.name) for finding in findings(text, by)]


def _text(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("text", "")
    return value if isinstance(value, str) else ""
