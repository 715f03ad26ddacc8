"""The routes of knowledge packs: one to write, one to check. The files are the client's; the daemon reads and writes none."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nix_trinity.api import http
from nix_trinity.api.decoding import decode
from nix_trinity.api.learning_checks import forbidden
from nix_trinity.errors import RequestError
from nix_trinity.knowledge.exchanges import Reader
from nix_trinity.knowledge.packs import Licence, Line, Manifest, Name, Question

if TYPE_CHECKING:
    from nix_trinity.answering.pack_check import PackReport
    from nix_trinity.knowledge.packs_writing import WrittenPack

_MOST_FILES = 5_100
_DESCRIPTION = "Answers to questions about NixOS that were accepted by those who asked."


class PackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``POST /v1/packs``: ``name``, ``licence`` and ``description`` are for a new pack.toml."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"name": "team-knowledge", "licence": "CC-BY-4.0"}

    name: Name
    licence: Licence
    """An SPDX expression."""
    description: Line = _DESCRIPTION
    everybody: bool = False
    """Everybody's accepted exchanges (operators), else one's own."""
    without: tuple[Question, ...] = ()
    """Questions that are to be left out."""


class PackFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of ``POST /v1/packs/check``: a file by its path in the pack, with its bytes or why they cannot be had."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"path": "pack.toml", "data": "bmFtZSA9IC4uLg=="}

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096)]
    data: str | None = None
    """In base64."""
    problem: Annotated[str, msgspec.Meta(max_length=1_000)] | None = None


@dataclass(frozen=True, slots=True)
class PackApi:
    """The handlers, and what they ask. All of it may be loaded by its first call."""

    write: Callable[[Reader, bool, Manifest], Awaitable[WrittenPack]]
    """The accepted exchanges of one person, or of everybody, as a pack; ``without`` of the manifest is left out."""
    check: Callable[[dict[str, bytes], list[tuple[str, str]]], Awaitable[PackReport]]
    """Checks the files of a pack; of those that cannot be read, it is known why."""

    def routes(self, reader_of: Callable[[Request], Reader]) -> list[Route]:
        """The routes, for those whom ``reader_of`` lets in."""
        handlers = _Handlers(self, reader_of)
        return [
            Route("/v1/packs", handlers.write, methods=["POST"]),
            Route("/v1/packs/check", handlers.check, methods=["POST"]),
        ]


class _Handlers:
    def __init__(self, api: PackApi, reader_of: Callable[[Request], Reader]) -> None:
        self._api = api
        self._reader_of = reader_of

    async def write(self, request: Request) -> Response:
        """``POST /v1/packs``."""
        reader = self._reader_of(request)
        message = decode(await http.read_body(request), PackRequest)
        if message.everybody and not reader.sees_all:
            raise forbidden(
                "Only operators may have everybody's exchanges as a pack; your own come without 'everybody'."
            )
        manifest = Manifest(
            name=message.name,
            licence=message.licence,
            description=message.description,
            without=message.without,
        )
        return http.json_response(await self._api.write(reader, message.everybody, manifest))

    async def check(self, request: Request) -> Response:
        """``POST /v1/packs/check``: JSON lines, one a file."""
        self._reader_of(request)
        files: dict[str, bytes] = {}
        problems: list[tuple[str, str]] = []
        lines: AsyncGenerator[bytes, None] = http.body_lines(request)
        async for line in lines:
            if not line.strip():
                continue
            one = decode(line, PackFile)
            if len(files) + len(problems) >= _MOST_FILES:
                raise RequestError(f"There are more than {_MOST_FILES} files.", "Make several packs of it.")
            if one.problem is not None:
                problems.append((one.path, one.problem))
            else:
                files[one.path] = _bytes(one)
        if not files and not problems:
            raise RequestError("There is nothing to check.", "For example: nix-trinity pack check DIR")
        return http.reply(request, await self._api.check(files, problems), report_text)


def report_text(report: PackReport) -> str:
    """What ``nix-trinity pack check`` shows: a line for each problem, as compilers write them."""
    lines = [f"{one.file}:{one.line}: {one.message}" for one in report.problems]
    if report.more_problems:
        lines.append(f"and {report.more_problems} more")
    by = f", by the options of NixOS {report.release}" if report.release else ""
    what = f"{report.notes} notes and {report.exchanges} exchanges"
    count = len(report.problems) + report.more_problems
    last = "all is well" if report.ok else f"{count} problem{'s' if count > 1 else ''}"
    lines.append(f"{report.name or 'pack'}: {what} checked{by}: {last}.")
    return "\n".join(lines) + "\n"


def _bytes(file: PackFile) -> bytes:
    try:
        return base64.b64decode(file.data or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(
            f"Field 'data' of {file.path[:100]!r} is not base64: {error}.", "Send the file's bytes in base64."
        ) from error
