"""``python -m bench.redaction``: what the redaction takes away from real texts, and what hostile ones cost.

Descriptions, examples and defaults of the real options and our own notes hold documentation and no secrets, except
examples of some ("swordfish", sample keys). Whatever else is changed is a mistake: ``--changed`` lists it all. The
time for a megabyte of hostile text is compared with that for a quarter: linear work takes four times as long.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections.abc import Iterator

from bench.corpora import real_data
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.knowledge.redaction import redact
from tests.unit.test_redaction import HOSTILE

_QUARTER = 1 << 18


def texts() -> Iterator[tuple[str, str]]:
    """Every real text with its class."""
    with lzma.open(real_data() / "nixos-options.json.xz") as file:
        options = json.load(file)
    for name, option in options.items():
        yield "description", str(option.get("description", ""))
        for part in ("example", "default"):
            if part in option:
                yield part, f"{name} = {option[part]['text']};"
    for path in sorted(modelfiles_dir().glob("**/*")):
        if path.suffix in {".md", ".Modelfile"}:
            yield "note or Modelfile", path.read_text(encoding="utf-8")


def seconds(text: str) -> float:
    began = time.perf_counter()
    redact(text)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.redaction", description=__doc__)
    parser.add_argument("--changed", action="store_true", help="list each line that is changed")
    given = parser.parse_args()
    counts: dict[str, tuple[int, int]] = {}
    for kind, text in texts():
        result = redact(text)
        changed, all_texts = counts.get(kind, (0, 0))
        counts[kind] = changed + bool(result.count), all_texts + 1
        if given.changed and result.count:
            before = set(text.splitlines())
            print(*(line for line in result.text.splitlines() if line not in before), sep="\n")
    for kind, (changed, all_texts) in counts.items():
        print(f"{kind:20}{changed:5} of {all_texts:6} changed")
    print(f"\n{'hostile text':32}{'256 KiB':>9}{'1 MiB':>9}{'ratio':>7}")
    for name, unit in HOSTILE.items():
        text = unit * (4 * _QUARTER // len(unit) + 1)
        short, long = seconds(text[:_QUARTER]), seconds(text[: 4 * _QUARTER])
        print(f"{name:32}{short:8.2f}s{long:8.2f}s{long / short:7.1f}")


if __name__ == "__main__":
    main()
