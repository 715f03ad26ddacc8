"""The goldens, as the tests read them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.nix.sources import GOLDEN

PACKAGE = "/nix/store/00000000000000000000000000000000-nix-trinity-0.1.0"

Unit = dict[str, dict[str, list[str]]]
"""A unit file: section, setting, values."""


@dataclass(frozen=True, slots=True)
class Golden:
    """What one configuration came to."""

    folder: Path

    @property
    def name(self) -> str:
        """The configuration's name."""
        return self.folder.name

    def json(self, file: str) -> Any:
        """One of its JSON files."""
        return json.loads(self.text(file))

    def text(self, file: str) -> str:
        """One of its files as it is."""
        return (self.folder / file).read_text(encoding="utf-8")

    def config(self) -> dict[str, Any]:
        """The daemon's configuration."""
        return tomllib.loads(self.text("config.toml"))

    def units(self, suffix: str = "") -> dict[str, Unit]:
        """Its unit files by name."""
        paths = sorted((self.folder / "units").glob(f"*{suffix}"))
        return {path.name: _unit(path.read_text(encoding="utf-8")) for path in paths}


def good() -> list[Golden]:
    """All configurations that are no failures."""
    return [Golden(path) for path in sorted(GOLDEN.iterdir()) if (path / "assertions.json").is_file()]


def golden(name: str) -> Golden:
    """The configuration of this name."""
    return Golden(GOLDEN / name)


def _unit(text: str) -> Unit:
    unit: Unit = {}
    section: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("["):
            section = unit.setdefault(line.strip("[]"), {})
        elif line:
            key, equals, value = line.partition("=")
            assert equals, f"no setting: {line}"
            section.setdefault(key, []).append(value)
    return unit
