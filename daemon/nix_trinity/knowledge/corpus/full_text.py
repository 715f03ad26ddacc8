"""Words as a query of SQLite's full-text search.

Text that a person wrote never reaches FTS5 as its query language: each term is quoted, with quotes doubled
(https://www.sqlite.org/fts5.html#fts5_strings).
"""

from __future__ import annotations

from collections.abc import Sequence


def any_of(stems: Sequence[str]) -> str:
    """The query for texts that have any of the stems, each as it stands."""
    return " OR ".join('"' + one.replace('"', '""') + '"' for one in stems)
