"""Knowledge packs: accepted exchanges into a folder that is shared."""

from __future__ import annotations

import os
import sys

from nix_trinity.client.arguments import read_arguments
from nix_trinity.client.report import checked, decoded, tell
from nix_trinity.client.wire import Refusal, request, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from typing import Any

    Line = tuple[str, str]

_MANIFEST = "pack.toml"
_EXCHANGES = "exchanges.jsonl"
_MOST_MANIFEST_BYTES = 1 << 16
_EXAMPLE = "For example: nix-trinity pack team-knowledge --licence CC-BY-4.0"


def pack(given: list[str]) -> int:
    """``nix-trinity pack``: write a pack, or with ``check`` look through one.

    :raises Refusal: wrong usage, a folder that is no pack or cannot be written; or the daemon refuses.
    """
    options, words = read_arguments(
        given, flags=("--all", "--json"), values=("--name", "--licence", "--description"), most_words=2
    )
    if len(words) == 2 and words[0] == "check":
        wrong = sorted(set(options) - {"--json"})
        if wrong:
            raise Refusal(2, f"pack check takes no {wrong[0]}.", "For example: nix-trinity pack check team-knowledge")
        from nix_trinity.client.pack_checking import check

        return check(words[1], as_json="--json" in options)
    if len(words) == 2:
        raise Refusal(2, f"{words[1]!r} is one word too many here.", "To check a pack: nix-trinity pack check DIR")
    if not words or not words[0]:
        raise Refusal(2, "Say which folder the pack is to be in.", _EXAMPLE)
    if words[0] == "check":
        raise Refusal(2, "Say which folder to check.", "For example: nix-trinity pack check team-knowledge")
    return _write(words[0], options)


def _write(folder: str, options: dict[str, str]) -> int:
    import json

    manifest = _manifest(folder)
    there = _lines_there(folder)
    if manifest is None:
        if there:
            raise Refusal(
                2, f"{folder} has {_EXCHANGES} and no {_MANIFEST}.", "Name a new folder, or write its pack.toml."
            )
        if "--licence" not in options:
            raise Refusal(2, "A new pack needs a licence, as SPDX writes it.", _EXAMPLE)
    known = manifest or {}
    for key in ("name", "licence", "description"):
        if manifest is not None and options.get(f"--{key}", known.get(key)) != known.get(key):
            raise Refusal(
                2,
                f"{folder}/{_MANIFEST} says {key} = {known.get(key)!r}.",
                "Change it in that file, or leave the option out.",
            )
    message: dict[str, Any] = {
        "name": known.get("name", options.get("--name") or os.path.basename(os.path.abspath(folder))),  # noqa: PTH100, PTH119
        "licence": known.get("licence", options.get("--licence")),
        "everybody": "--all" in options,
        "without": known.get("without", []),
    }
    if "--description" in options:
        message["description"] = options["--description"]
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    reply = decoded(checked(request("POST", "/v1/packs", body=body)).body())
    try:
        merged, added, differing = _merged(there, [str(line) for line in reply["lines"]])
        left_out = [(str(one["reason"]), int(one["count"])) for one in reply["left_out"]]
        text = str(reply["manifest"])
    except (KeyError, TypeError, ValueError):
        raise stranger() from None
    if not merged:
        for reason, count in left_out:
            tell(f"note: {count} left out: {reason}")
        raise Refusal(
            1,
            "There is nothing to write: none of your exchanges is accepted and may go into a pack.",
            "Judge some: nix-trinity good ID. Operators write everybody's with --all, of those who allowed it.",
        )
    try:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 (pathlib takes 10 ms to import)
        if manifest is None:
            _put(f"{folder}/{_MANIFEST}", text)
        if added:
            _put(f"{folder}/{_EXCHANGES}", "".join(f"{line}\n" for _, line in merged))
    except OSError as error:
        raise Refusal(
            1, f"{error.filename or folder} cannot be written: {error.strerror}.", "Choose a folder that is yours."
        ) from None
    _told(folder, options, {"added": added, "kept": len(merged) - added, "differing": differing}, left_out)
    return 0


def _told(folder: str, options: dict[str, str], counts: dict[str, int], left_out: list[tuple[str, int]]) -> None:
    if "--json" in options:
        import json

        reasons = [{"reason": reason, "count": count} for reason, count in left_out]
        sys.stdout.write(json.dumps({**counts, "left_out": reasons}, ensure_ascii=False) + "\n")
        return
    for reason, count in left_out:
        tell(f"note: {count} left out: {reason}")
    if counts["differing"]:
        tell(
            f"note: {counts['differing']} questions are there with another answer than was accepted here; they were kept "
            "as they are. Delete such a line to have it written anew."
        )
    sys.stdout.write(
        f"{folder}: {counts['added']} exchanges added, {counts['kept']} kept. Read them before you share them: secrets "
        f"were taken out, names of people and machines were not. Then: nix-trinity pack check {folder}\n"
    )


def _manifest(folder: str) -> dict[str, Any] | None:
    """``pack.toml``, if there is one; what it says is for the daemon to judge."""
    path = f"{folder}/{_MANIFEST}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib takes 10 ms to import)
            data = file.read(_MOST_MANIFEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unread(path, error) from None
    import tomllib

    try:
        return tomllib.loads(data.decode())
    except ValueError as error:
        raise Refusal(2, f"{path}: it is not TOML: {error}.", f"Mend it: nix-trinity pack check {folder}") from None


def _lines_there(folder: str) -> list[Line]:
    """The exchanges that stand in the file: each line as it is, with its question.

    :raises Refusal: a line is none; nothing was changed.
    """
    path = f"{folder}/{_EXCHANGES}"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (see above)
            data = file.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unread(path, error) from None
    import json

    found: list[Line] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append((str(json.loads(line)["question"]), line.decode().rstrip("\r")))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise Refusal(
                2,
                f"{path}:{number}: it is no exchange, so nothing was written.",
                f"Mend or delete the line; see: nix-trinity pack check {folder}",
            ) from None
    return found


def _merged(there: list[Line], new: list[str]) -> tuple[list[Line], int, int]:
    """What was there stays as it is, for people edit it; new questions come in at their place.

    Returns the lines, how many are new, and how many of those that were there have another answer here.
    """
    import json

    known = {_asked(question): line for question, line in there}
    merged, added, differing = list(there), 0, 0
    for line in new:
        one = json.loads(line)
        question = str(one["question"])
        old = known.get(_asked(question))
        if old is None:
            merged.append((question, line))
            added += 1
        elif json.loads(old).get("answer") != one["answer"]:
            differing += 1
    if added:
        merged.sort(key=lambda pair: (_asked(pair[0]), pair[0]))
    return merged, added, differing


def _asked(question: str) -> str:
    return " ".join(question.split()).casefold()


def _put(path: str, text: str) -> None:
    """Write a file whole, or not at all."""
    partial = f"{path}.{os.getpid()}.partial"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(descriptor, "wb") as file:  # noqa: PTH123 (see above)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)  # noqa: PTH105 (see above)
    finally:
        if os.path.lexists(partial):
            os.unlink(partial)  # noqa: PTH108 (see above)


def unread(path: str, error: OSError) -> Refusal:
    """What is said of a file that cannot be read."""
    return Refusal(1, f"{path} cannot be read: {error.strerror}.", "It has to be a file that you may read.")
