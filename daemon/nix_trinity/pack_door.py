"""What the API's routes of knowledge packs are answered with."""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nix_trinity.api.pack_routes import PackApi
from nix_trinity.config import Config
from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.packs import MANIFEST, MOST_EXCHANGES_BYTES, Manifest, manifest_text, same_asked
from nix_trinity.rooms import Rooms

if TYPE_CHECKING:
    from nix_trinity.answering.pack_check import PackChecker, PackReport
    from nix_trinity.knowledge.packs_writing import WrittenPack


class PackDoor:
    """Answers for the rooms."""

    def __init__(self, rooms: Rooms, config: Config) -> None:
        self._rooms = rooms
        self._consent_by_default = config.learning.consent_by_default
        # One check at a time takes one processor at most, whatever is sent.
        self._checking = asyncio.Lock()

    def api(self) -> PackApi:
        """The routes' answers."""
        return PackApi(write=self._write, check=self._check)

    async def _write(self, reader: Reader, everybody: bool, manifest: Manifest) -> WrittenPack:
        module = importlib.import_module("nix_trinity.knowledge.packs_writing")
        checker = await self._checker()
        fencing = importlib.import_module("nix_trinity.answering.fencing")

        def fault(question: str, answer: str) -> str:
            if fencing.looks_like_injection(f"{question}\n{answer}"):
                return "it reads like orders to the model"
            wrong = next(checker.faults(answer), None)
            return "it is wrong by the options of this NixOS" if wrong is not None else ""

        next_page = functools.partial(
            module.accepted_page,
            uid=None if everybody else reader.uid,
            consent_by_default=self._consent_by_default,
        )
        gathered = module.Gathered(fault, frozenset(map(same_asked, manifest.without)))
        async with self._checking:
            after = ""
            while page := await self._rooms.database.run(functools.partial(next_page, after=after)):
                await asyncio.to_thread(gathered.take, page)
                after = page[-1].id
        written: WrittenPack = gathered.written(manifest_text(manifest))
        return written

    async def _check(self, files: dict[str, bytes], problems: list[tuple[str, str]]) -> PackReport:
        checker = await self._checker()
        async with self._checking:
            return await asyncio.to_thread(checker.check, files, problems)

    async def _checker(self) -> PackChecker:
        """A new one.

        :raises CorpusError: there are no options to check by.
        """
        verifier, tree, release = await (await self._rooms.assembled()).grounding.checker()
        checker: PackChecker = importlib.import_module("nix_trinity.answering.pack_check").PackChecker(
            verifier, tree, release
        )
        return checker


def check_pack(folder: Path, options: Path | None, *, as_json: bool) -> int:
    """``nix-trinityd check-pack``: what ``nix-trinity pack check`` says, without a daemon. Returns the exit code.

    :raises CorpusError: the folder or the list of options cannot be read.
    """
    routes = importlib.import_module("nix_trinity.api.pack_routes")
    report = _checker_of(options).check(*_files(folder))
    if as_json:
        msgspec = importlib.import_module("msgspec")
        print(json.dumps(msgspec.to_builtins(report), ensure_ascii=False))
    else:
        sys.stdout.write(routes.report_text(report))
        if options is None:
            print("note: no options were checked; name a list of them: --options options.json", file=sys.stderr)
    return 0 if report.ok else 1


def _checker_of(options: Path | None) -> Any:
    check = importlib.import_module("nix_trinity.answering.pack_check")
    if options is None:
        return check.PackChecker()
    parsing = importlib.import_module("nix_trinity.knowledge.corpus.options_json")
    verifying = importlib.import_module("nix_trinity.answering.verifier.check")
    renaming = importlib.import_module("nix_trinity.answering.verifier.renamed")
    trees = importlib.import_module("nix_trinity.knowledge.option_tree")
    ingest = importlib.import_module("nix_trinity.knowledge.corpus.ingest")
    try:
        data = ingest.read_file(options, parsing.MOST_BYTES)
    except OSError as error:
        raise CorpusError(
            f"{options}: cannot be read: {error.strerror}.", "Name a system's options.json with --options."
        ) from error
    found = parsing.parse_options(data, file=str(options), origin="nixos")
    tree, release = trees.OptionTree(found), parsing.release_of(found)
    return check.PackChecker(
        verifying.Verifier(tree, renaming.Renames(renaming.load_renamed()), release or ""), tree, release
    )


def _files(folder: Path) -> tuple[dict[str, bytes], list[tuple[str, str]]]:
    """The pack's files, and why some cannot be read."""
    listing = importlib.import_module("nix_trinity.knowledge.packs_folder")
    ingest = importlib.import_module("nix_trinity.knowledge.corpus.ingest")
    try:
        found = listing.listed(folder)
    except OSError as error:
        raise CorpusError(
            f"{error.filename or folder}: cannot be read: {error.strerror}.", "Name the folder of a pack."
        ) from error
    files: dict[str, bytes] = {}
    problems: list[tuple[str, str]] = list(found.problems)
    for path in (MANIFEST, *found.notes, *found.exchanges):
        if path == MANIFEST and not (folder / path).exists():
            continue
        if not listing.stays_inside(folder, path):
            problems.append((path, listing.OUTSIDE))
            continue
        try:
            files[path] = ingest.read_file(folder / path, MOST_EXCHANGES_BYTES)
        except OSError as error:
            problems.append((path, f"it cannot be read: {error.strerror}"))
        except CorpusError:
            problems.append((path, "it has more than the 2,048 KiB that a file of a pack may have"))
    return files, problems
