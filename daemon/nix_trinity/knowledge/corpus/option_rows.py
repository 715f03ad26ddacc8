"""Options in the index: what is equal stays, what differs is indexed anew, and a release's changes are told."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import apsw
import msgspec

from nix_trinity.knowledge.corpus.ingest import Outcome, Source, put_mentions, put_words
from nix_trinity.knowledge.corpus.markdown import named_options, plain
from nix_trinity.knowledge.corpus.options_json import parse_options, release_of
from nix_trinity.knowledge.corpus.renames import successors
from nix_trinity.knowledge.corpus.words import attribute_words, name_stems, stem, stems, unique, words
from nix_trinity.knowledge.options import Option

_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+|\n\s*\n")
_MOST_SUMMARY_WORDS = 40
_MOST_REST_CHARACTERS = 2_000
_GROUP_CHILDREN = 12


@dataclass(frozen=True, slots=True)
class _Indexed:
    """What an option is found by."""

    option: Option
    record: bytes
    digest: int
    group: str


def fill_options(connection: apsw.Connection, source: Source, data: bytes) -> Outcome:
    """Index an ``options.json``.

    :raises CorpusError: the file cannot be used.
    """
    options = parse_options(data, file=str(source.file.path), origin=source.file.origin)
    release = release_of(options)
    before: dict[str, tuple[int, int]] = {
        name: (number, digest)
        for number, name, digest in connection.execute(
            "SELECT id, name, digest FROM options WHERE source = ?", (source.id,)
        )
    }
    encoder = msgspec.json.Encoder()
    fresh = []
    for option in options:
        record = encoder.encode(option)
        digest = _digest(record)
        if before.get(option.name, (0, None))[1] != digest:
            fresh.append(_Indexed(option, record, digest, group_of(option)))
    names = {option.name for option in options}
    gone = [name for name in before if name not in names]
    if not source.is_new:
        _put_changes(connection, source, release, [o for o in options if o.name not in before], gone)
    _remove(connection, [before[name][0] for name in gone])
    _put(connection, source, fresh, before)
    put_groups(connection)
    put_mentions(connection, source, _mentions(options))
    return Outcome(len(options), release)


def group_of(option: Option) -> str:
    """The attribute set that an option stands in, as NixOS writes it; '' for one at the root."""
    last = option.path[-1]
    for written in (last, f'"{last}"'):
        if option.name.endswith(f".{written}"):
            return option.name[: -len(written) - 1]
    return ""


def summary_of(option: Option) -> str:
    """The description's first sentence, without markup."""
    return _SENTENCE_END.split(plain(option.description).strip(), maxsplit=1)[0].strip()


def _put(
    connection: apsw.Connection, source: Source, fresh: Sequence[_Indexed], before: dict[str, tuple[int, int]]
) -> None:
    counts: Counter[str] = Counter()
    for one in fresh:
        option = one.option
        if option.name in before:
            _remove(connection, [before[option.name][0]])
        summary = words(summary_of(option))[:_MOST_SUMMARY_WORDS]
        named = name_stems(option.path)
        rest = f"{plain(option.description)[:_MOST_REST_CHARACTERS]} {option.example[:200]} {option.default[:100]}"
        for attribute in option.path:
            counts.update(attribute_words(attribute))
        counts.update(summary)
        summary_stems = unique(stem(word) for word in summary)
        connection.execute(
            "INSERT INTO options (source, origin, name, record, digest, group_name, depth, name_stems, summary_stems)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source.id,
                option.origin,
                option.name,
                one.record.decode(),
                one.digest,
                one.group,
                len(option.path),
                " ".join(named),
                " ".join(summary_stems),
            ),
        )
        connection.execute(
            "INSERT INTO options_text (rowid, name, summary, rest) VALUES (?, ?, ?, ?)",
            (
                connection.last_insert_rowid(),
                " ".join(named),
                " ".join(summary_stems),
                " ".join(unique(stems(rest))),
            ),
        )
    put_words(connection, counts)


def _remove(connection: apsw.Connection, numbers: Iterable[int]) -> None:
    for number in numbers:
        connection.execute("DELETE FROM options_text WHERE rowid = ?", (number,))
        connection.execute("DELETE FROM options WHERE id = ?", (number,))


def put_groups(connection: apsw.Connection) -> None:
    """One text for each set of options, so that a service's main options are found before its submodules."""
    texts: dict[str, list[str]] = defaultdict(list)
    paths: dict[str, tuple[str, ...]] = {}
    for group, record, summary in connection.execute(
        "SELECT group_name, record, summary_stems FROM options WHERE group_name <> '' AND instr(group_name, '<') = 0"
        " AND instr(group_name, '*') = 0 AND depth <= 5 ORDER BY depth, name"
    ):
        option = msgspec.json.decode(record, type=Option)
        last = option.path[-1]
        paths[group] = option.path[:-1]
        if last == "enable":
            texts[group].append(summary)
        elif last == "package":
            texts[group].append(" ".join(stems(option.default.removeprefix("pkgs."))))
        elif len(texts[group]) < _GROUP_CHILDREN:
            texts[group].append(" ".join(name_stems((last,))))
    known = {name: (n, digest) for n, name, digest in connection.execute("SELECT id, name, digest FROM groups")}
    for name in set(known) - set(texts):
        connection.execute("DELETE FROM groups_text WHERE rowid = ?", (known[name][0],))
        connection.execute("DELETE FROM groups WHERE id = ?", (known[name][0],))
    for name, found in texts.items():
        text = " ".join(unique(" ".join(found).split()))
        digest = _digest(text.encode())
        number, old = known.get(name, (None, None))
        if old == digest:
            continue
        if number is not None:
            connection.execute("DELETE FROM groups_text WHERE rowid = ?", (number,))
        connection.execute(
            "INSERT OR REPLACE INTO groups (id, name, text, digest) VALUES (?, ?, ?, ?)", (number, name, text, digest)
        )
        connection.execute(
            "INSERT INTO groups_text (rowid, name, text) VALUES (?, ?, ?)",
            (connection.last_insert_rowid(), " ".join(name_stems(paths[name])), text),
        )


def _put_changes(
    connection: apsw.Connection, source: Source, release: str | None, came: Sequence[Option], gone: Sequence[str]
) -> None:
    was = [
        msgspec.json.decode(record, type=Option)
        for name in gone
        for (record,) in connection.execute(
            "SELECT record FROM options WHERE name = ? AND source = ?", (name, source.id)
        )
    ]
    renamed = successors(was, came)
    new_names = set(renamed.values())
    rows: list[tuple[str, str, str | None]] = [("renamed", old, new) for old, new in renamed.items()]
    rows += [("went", option.name, None) for option in was if option.name not in renamed]
    rows += [("came", option.name, None) for option in came if option.name not in new_names]
    connection.executemany(
        "INSERT INTO changes (seen_at_ms, from_release, to_release, change, name, successor)"
        " VALUES (unixepoch('subsec') * 1000, ?, ?, ?, ?, ?)",
        ((source.release, release, change, name, successor) for change, name, successor in rows),
    )


def _mentions(options: Iterable[Option]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for option in options:
        if "{option}" in option.description:
            # A text that names its own option, or the same one twice, is one vote at most.
            counts.update(set(named_options(option.description)) - {option.name})
    return counts


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big", signed=True)
