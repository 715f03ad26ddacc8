"""Questions to the index, in words; which of the finds is best is decided in answering/retriever.

Text that a person wrote never reaches FTS5 as its query language: each term is quoted, with quotes doubled
(https://www.sqlite.org/fts5.html#fts5_strings).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw
import msgspec

from nix_trinity.knowledge.corpus.notes import trigger_matches
from nix_trinity.knowledge.options import Option

# Weights of an option's columns in BM25: its name, its description's first sentence, the rest.
_OPTION_WEIGHTS = "10.0, 4.0, 1.0"
_GROUP_WEIGHTS = "8.0, 2.0"
_PASSAGE_WEIGHTS = "6.0, 6.0, 1.0"
_LEAST_TYPO_LENGTH = 4
_LEAST_LIKENESS = 78.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An option that may be meant, with what it is judged by."""

    id: int
    option: Option
    group: str
    name_stems: tuple[str, ...]
    summary_stems: frozenset[str]
    mentions: int
    """How many other texts name it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of the manual, or a note."""

    id: int
    kind: str
    title: str
    anchor: str
    body: str
    options: tuple[str, ...]
    file: str
    score: float
    """BM25, greater is better; 0 for one that was found by its trigger."""


class IndexReader:
    """Reads the index; to be used in the index's own thread.

    ``CROSS JOIN`` and ``+rowid`` keep SQLite from running the full-text query once for each row of the other table.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._triggers: list[tuple[int, tuple[str, ...]]] | None = None
        self._words: list[str] | None = None

    def count(self) -> int:
        """How many options there are."""
        return int(self._connection.execute("SELECT count(*) FROM options").get)

    def frequencies(self, stems: Iterable[str]) -> dict[str, int]:
        """In how many options each stem occurs; those that occur in none are left out."""
        return self._frequencies("options_terms", stems)

    def passage_frequencies(self, stems: Iterable[str]) -> dict[str, int]:
        """In how many passages each stem occurs; those that occur in none are left out."""
        return self._frequencies("passages_terms", stems)

    def options_by_text(self, stems: Sequence[str], *, limit: int, main_only: bool = False) -> list[int]:
        """The options that have any of the stems, best first by BM25; ``main_only``: none inside ``<name>``."""
        if not stems:
            return []
        deep = " AND +rowid IN (SELECT id FROM options WHERE depth <= 3)" if main_only else ""
        return [
            number
            for (number,) in self._connection.execute(
                f"SELECT rowid FROM options_text WHERE options_text MATCH ?{deep}"  # noqa: S608 (our own text)
                f" ORDER BY bm25(options_text, {_OPTION_WEIGHTS}) LIMIT ?",
                (_any_of(stems), limit),
            )
        ]

    def groups_by_text(self, stems: Sequence[str], *, limit: int) -> list[str]:
        """The sets of options (``services.openssh``) that have any of the stems, best first."""
        if not stems:
            return []
        return [
            name
            for (name,) in self._connection.execute(
                "SELECT groups.name FROM groups_text CROSS JOIN groups ON groups.id = groups_text.rowid"  # noqa: S608
                f" WHERE groups_text MATCH ? ORDER BY bm25(groups_text, {_GROUP_WEIGHTS}) LIMIT ?",
                (_any_of(stems), limit),
            )
        ]

    def options_of(self, group: str, *, limit: int) -> list[int]:
        """The options that stand right in a set, ``enable`` first."""
        return [
            number
            for (number,) in self._connection.execute(
                "SELECT id FROM options WHERE group_name = ? ORDER BY name <> group_name || '.enable', name LIMIT ?",
                (group, limit),
            )
        ]

    def options_named(self, name: str) -> list[int]:
        """The options of exactly this name; case does not count."""
        rows = self._connection.execute("SELECT id FROM options WHERE lower(name) = lower(?)", (name,))
        return [number for (number,) in rows]

    def candidates(self, numbers: Sequence[int]) -> list[Candidate]:
        """What the options of these numbers are judged by, in their order."""
        found = {}
        marks = ", ".join("?" * len(numbers))
        for number, record, group, named, summary, mentions in self._connection.execute(
            "SELECT id, record, group_name, name_stems, summary_stems,"  # noqa: S608 (question marks)
            " (SELECT sum(count) FROM mentions WHERE mentions.name = options.name)"
            f" FROM options WHERE id IN ({marks})",
            tuple(numbers),
        ):
            found[number] = Candidate(
                number,
                msgspec.json.decode(record, type=Option),
                group,
                tuple(named.split()),
                frozenset(summary.split()),
                mentions or 0,
            )
        return [found[number] for number in numbers if number in found]

    def all_options(self) -> list[Option]:
        """Every option."""
        decoder = msgspec.json.Decoder(Option)
        return [decoder.decode(record) for (record,) in self._connection.execute("SELECT record FROM options")]

    def passages_by_text(self, stems: Sequence[str], *, kind: str, limit: int) -> list[Found]:
        """The passages that have any of the stems, best first by BM25."""
        if not stems:
            return []
        return self._found(
            f"SELECT passages.id, -bm25(passages_text, {_PASSAGE_WEIGHTS})"  # noqa: S608 (our own text)
            " FROM passages_text CROSS JOIN passages ON passages.id = passages_text.rowid"
            " WHERE passages_text MATCH ? AND passages.kind = ? ORDER BY 2 DESC LIMIT ?",
            (_any_of(stems), kind, limit),
        )

    def notes_triggered(self, text: str) -> list[Found]:
        """The notes of which a trigger stands in ``text``, the longest match first."""
        if self._triggers is None:
            self._triggers = [
                (number, tuple(msgspec.json.decode(triggers, type=list[str])))
                for number, triggers in self._connection.execute(
                    "SELECT id, triggers FROM passages WHERE triggers <> '[]'"
                )
            ]
        lines = [line for line in text.casefold().splitlines() if line.strip()]
        matched = [
            (max((len(trigger) for trigger in triggers if trigger_matches(trigger, lines)), default=0), number)
            for number, triggers in self._triggers
        ]
        best = sorted(((length, number) for length, number in matched if length), reverse=True)
        return [found for _, number in best for found in self._found("SELECT ?, 0.0", (number,))]

    def nearest_words(self, word: str, *, limit: int = 2) -> list[str]:
        """Words of the index that ``word`` may be a misspelling of, nearest first; none for a short one."""
        from rapidfuzz import fuzz, process
        from rapidfuzz.distance import OSA

        if len(word) < _LEAST_TYPO_LENGTH:
            return []
        if self._words is None:
            rows = self._connection.execute("SELECT word FROM words WHERE length(word) >= 3 AND count >= 2")
            self._words = [known for (known,) in rows]
        near = process.extract(word, self._words, scorer=fuzz.ratio, limit=12, score_cutoff=_LEAST_LIKENESS - 10)
        most = 1 if len(word) <= 5 else 2
        ranked = sorted(
            (OSA.distance(word, known), word[0] != known[0], -score, known)
            for known, score, _ in near
            if OSA.distance(word, known) <= most
        )
        return [known for *_, known in ranked[:limit]]

    def successor(self, name: str) -> str | None:
        """What an option of an earlier release is called now, as far as the lists of both tell."""
        row = self._connection.execute(
            "SELECT successor FROM changes WHERE change = 'renamed' AND name = ? ORDER BY seen_at_ms DESC LIMIT 1",
            (name,),
        ).fetchone()
        return str(row[0]) if row is not None else None

    def release(self) -> str | None:
        """The release that the list of NixOS options names."""
        row = self._connection.execute(
            "SELECT release FROM sources WHERE kind = 'options' AND origin = 'nixos' LIMIT 1"
        ).fetchone()
        return row[0] if row is not None else None

    def _frequencies(self, table: str, stems: Iterable[str]) -> dict[str, int]:
        found = {}
        for one in set(stems):
            row = self._connection.execute(f"SELECT doc FROM {table} WHERE term = ?", (one,)).fetchone()  # noqa: S608
            if row is not None:
                found[one] = int(row[0])
        return found

    def _found(self, numbers: str, bindings: tuple[str | int, ...]) -> list[Found]:
        return [
            Found(number, kind, title, anchor, body, tuple(msgspec.json.decode(options, type=list[str])), path, score)
            for number, score, kind, title, anchor, body, options, path in self._connection.execute(
                f"WITH hits (id, score) AS ({numbers})"  # noqa: S608 (our own text)
                " SELECT hits.id, hits.score, p.kind, p.title, p.anchor, p.body, p.options, sources.path"
                " FROM hits JOIN passages p ON p.id = hits.id JOIN sources ON sources.id = p.source"
                " ORDER BY hits.score DESC",
                bindings,
            )
        ]


def _any_of(stems: Sequence[str]) -> str:
    return " OR ".join('"' + one.replace('"', '""') + '"' for one in stems)
