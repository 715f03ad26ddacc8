"""What the module renders for one configuration: a folder of tests/nix/golden, read for being installed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stack.container_python import STORE
from tests.stack.environment import CHECKOUT
from tests.stack.errors import StackError

GOLDEN = CHECKOUT / "tests" / "nix" / "golden"
CONFIG = "/etc/nix-trinity/config.toml"
_STORE_PATH = re.compile(r"/nix/store/[0-9a-z]{32}-[0-9A-Za-z+._?=-]+(?:/[0-9A-Za-z+._?=@-]+)*")


@dataclass(frozen=True, slots=True)
class Text:
    """A file: its text and its mode."""

    text: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Golden:
    """One configuration's folder."""

    folder: Path

    def __post_init__(self) -> None:
        if not (self.folder / "units").is_dir():
            raise StackError(f"{self.folder} is no golden: it has no units (make golden NIXPKGS_LIB=… renders them)")

    def units(self) -> dict[str, str | None]:
        """Return each unit's text by name; None for one that is masked."""
        found = sorted((self.folder / "units").iterdir())
        return {file.name: None if _is_mask(file) else file.read_text(encoding="utf-8") for file in found}

    def links(self) -> dict[str, list[str]]:
        """Return which units each folder such as ``sockets.target.wants`` holds."""
        links: dict[str, list[str]] = self._json("links")
        return links

    def users(self) -> dict[str, dict[str, Any]]:
        """Return the accounts, as in ``users.users``."""
        users: dict[str, dict[str, Any]] = self._json("users")
        return users

    def groups(self) -> dict[str, dict[str, Any]]:
        """Return the groups, as in ``users.groups``."""
        groups: dict[str, dict[str, Any]] = self._json("groups")
        return groups

    def polkit(self) -> str:
        """Return the polkit rules; empty where there are none."""
        return self._text("polkit.rules")

    def tmpfiles(self) -> str:
        """Return the lines for systemd-tmpfiles."""
        return self._text("tmpfiles.conf")

    def etc(self) -> dict[str, Text]:
        """Return the files of /etc with their content: what is only a place in the store is looked up there."""
        store = dict(self.store())
        found: dict[str, Text] = {}
        for path, value in self._json("etc").items():
            content, mode = (value, 0o644) if isinstance(value, str) else (value["content"], int(value["mode"], 8))
            if content in store:
                content = store[content].text
            elif _STORE_PATH.fullmatch(content):
                raise StackError(f"{self.folder.name}: {path} is {content}, which the golden does not have")
            found[path] = Text(content, mode)
        return found

    def store(self) -> Iterator[tuple[str, Text]]:
        """Give each generated file with its place in the store."""
        # The one that a command makes: it checks the configuration and copies it.
        checked = self._json("etc").get(CONFIG)
        if isinstance(checked, str) and _STORE_PATH.fullmatch(checked):
            yield checked, Text(self._text("config.toml"))
        folder = self.folder / "store"
        for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if file.is_file() and not _is_command(file):
                text = Text(file.read_text(encoding="utf-8"), 0o755 if os.access(file, os.X_OK) else 0o644)
                yield f"/{STORE}-{file.relative_to(folder)}", text

    def store_paths(self) -> set[str]:
        """Return every place in the store that the units, the configuration and the files name."""
        texts = [text or "" for text in self.units().values()]
        texts += [file.text for file in self.etc().values()] + [file.text for _, file in self.store()]
        return {match for text in [*texts, self.polkit()] for match in _STORE_PATH.findall(text)}

    def _json(self, name: str) -> Any:
        return json.loads(self._text(f"{name}.json"))

    def _text(self, name: str) -> str:
        file = self.folder / name
        if not file.is_file():
            raise StackError(f"{self.folder} is no whole golden: it has no {name}")
        return file.read_text(encoding="utf-8")


def _is_command(file: Path) -> bool:
    """Whether it says what a build would run, and is no file of a store."""
    return file.name.endswith(".command.json")


def _is_mask(file: Path) -> bool:
    return file.is_symlink() and str(file.readlink()) == os.devnull
