"""Questions to the manual and the notes, in words, and to the notes by what was pasted."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from nix_trinity.knowledge.corpus.finds import Found
from nix_trinity.knowledge.corpus.full_text import any_of
from nix_trinity.knowledge.corpus.notes import literal_length, literal_pieces, trigger_matches
from nix_trinity.knowledge.packs import Pack

# Weights of a passage's columns in BM25: its title, the ways of asking for it, its text.
_PASSAGE_WEIGHTS = "6.0, 6.0, 1.0"
LEAST_OF_PACK = 8
"""A shorter trigger of a pack counts for nothing: it would stand in every question."""


class PassageReader:
    """Reads the passages of the manual and the notes; to be used in the index's own thread.

    An instance remembers the triggers, so the index must not change under it. ``CROSS JOIN`` keeps SQLite from running
    the full-text query once for each row of the other table.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._triggers: list[tuple[int, bool, list[tuple[str, list[str]]]]] | None = None

    def by_text(self, stems: Sequence[str], *, kind: str, limit: int) -> list[Found]:
        """The passages that have any of the stems, best first by BM25."""
        if not stems:
            return []
        return self._found(
            f"SELECT passages.id, -bm25(passages_text, {_PASSAGE_WEIGHTS})"  # noqa: S608 (our own text)
            " FROM passages_text CROSS JOIN passages ON passages.id = passages_text.rowid"
            " WHERE passages_text MATCH ? AND passages.kind = ? ORDER BY 2 DESC LIMIT ?",
            (any_of(stems), kind, limit),
        )

    def notes_asked(self, stems: Sequence[str], *, limit: int) -> list[Found]:
        """The notes of which a way of asking has these stems in a row, best first by BM25.

        Not those of packs: what is asked by its very words leads the search, and that is for this system to say.
        """
        return self._found(
            "SELECT passages.id, -bm25(passages_text) FROM passages_text"
            " CROSS JOIN passages ON passages.id = passages_text.rowid"
            " WHERE passages_text MATCH ? AND passages.kind = 'note'"
            " AND passages.source NOT IN (SELECT id FROM sources WHERE kind = 'pack-notes') ORDER BY 2 DESC LIMIT ?",
            (f"asked : {any_of([' '.join(stems)])}", limit),
        )

    def notes_triggered(self, text: str, *, own: bool = False) -> list[Found]:
        """The notes of which a trigger stands in ``text``, the most telling first: that with the most to match.

        Those of packs come last, or not at all (``own``).
        """
        if self._triggers is None:
            self._triggers = [
                (
                    number,
                    bool(of_pack),
                    [(trigger, literal_pieces(trigger)) for trigger in msgspec.json.decode(triggers, type=list[str])],
                )
                for number, triggers, of_pack in self._connection.execute(
                    "SELECT p.id, p.triggers, s.kind = 'pack-notes' FROM passages p JOIN sources s ON s.id = p.source"
                    " WHERE p.triggers <> '[]'"
                )
            ]
        whole = text.casefold()
        lines = list(dict.fromkeys(whole.splitlines()))
        matched = [
            (
                max(
                    (
                        literal_length(trigger)
                        for trigger, pieces in triggers
                        if (not of_pack or literal_length(trigger) >= LEAST_OF_PACK)
                        and all(piece in whole for piece in pieces)
                        and trigger_matches(trigger, lines)
                    ),
                    default=0,
                ),
                number,
                of_pack,
            )
            for number, of_pack, triggers in self._triggers
            if not (own and of_pack)
        ]
        best = sorted((of_pack, -length, -number) for length, number, of_pack in matched if length)
        return [found for *_, number in best for found in self._found("SELECT ?, 0.0", (-number,))]

    def _found(self, numbers: str, bindings: tuple[str | int, ...]) -> list[Found]:
        return [
            Found(
                number,
                kind,
                title,
                anchor,
                body,
                tuple(msgspec.json.decode(options, type=list[str])),
                path,
                score,
                Pack(*pack) if pack[0] is not None else None,
            )
            for number, score, kind, title, anchor, body, options, path, *pack in self._connection.execute(
                f"WITH hits (id, score) AS ({numbers})"  # noqa: S608 (our own text)
                " SELECT hits.id, hits.score, p.kind, p.title, p.anchor, p.body, p.options, sources.path,"
                " packs.name, packs.revision, packs.licence"
                " FROM hits JOIN passages p ON p.id = hits.id JOIN sources ON sources.id = p.source"
                " LEFT JOIN packs ON sources.kind = 'pack-notes' AND packs.folder = sources.origin"
                # What is a pack's is never shown as this system's own, not even when it is not known whose it is.
                " WHERE sources.kind <> 'pack-notes' OR packs.folder IS NOT NULL"
                " ORDER BY hits.score DESC",
                bindings,
            )
        ]
