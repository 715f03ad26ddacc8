"""What models learn: builds, versions, reviews, figures, knowledge in and out."""

from __future__ import annotations

import sys

from nix_trinity.client.arguments import quoted, read_arguments
from nix_trinity.client.report import checked, events, show_reply, tell
from nix_trinity.client.wire import Refusal, request

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from typing import Any

_KINDS = ("weekly", "monthly", "immediate", "manual")
_FORMS = ("exchanges", "chat")


def build(given: list[str]) -> int:
    """``nix-trinity build``: follow a build to its end; it goes on in the daemon whatever becomes of us."""
    roles, rest = _repeated(given, "--role")
    options, _ = read_arguments(
        rest, flags=("--force", "--json"), values=("--kind", "--reason", "--role"), most_words=0
    )
    kind = _one_of("kind of build", options.get("--kind", "manual"), _KINDS)
    message = {"kind": kind, "roles": roles, "force": "--force" in options, "reason": options.get("--reason", "")}
    from nix_trinity.client.progress_bar import follow

    try:
        reply = checked(request("POST", "/v1/builds", body=_encoded(message)))
        try:
            return follow(events(reply.blocks()), sys.stdout, as_json="--json" in options)
        finally:
            reply.close()
    except KeyboardInterrupt:
        tell("\nnote: a build that has begun goes on in the daemon; see: nix-trinity builds")
        raise


def builds(given: list[str]) -> int:
    """``nix-trinity builds``."""
    options, _ = read_arguments(given, flags=("--json",), values=("--limit",), most_words=0)
    return _get(f"/v1/builds?limit={quoted(options.get('--limit', '20'))}", options)


def versions(given: list[str]) -> int:
    """``nix-trinity versions``."""
    options, words = read_arguments(given, flags=("--json",), most_words=1)
    return _get("/v1/versions" + (f"?role={quoted(words[0])}" if words else ""), options)


def diff(given: list[str]) -> int:
    """``nix-trinity diff``: what was learned and dropped from one version to another."""
    options, words = read_arguments(given, flags=("--json",), most_words=2)
    if len(words) != 2 or not all(words):
        raise Refusal(
            2, "Say which two versions to compare.", "List them with: nix-trinity versions; the older one comes first."
        )
    return _get(f"/v1/versions/diff?older={quoted(words[0])}&newer={quoted(words[1])}", options)


def rollback(given: list[str]) -> int:
    """``nix-trinity rollback``."""
    options, words = read_arguments(given, flags=("--json",), most_words=2)
    if not words or not words[0]:
        raise Refusal(
            2, "Say which role is to have its older version back.", "For example: nix-trinity rollback expert"
        )
    return _post("/v1/rollback", {"role": words[0], "version": words[1] if len(words) > 1 else None}, options)


def prune(given: list[str]) -> int:
    """``nix-trinity prune``."""
    options, _ = read_arguments(given, flags=("--json", "--dry-run"), most_words=0)
    return _post("/v1/prune", {"dry_run": "--dry-run" in options}, options)


def review(given: list[str]) -> int:
    """``nix-trinity review``: one after the other on a terminal, else the list."""
    from nix_trinity.client import review as reviewing

    return reviewing.review(given)


def stats(given: list[str]) -> int:
    """``nix-trinity stats``."""
    options, _ = read_arguments(given, flags=("--json",), values=("--weeks",), most_words=0)
    return _get(f"/v1/stats?weeks={quoted(options.get('--weeks', '8'))}", options)


def report(given: list[str]) -> int:
    """``nix-trinity report``: of a month, else of the current one so far."""
    options, words = read_arguments(given, flags=("--json",), most_words=1)
    return _post("/v1/reports", {"month": words[0] if words else None}, options)


def consent(given: list[str]) -> int:
    """``nix-trinity consent``: show it, or say yes or no."""
    options, words = read_arguments(given, flags=("--json",), most_words=1)
    if not words:
        return _get("/v1/consent", options)
    allows = _one_of("answer", words[0], ("yes", "no")) == "yes"
    show_reply("PUT", "/v1/consent", as_json="--json" in options, body=_encoded({"allows": allows}))
    return 0


def export(given: list[str]) -> int:
    """``nix-trinity export``: to a file that does not exist yet, or to standard output for ``-``."""
    options, words = read_arguments(given, flags=("--all",), values=("--form",), most_words=1)
    form = _one_of("form", options.get("--form", "exchanges"), _FORMS)
    if not words or not words[0]:
        raise Refusal(2, "Say where the export is to go.", "For example: nix-trinity export exchanges.jsonl")
    path = f"/v1/export?form={form}&all={int('--all' in options)}"
    if words[0] == "-":
        reply = checked(request("GET", path, accept="application/x-ndjson"))
        for block in reply.blocks():
            sys.stdout.buffer.write(block)
        reply.close()
        return 0
    from nix_trinity.client.backup import write_download

    write_download("export", path, words[0], accept="application/x-ndjson")
    sys.stdout.write(f"Wrote {words[0]}.\n")
    return 0


def take_in(given: list[str]) -> int:
    """``nix-trinity import``."""
    from nix_trinity.client.importing import take_in as run

    return run(given)


def _get(path: str, options: dict[str, str]) -> int:
    show_reply("GET", path, as_json="--json" in options)
    return 0


def _post(path: str, message: dict[str, Any], options: dict[str, str]) -> int:
    show_reply("POST", path, as_json="--json" in options, body=_encoded(message))
    return 0


def _encoded(message: dict[str, Any]) -> bytes:
    import json

    return json.dumps(message, ensure_ascii=False).encode()


def _one_of(what: str, given: str, known: tuple[str, ...]) -> str:
    if given in known:
        return given
    from difflib import get_close_matches

    close = get_close_matches(given.lower(), known, n=1)
    raise Refusal(
        2, f"There is no {what} {given!r}.", f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
    )


def _repeated(given: list[str], name: str) -> tuple[list[str], list[str]]:
    """The values of an option that may come more than once, and the rest."""
    values: list[str] = []
    rest: list[str] = []
    words = list(given)
    while words:
        word = words.pop(0)
        if word == "--":
            return values, [*rest, word, *words]
        if word == name and words:
            values.append(words.pop(0))
        elif word.startswith(f"{name}="):
            values.append(word.partition("=")[2])
        else:
            rest.append(word)
    return values, rest
