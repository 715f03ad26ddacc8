"""Monthly reports: ``<folder>/YYYY-MM.md``, with its plots in ``<folder>/YYYY-MM/``."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from nix_trinity.atomic_files import DiskFiles, Files
from nix_trinity.errors import RequestError
from nix_trinity.knowledge.learning import Build
from nix_trinity.knowledge.statistics import Row, Statistics
from nix_trinity.training.plots import draw_plots
from nix_trinity.training.report_text import report_text
from nix_trinity.training.version import Manifest

_MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


def month_range(month: str, *, months: int = 1) -> tuple[int, int]:
    """When the month ``YYYY-MM`` began and when the next one does, in Unix milliseconds (UTC).

    With ``months``, from the beginning of so many months before that end.

    :raises RequestError: it is no month.
    """
    found = _MONTH.fullmatch(month)
    if found is None:
        raise RequestError(f"{month[:40]!r} is no month.", "Write it like 2026-11: nix-trinity report 2026-11")
    number = int(found[1]) * 12 + int(found[2]) - 1
    return _begins(number + 1 - months), _begins(number + 1)


def write_report(
    folder: Path,
    month: str,
    *,
    statistics: Statistics,
    builds: Sequence[Build],
    manifests: Sequence[Manifest],
    trend: Sequence[Row] = (),
    files: Files | None = None,
    draw: Callable[[Sequence[Row]], dict[str, bytes] | None] = draw_plots,
) -> Path:
    """Write the report of a month and return where it lies; each of its files is whole or not there.

    ``statistics`` are of :func:`month_range`; of ``builds`` and ``manifests`` those of that period are told. ``trend``
    are the weeks that are plotted, where they are to reach further back than the month. The same input makes the same
    files. It takes a second or more, so call it outside the event loop.

    :raises RequestError: it is no month.
    :raises StorageError: a file cannot be written.
    """
    month_range(month)
    files = files if files is not None else DiskFiles()
    plots = draw(trend or statistics.weeks)
    # The plots first: a report never points at what is not there.
    for name, content in sorted((plots or {}).items()):
        files.write(folder / month / f"{name}.svg", content)
    path = folder / f"{month}.md"
    files.write(path, report_text(month, statistics, builds, manifests, plots).encode())
    return path


def _begins(number: int) -> int:
    year, month = divmod(number, 12)
    return int(datetime.datetime(year, month + 1, 1, tzinfo=datetime.UTC).timestamp() * 1000)
