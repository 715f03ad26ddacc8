"""npm's ``openai``: the client that editors' plugins and web programs are made with, at one version, in the cache."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.stack import cache, system_packages
from tests.stack.console import run_long, say
from tests.stack.errors import StackError

VERSION = "6.30.1"


@dataclass(frozen=True, slots=True)
class NodeClient:
    """Node, and the folder whose ``node_modules`` has the package."""

    node: str
    folder: Path


def obtain(root: Path | None = None) -> NodeClient:
    """Return the client, from the cache or fetched now.

    :param root: the cache folder; the user's own one unless given.
    :raises StackError: there is no Node or npm, or the package cannot be had.
    """
    system_packages.ensure(
        [
            system_packages.brings_command("nodejs", "node", "to run npm's openai, another client of OpenAI's API"),
            system_packages.brings_command("npm", "npm", "to fetch npm's openai"),
        ]
    )
    root = root or cache.cache_root()
    folder = root / f"node-openai-{VERSION}"
    with cache.locked(root, "node-openai"):
        if not _is_there(folder):
            _fetch(root, folder)
    return NodeClient(shutil.which("node") or "node", folder)


def _is_there(folder: Path) -> bool:
    manifest = folder / "node_modules" / "openai" / "package.json"
    return manifest.is_file() and json.loads(manifest.read_text(encoding="utf-8")).get("version") == VERSION


def _fetch(root: Path, folder: Path) -> None:
    say(f"fetching npm's openai {VERSION}")
    with cache.staging(root) as made:
        # No scripts: nothing of what is fetched runs before a test runs it.
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", "--prefix", str(made)]
        environment = {**os.environ, "npm_config_cache": str(made / "npm-cache")}
        command = [shutil.which("npm") or "npm", "install", *options, f"openai@{VERSION}"]
        log = cache.log_file(root, "node-openai")
        run_long("fetching npm's openai", command, log=log, environment=environment, limit_seconds=300)
        shutil.rmtree(made / "npm-cache", ignore_errors=True)
        if not _is_there(made):
            raise StackError(f"npm installed no openai {VERSION}: {log}")
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
        made.mkdir()
