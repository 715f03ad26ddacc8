"""Questions to the index, in words; which of the finds is best is decided in answering/retriever."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw
import msgspec

from nix_trinity.knowledge.corpus.finds import Candidate, Change, Rename
from nix_trinity.knowledge.corpus.full_text import any_of
from nix_trinity.knowledge.corpus.packs import PackedExchange, exchanges_like
from nix_trinity.knowledge.corpus.passage_search import PassageReader
from nix_trinity.knowledge.corpus.words import name_stems
from nix_trinity.knowledge.options import Option

# Weights of an option's columns in BM25: its name, its description's first sentence, the rest.
_OPTION_WEIGHTS = "10.0, 4.0, 1.0"
_GROUP_WEIGHTS = "8.0, 2.0"
_UPPER_DEPTH = 3
_MAIN_DEPTH_OF_LIST = 400
_MOST_REMEMBERED = 8192
_LEAST_TYPO_LENGTH = 4
_LEAST_LIKENESS = 78.0


class IndexReader:
    """Reads the index; to be used in the index's own thread.

    An instance remembers what it read, so the index must not change under it. ``CROSS JOIN`` keeps SQLite from
    running the full-text query once for each row of the other table.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.passages = PassageReader(connection)
        self._words: list[str] | None = None
        self._upper: frozenset[int] | None = None
        self._count: int | None = None
        self._candidates: dict[int, Candidate] = {}
        self._named: dict[str, list[int]] = {}
        self._known: dict[tuple[str, str], int] = {}
        self._decoder = msgspec.json.Decoder(Option)

    def count(self) -> int:
        """How many options there are."""
        if self._count is None:
            self._count = int(self._connection.execute("SELECT count(*) FROM options").get)
        return self._count

    def frequencies(self, stems: Iterable[str]) -> dict[str, int]:
        """In how many options each stem occurs; those that occur in none are left out."""
        return self._frequencies("options_terms", stems)

    def options_by_text(self, stems: Sequence[str], *, limit: int, main_limit: int) -> tuple[list[int], list[int]]:
        """The options that have any of the stems, best first by BM25, and of these the ones on the upper levels.

        The latter are looked for deeper down the list, since a service's submodules repeat its words.
        """
        if not stems:
            return [], []
        found = [
            number
            for (number,) in self._connection.execute(
                "SELECT rowid FROM options_text WHERE options_text MATCH ?"  # noqa: S608 (our own text)
                f" ORDER BY bm25(options_text, {_OPTION_WEIGHTS}) LIMIT ?",
                (any_of(stems), max(limit, _MAIN_DEPTH_OF_LIST)),
            )
        ]
        upper = self._upper_options()
        return found[:limit], [number for number in found if number in upper][:main_limit]

    def groups_by_text(self, stems: Sequence[str], *, limit: int) -> list[str]:
        """The sets of options (``services.openssh``) that have any of the stems, best first."""
        if not stems:
            return []
        return [
            name
            for (name,) in self._connection.execute(
                "SELECT groups.name FROM groups_text CROSS JOIN groups ON groups.id = groups_text.rowid"  # noqa: S608
                f" WHERE groups_text MATCH ? ORDER BY bm25(groups_text, {_GROUP_WEIGHTS}) LIMIT ?",
                (any_of(stems), limit),
            )
        ]

    def options_of(self, groups: Sequence[str], *, limit: int) -> dict[str, list[int]]:
        """For each set, the options that stand right in it, ``enable`` first."""
        found: dict[str, list[int]] = {group: [] for group in groups}
        for group, number in self._connection.execute(
            f"SELECT group_name, id FROM options WHERE group_name IN ({_marks(groups)})"  # noqa: S608 (question marks)
            " ORDER BY name <> group_name || '.enable', name",
            tuple(groups),
        ):
            if len(found[group]) < limit:
                found[group].append(number)
        return found

    def options_named(self, name: str) -> list[int]:
        """The options of exactly this name; case does not count."""
        found = self._named.get(name)
        if found is None:
            rows = self._connection.execute("SELECT id FROM options WHERE lower(name) = lower(?)", (name,))
            found = [number for (number,) in rows]
            if len(self._named) < _MOST_REMEMBERED:
                self._named[name] = found
        return found

    def candidates(self, numbers: Sequence[int]) -> list[Candidate]:
        """What the options of these numbers are judged by, in their order."""
        missing = [number for number in numbers if number not in self._candidates]
        if len(self._candidates) + len(missing) > _MOST_REMEMBERED:
            self._candidates.clear()
            missing = list(numbers)
        for number, record, group, named, summary, mentions in self._connection.execute(
            "SELECT id, record, group_name, name_stems, summary_stems,"  # noqa: S608 (question marks)
            " (SELECT sum(count) FROM mentions WHERE mentions.name = options.name)"
            f" FROM options WHERE id IN ({_marks(missing)})",
            tuple(missing),
        ):
            option = self._decoder.decode(record)
            self._candidates[number] = Candidate(
                number,
                option,
                group,
                frozenset(named.split()),
                frozenset(name_stems(option.path[-1:])),
                frozenset(name_stems(option.path[:-1])),
                frozenset(summary.split()),
                mentions or 0,
            )
        return [self._candidates[number] for number in numbers if number in self._candidates]

    def packs_like(self, asked: Sequence[str], *, limit: int) -> list[PackedExchange]:
        """The packs' exchanges whose questions share the most with these stems, best first."""
        return exchanges_like(self._connection, asked, limit)

    def all_options(self) -> list[Option]:
        """Every option."""
        return [self._decoder.decode(record) for (record,) in self._connection.execute("SELECT record FROM options")]

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

    def renames(self) -> list[Rename]:
        """Options of earlier releases that live on under another name, as far as the lists of both tell."""
        return [
            Rename(old, new, release or "")
            for old, new, release in self._connection.execute(
                "SELECT name, successor, to_release FROM changes WHERE change = 'renamed' ORDER BY seen_at_ms"
            )
        ]

    def changes(self) -> list[Change]:
        """What was seen to come, go and be renamed in the lists of options, in the order in which it was seen."""
        return [
            Change(int(str(at)), before, after, str(change), str(name), successor)
            for at, before, after, change, name, successor in self._connection.execute(
                "SELECT seen_at_ms, from_release, to_release, change, name, successor FROM changes"
                " ORDER BY seen_at_ms, change, name"
            )
        ]

    def names_from(self, beginning: str, *, limit: int) -> list[str]:
        """The names of options that begin so, in their order."""
        # The end of the range: no name holds the last of all characters.
        rows = self._connection.execute(
            "SELECT DISTINCT name FROM options WHERE name >= ? AND name < ? ORDER BY name LIMIT ?",
            (beginning, f"{beginning}\U0010ffff", limit),
        )
        return [str(name) for (name,) in rows]

    def release(self) -> str | None:
        """The release that the list of NixOS options names."""
        row = self._connection.execute(
            "SELECT release FROM sources WHERE kind = 'options' AND origin = 'nixos' LIMIT 1"
        ).fetchone()
        return row[0] if row is not None else None

    def stamp(self) -> str:
        """What all lists of options are known by: it changes exactly when one of them does."""
        rows = self._connection.execute(
            "SELECT origin, digest FROM sources WHERE kind = 'options' ORDER BY origin, path"
        )
        return " ".join(f"{origin}={digest}" for origin, digest in rows)

    def _upper_options(self) -> frozenset[int]:
        if self._upper is None:
            rows = self._connection.execute("SELECT id FROM options WHERE depth <= ?", (_UPPER_DEPTH,))
            self._upper = frozenset(number for (number,) in rows)
        return self._upper

    def _frequencies(self, table: str, stems: Iterable[str]) -> dict[str, int]:
        found = {}
        for one in set(stems):
            often = self._known.get((table, one))
            if often is None:
                row = self._connection.execute(f"SELECT doc FROM {table} WHERE term = ?", (one,)).fetchone()  # noqa: S608
                often = int(row[0]) if row is not None else 0
                if len(self._known) < _MOST_REMEMBERED * 4:
                    self._known[table, one] = often
            if often:
                found[one] = often
        return found


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
