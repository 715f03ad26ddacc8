"""Knowledge out of the database and into it, in pieces, so that others are served between two of them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import apsw

from nix_trinity.knowledge.database import Database
from nix_trinity.knowledge.exchanges import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nix_trinity.knowledge.portable import Form, ImportReport

_LINES_AT_ONCE = 200
_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Transfer:
    """Export and import for the API. ``learnable`` says of a text whether models may be taught it."""

    database: Database
    learnable: Callable[[str], bool]
    consent_by_default: bool
    role_of: Callable[[str], str | None] | None = None
    """Finds a role for a question that has none."""
    wall_clock: Callable[[], float] = time.time

    async def export(self, reader: Reader, form: Form, everybody: bool) -> AsyncGenerator[bytes, None]:
        """The lines of an export in blocks: a person's own exchanges, or everybody's.

        :raises StorageError: the database cannot be read.
        """
        from nix_trinity.knowledge.portable import export_lines

        lines: Iterator[bytes] | None = None

        def work(connection: apsw.Connection) -> bytes:
            nonlocal lines
            if lines is None:
                lines = export_lines(
                    connection,
                    form=form,
                    uid=None if everybody else reader.uid,
                    with_uids=everybody,
                    consent_by_default=self.consent_by_default,
                )
            return b"".join(islice(lines, _LINES_AT_ONCE))

        while block := await self.database.run(work):
            yield block

    async def take_in(self, reader: Reader, lines: AsyncIterator[bytes]) -> ImportReport:
        """Keep what the lines say as the reader's own exchanges; what is no exchange is skipped and reported.

        :raises StorageError: the database cannot be written; what came before is kept.
        """
        report: ImportReport | None = None
        waiting: list[bytes] = []
        size, first = 0, 1
        async for line in lines:
            waiting.append(line)
            size += len(line)
            if len(waiting) >= _LINES_AT_ONCE or size >= _BYTES_AT_ONCE:
                report = _both(report, await self._keep(reader, waiting, first))
                first += len(waiting)
                waiting, size = [], 0
        return _both(report, await self._keep(reader, waiting, first))

    async def _keep(self, reader: Reader, lines: list[bytes], first: int) -> ImportReport:
        from nix_trinity.knowledge.portable import import_lines

        now_ms = int(self.wall_clock() * 1000)
        return await self.database.run(
            lambda connection: import_lines(
                connection,
                lines,
                uid=reader.uid,
                now_ms=now_ms,
                learnable=self.learnable,
                by_operator=reader.sees_all,
                sees_all=reader.sees_all,
                role_of=self.role_of,
                first_line=first,
            )
        )


def _both(one: ImportReport | None, other: ImportReport) -> ImportReport:
    if one is None:
        return other
    from nix_trinity.knowledge.portable import MOST_SKIPPED, ImportReport

    return ImportReport(
        one.imported + other.imported,
        one.already_there + other.already_there,
        (*one.skipped, *other.skipped)[:MOST_SKIPPED],
        one.skipped_count + other.skipped_count,
    )
