"""A knowledge pack on its way to the daemon, which says what is wrong in it.

The files are read here, with the rights of who asks: the daemon need not be able to.
"""

from __future__ import annotations

import os
import sys

from nix_trinity.client.report import checked, decoded, harmless
from nix_trinity.client.wire import Refusal, request, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MANIFEST = "pack.toml"
_MOST_FILE_BYTES = 2 << 20
_MOST_FILES = 5_000
_OUTSIDE = "it is a link that leads out of the pack, and is not read."
_UNPRINTABLE = "its name has characters that cannot be shown, so it is not read."


def check(folder: str, *, as_json: bool) -> int:
    """``nix-trinity pack check``: the exit code is 1 when anything is wrong.

    :raises Refusal: it is no folder of a pack, or the daemon refuses.
    """
    import json

    body = b"".join(json.dumps(one).encode() + b"\n" for one in _files(folder))
    if not body:
        raise Refusal(
            2,
            f"There is no pack in {folder}: it has no {_MANIFEST}.",
            "Name the folder of a pack: docs/reference/packs.md tells its form.",
        )
    accept = "application/json"
    reply = decoded(checked(request("POST", "/v1/packs/check", body=body, accept=accept)).body())
    if as_json:
        sys.stdout.write(json.dumps(reply, ensure_ascii=False) + "\n")
        return 0 if reply.get("ok") is True else 1
    try:
        for one in reply["problems"]:
            sys.stdout.write(harmless(f"{folder}/{one['file']}:{one['line']}: {one['message']}") + "\n")
        count = len(reply["problems"]) + int(reply["more_problems"])
        by = f", by the options of NixOS {reply['release']}" if reply["release"] else ""
        last = "all is well" if reply["ok"] else f"{count} problem{'s' if count > 1 else ''}"
        checked_ = f"{reply['notes']} notes and {reply['exchanges']} exchanges checked"
        sys.stdout.write(f"{reply['name'] or folder}: {checked_}{by}: {last}.\n")
    except (KeyError, TypeError, ValueError):
        raise stranger() from None
    return 0 if reply["ok"] is True else 1


def _files(folder: str) -> Iterator[dict[str, str]]:
    """The files of a pack as they are sent: by their paths from the folder on."""
    import base64

    if not os.path.isdir(folder):  # noqa: PTH112 (pathlib takes 10 ms to import)
        raise Refusal(2, f"{folder} is no folder.", "Name the folder of a pack, which has a pack.toml.")
    root = os.path.realpath(folder)
    count = 0
    for path in _paths(root):
        if path != _MANIFEST and not path.endswith((".md", ".jsonl")):
            continue
        count += 1
        where = os.path.realpath(f"{root}/{path}")
        if not path.isprintable():
            shown = "".join(one if one.isprintable() else "\ufffd" for one in path)
            yield {"path": shown, "problem": _UNPRINTABLE}
        elif where != root and not where.startswith(f"{root}/"):
            yield {"path": path, "problem": _OUTSIDE}
        elif count > _MOST_FILES:
            yield {"path": path, "problem": f"the pack has more than {_MOST_FILES:,} files; the others are not read."}
            return
        else:
            yield _file(root, path, base64.b64encode)


def _file(root: str, path: str, encode: Any) -> dict[str, str]:
    try:
        if not os.path.isfile(f"{root}/{path}"):  # noqa: PTH113 (see above)
            return {"path": path, "problem": "it is no file"}
        with open(f"{root}/{path}", "rb") as file:  # noqa: PTH123 (see above)
            data = file.read(_MOST_FILE_BYTES + 1)
    except OSError as error:
        return {"path": path, "problem": f"it cannot be read: {error.strerror}"}
    if len(data) > _MOST_FILE_BYTES:
        return {"path": path, "problem": "it has more than the 2,048 KiB that a file of a pack may have"}
    return {"path": path, "data": encode(data).decode()}


def _paths(root: str) -> Iterator[str]:
    def unread(error: OSError) -> None:
        raise Refusal(
            1, f"{error.filename or root} cannot be read: {error.strerror}.", "Make it readable for yourself."
        )

    for where, folders, files in os.walk(root, onerror=unread):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.relpath(f"{where}/{name}", root)
