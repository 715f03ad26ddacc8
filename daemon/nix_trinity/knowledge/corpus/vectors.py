"""Options as vectors of an embedding model, and which of them are nearest to a question's.

A vector is kept as one signed byte a dimension and compared by sqlite-vec (https://alexgarcia.xyz/sqlite-vec), row
by row, in an ordinary table. sqlite-vec's own ``vec0`` tables need 5 ms of the processor where this needs 9 (20,917
vectors of 384 dimensions, measured), but a connection without the extension cannot even empty them. Bytes find
98.5 % of the ten nearest that floats find (1,215 real options, all-MiniLM-L6-v2), with a quarter of the reading.
"""

from __future__ import annotations

import array
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import msgspec

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.corpus.option_rows import summary_of
from nix_trinity.knowledge.corpus.words import attribute_words
from nix_trinity.knowledge.options import Option

_MOST_CHARACTERS = 300
_MOST_DIMENSIONS = 8192
# A byte spans this many standard deviations of a unit vector's components (1/√dimensions each) to either side;
# the rare components beyond are clipped. One scale for all, so that distances between bytes order like angles.
_SPAN = 10.0
_WITHOUT = b""


@dataclass(frozen=True, slots=True)
class TextToEmbed:
    """A text that has no vector yet."""

    digest: int
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of all texts are done."""

    done: int
    all: int


class VectorTable:
    """The vectors of one index; to be used in the index's own thread, inside a transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Load sqlite-vec into the connection.

        :raises CorpusError: it cannot be loaded.
        """
        self._connection = connection
        try:
            import sqlite_vec

            connection.enable_load_extension(True)
            try:
                connection.load_extension(sqlite_vec.loadable_path())
            finally:
                # SQL alone must not be able to load code.
                connection.enable_load_extension(False)
        except (ImportError, OSError, AttributeError, apsw.Error) as error:
            raise CorpusError(
                f"Options are not searched by meaning: sqlite-vec cannot be loaded ({error}).",
                "Everything else works. Install the Python package sqlite-vec for this machine's processor.",
                code="vectors_unavailable",
            ) from error
        self._decoder = msgspec.json.Decoder(Option)

    def use(self, model: str, digest: str) -> None:
        """Keep vectors of this model alone: those of another one, or of another digest, are thrown away."""
        if self._connection.execute("SELECT name, digest FROM vector_model").fetchone() == (model, digest):
            return
        self._start_anew()
        self._connection.execute("INSERT INTO vector_model VALUES (1, ?, ?, NULL)", (model, digest))

    def catch_up(self, limit: int) -> bool:
        """Give up to ``limit`` options the text that they are embedded as; returns whether some are left.

        With the last ones the texts go that no option has any more.
        """
        # Read whole before it is written to: the rows looked for are those that are not there yet.
        rows = list(
            self._connection.execute(
                "SELECT id, depth, record FROM options WHERE NOT EXISTS"
                " (SELECT 1 FROM option_texts WHERE option_texts.id = options.id) LIMIT ?",
                (limit + 1,),
            )
        )
        for number, depth, record in rows[:limit]:
            text = embedded_text(self._decoder.decode(record))
            digest = _digest(text)
            self._connection.execute("INSERT INTO option_texts (id, digest) VALUES (?, ?)", (number, digest))
            self._connection.execute(
                "INSERT INTO text_vectors (digest, text, depth) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (digest, text, depth),
            )
        if len(rows) > limit:
            return True
        self._connection.execute("DELETE FROM text_vectors WHERE digest NOT IN (SELECT digest FROM option_texts)")
        return False

    def missing(self, limit: int) -> list[TextToEmbed]:
        """Texts without a vector, those of the upper levels first; :meth:`catch_up` finds new ones."""
        return [
            TextToEmbed(digest, text)
            for digest, text in self._connection.execute(
                "SELECT digest, text FROM text_vectors WHERE vector IS NULL ORDER BY depth LIMIT ?", (limit,)
            )
        ]

    def put(self, vectors: Sequence[tuple[int, Sequence[float]]]) -> Progress:
        """Keep the vectors of texts, by digest. The others go when their length is another one.

        :raises ValueError: a vector is empty, all zeros, not finite or longer than any model's; none was kept.
        """
        packed = [(packed_vector(vector), digest) for digest, vector in vectors]
        lengths = {len(vector) for vector, _ in packed}
        if len(lengths) > 1:
            raise ValueError(f"vectors of {' and '.join(map(str, sorted(lengths)))} dimensions from one model")
        for length in lengths:
            model = self._connection.execute("SELECT name, digest, dimensions FROM vector_model").fetchone()
            if model is None:
                raise ValueError("vectors of a model that was not named")
            if model[2] not in (None, length):
                self._start_anew()
                self._connection.execute("INSERT INTO vector_model VALUES (1, ?, ?, ?)", (*model[:2], length))
            self._connection.execute("UPDATE vector_model SET dimensions = ?", (length,))
        self._connection.executemany("UPDATE text_vectors SET vector = ? WHERE digest = ?", packed)
        return self.progress()

    def give_up(self, digest: int) -> Progress:
        """Let a text have no vector: the model cannot make one of it."""
        self._connection.execute("UPDATE text_vectors SET vector = ? WHERE digest = ?", (_WITHOUT, digest))
        return self.progress()

    def nearest(self, vector: Sequence[float], limit: int) -> list[int]:
        """The ids of the options whose vectors are nearest, best first; none for a vector of another length.

        :raises ValueError: see :meth:`put`.
        """
        packed = packed_vector(vector)
        return [
            number
            for (number,) in self._connection.execute(
                "WITH hits AS (SELECT digest, vec_distance_L2(vec_int8(vector), vec_int8(?1)) AS distance"
                " FROM text_vectors WHERE length(vector) = length(?1) ORDER BY distance LIMIT ?2)"
                " SELECT id FROM hits JOIN option_texts USING (digest) ORDER BY distance, id LIMIT ?2",
                (packed, limit),
            )
        ]

    def fits(self, vector: Sequence[float]) -> bool:
        """Whether a vector has the length of those that are kept; also where none is."""
        found = self._connection.execute("SELECT dimensions FROM vector_model").fetchone()
        return found is None or found[0] in (None, len(vector))

    def empty(self) -> None:
        """Throw all vectors away, since the model makes others now: of two models' vectors none is near to any."""
        self._connection.execute("UPDATE text_vectors SET vector = NULL WHERE vector IS NOT NULL")
        self._connection.execute("UPDATE vector_model SET dimensions = NULL")

    def progress(self) -> Progress:
        """How far the texts that :meth:`catch_up` found are embedded."""
        texts, missing = self._connection.execute(
            "SELECT (SELECT count(*) FROM text_vectors), (SELECT count(*) FROM text_vectors WHERE vector IS NULL)"
        ).get
        return Progress(texts - missing, texts)

    def _start_anew(self) -> None:
        self._connection.execute("UPDATE text_vectors SET vector = NULL WHERE vector IS NOT NULL")
        self._connection.execute("DELETE FROM vector_model")


def embedded_text(option: Option) -> str:
    """What an option is embedded as: the words of its name, and its description's first sentence.

    Whoever changes it counts up the index's form in corpus.py: texts that are there are not made again.
    """
    name = " ".join(word for attribute in option.path for word in _separate_words(attribute))
    return f"{name or option.name}: {summary_of(option)}"[:_MOST_CHARACTERS]


def packed_vector(vector: Sequence[float]) -> bytes:
    """A vector's direction, one signed byte a dimension.

    :raises ValueError: it has none: it is empty, all zeros, not finite, or longer than any model's.
    """
    length = math.hypot(*vector)
    if not 0 < len(vector) <= _MOST_DIMENSIONS or not 0 < length < math.inf:
        raise ValueError(f"a vector of {len(vector)} numbers and length {length} has no direction")
    scale = 127 * math.sqrt(len(vector)) / _SPAN
    # Divided first: the scale of a very short vector is more than a float holds.
    return array.array("b", [max(-127, min(127, round(value / length * scale))) for value in vector]).tobytes()


def _separate_words(attribute: str) -> tuple[str, ...]:
    found = attribute_words(attribute)
    # The last of several is all of them in one, which only full-text search has a use for.
    return found[:-1] if len(found) > 1 else found


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
