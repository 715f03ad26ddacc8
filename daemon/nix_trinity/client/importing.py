"""Knowledge that was collected elsewhere, on its way in: read, sent in parts, and what was not taken told."""

from __future__ import annotations

import json
import os
import sys

from nix_trinity.client.arguments import read_arguments
from nix_trinity.client.report import checked, decoded, tell
from nix_trinity.client.wire import Refusal, request, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Skipped = list[tuple[str, str]]
    Entry = tuple[str, bytes]

_MOST_PART_BYTES = 8 << 20
"""The daemon takes 64 MiB at once; in parts a file of any size goes in."""
_MOST_TOLD = 20
_SHOWN = 50


def take_in(given: list[str]) -> int:
    """``nix-trinity import``: the exit code is 1 when nothing of it could be taken.

    :raises Refusal: there is nothing to read, or the daemon refuses.
    """
    options, words = read_arguments(given, flags=("--json",), values=("--good-from",), most_words=1)
    if not words or not words[0]:
        raise Refusal(2, "Say what to import.", "For example: nix-trinity import exchanges.jsonl")
    good_from = _score(options["--good-from"]) if "--good-from" in options else None
    skipped: Skipped = []
    imported = known = unnamed = 0
    for part in _parts(_entries(words[0], good_from, skipped)):
        body = b"".join(line + b"\n" for _, line in part)
        reply = decoded(checked(request("POST", "/v1/import", body=body)).body())
        try:
            imported += int(reply["imported"])
            known += int(reply["already_there"])
            skipped += [(part[int(number) - 1][0], str(reason)) for number, reason in reply["skipped"]]
            unnamed += int(reply["skipped_count"]) - len(reply["skipped"])
        except (KeyError, TypeError, ValueError, IndexError):
            raise stranger() from None
    if not imported and not known and not skipped:
        raise Refusal(
            2,
            f"There is nothing to import in {words[0]}.",
            "It takes JSON lines, lines of question|answer, or a folder with questions/ and answers/.",
        )
    count = len(skipped) + unnamed
    if "--json" in options:
        reasons = [{"where": where, "reason": reason} for where, reason in skipped]
        told = {"imported": imported, "already_there": known, "skipped": reasons, "skipped_count": count}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    else:
        for where, reason in skipped[:_MOST_TOLD]:
            tell(f"note: {where}: {reason}")
        if count > _MOST_TOLD:
            tell(f"note: and {count - _MOST_TOLD} more that were skipped")
        sys.stdout.write(f"{imported} imported, {known} known already, {count} skipped.\n")
    return 0 if imported or known else 1


def _parts(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and size + len(entry[1]) > _MOST_PART_BYTES:
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry[1]) + 1
    if part:
        yield part


def _entries(path: str, good_from: float | None, skipped: Skipped) -> Iterator[Entry]:
    """What is to be sent, each a line of JSON, with where it comes from; what cannot be read goes to ``skipped``."""
    try:
        if os.path.isdir(path):  # noqa: PTH112 (pathlib takes 10 ms to import)
            yield from _of_folder(path, good_from, skipped)
        else:
            yield from _of_file(path, skipped)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise Refusal(
            2 if missing else 1,
            f"{error.filename or path} cannot be read: {error.strerror}.",
            "Name a file or a folder that is there." if missing else "It has to be a file that you may read.",
        ) from None


def _of_file(path: str, skipped: Skipped) -> Iterator[Entry]:
    with open(path, "rb") as file:  # noqa: PTH123 (see above)
        first = next((line for line in file if line.removeprefix(b"\xef\xbb\xbf").strip()), b"")
        file.seek(0)
        if first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
            for number, line in enumerate(file, 1):
                clean = line.removeprefix(b"\xef\xbb\xbf").strip()
                if clean:
                    yield f"line {number}", clean
            return
        text = file.read().decode("utf-8", "replace")
    from nix_trinity.client.seed_layout import pairs_from_lines

    records, problems = pairs_from_lines(text)
    yield from _records(records, problems, skipped)


def _of_folder(path: str, good_from: float | None, skipped: Skipped) -> Iterator[Entry]:
    parts = [f"{path}/{name}" for name in ("questions", "answers", "meta")]
    if not os.path.isdir(parts[0]) or not os.path.isdir(parts[1]):  # noqa: PTH112 (see above)
        raise Refusal(
            2,
            f"{path} has no folders questions/ and answers/.",
            "Name the folder that has them (and meta/), or a file of JSON lines or question|answer lines.",
        )
    from nix_trinity.client.seed_layout import pairs_from_files

    questions, answers, meta = (_texts(part, skipped) for part in parts)
    records, problems = pairs_from_files(questions, answers, meta, good_from=good_from)
    yield from _records(records, problems, skipped)


def _texts(folder: str, skipped: Skipped) -> dict[str, str]:
    """The files of a folder by name; one that cannot be read is skipped alone."""
    texts: dict[str, str] = {}
    if not os.path.isdir(folder):  # noqa: PTH112 (see above)
        return texts
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 (see above)
        try:
            with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123 (see above)
                texts[name] = file.read().decode("utf-8", "replace")
        except OSError as error:
            skipped.append((name, f"cannot be read: {error.strerror}"))
    return texts


def _records(records: list[dict[str, Any]], problems: list[str], skipped: Skipped) -> Iterator[Entry]:
    for problem in problems:
        where, _, reason = problem.partition(": ")
        skipped.append((where, reason))
    for record in records:
        shown = record["question"] if len(record["question"]) <= _SHOWN else record["question"][: _SHOWN - 1] + "…"
        yield f"{' '.join(shown.split())!r}", json.dumps(record, ensure_ascii=False).encode()


def _score(given: str) -> float:
    try:
        return float(given)
    except ValueError:
        raise Refusal(
            2, f"--good-from is {given!r}, which is no number.", "It is the score from which on an answer was good."
        ) from None
