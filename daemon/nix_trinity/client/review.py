"""What waits for an operator's word: shown one after the other on a terminal, or decided on by id."""

from __future__ import annotations

import sys

from nix_trinity.client.arguments import quoted, read_arguments
from nix_trinity.client.report import checked, decoded, harmless, report, show_reply
from nix_trinity.client.wire import Refusal, request, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from typing import Any

_DECISIONS = ("--accept", "--reject", "--edit")
_KEYS = "a accept, r reject, e edit, s skip, q quit"
_MOST = 1000


def review(given: list[str]) -> int:
    """``nix-trinity review``.

    :raises Refusal: wrong usage, or what the daemon says.
    """
    options, _ = read_arguments(given, flags=("--json",), values=(*_DECISIONS, "--text", "--limit"), most_words=0)
    decisions = [name for name in _DECISIONS if name in options]
    if len(decisions) > 1:
        raise Refusal(2, f"{decisions[0]} and {decisions[1]} do not go together.", "Decide on one at a time.")
    if "--text" in options and decisions != ["--edit"]:
        raise Refusal(2, "--text is the new answer of --edit.", "For example: nix-trinity review --edit ID --text '…'")
    as_json = "--json" in options
    if decisions:
        exchange = options[decisions[0]]
        if not exchange:
            raise Refusal(2, f"{decisions[0]} needs an id.", "List them with: nix-trinity review --json")
        message = {"id": exchange, "decision": "rejected" if decisions == ["--reject"] else "accepted"}
        if decisions == ["--edit"]:
            message["id"], message["correction"] = _edited(exchange, options.get("--text"))
        _decide(message, as_json=as_json)
        return 0
    path = f"/v1/review?limit={quoted(options.get('--limit', '20'))}"
    if as_json or sys.stdin is None or not sys.stdin.isatty() or not sys.stdout.isatty():
        show_reply("GET", path, as_json=as_json)
        return 0
    return _one_by_one(_candidates(path))


def _candidates(path: str) -> list[dict[str, Any]]:
    found = decoded(checked(request("GET", path)).body()).get("candidates")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise stranger()
    return found


def _one_by_one(candidates: list[dict[str, Any]]) -> int:
    if not candidates:
        sys.stdout.write("Nothing waits for a review.\n")
    for number, one in enumerate(candidates, 1):
        try:
            exchange, answer = str(one["exchange_id"]), str(one["answer"])
            heading = f"{number} of {len(candidates)}  {exchange}  {one['role']}, {one['topic']}"
            text = f"\n{heading}\n{one['kind']}: {one['reason']}\n\nQ: {one['question']}\n\n{answer}\n\n"
        except KeyError:
            raise stranger() from None
        sys.stdout.write(harmless(text))
        while True:
            key = _key()
            if key == "q":
                return 0
            if key == "s" or (key in ("a", "r", "e") and _did(key, exchange, answer)):
                break
    return 0


def _did(key: str, exchange: str, answer: str) -> bool:
    """Do what the key says; False: it was not done, so the person chooses again."""
    # With the text that was shown: one that was changed meanwhile is not accepted unseen.
    message = {"id": exchange, "decision": "rejected" if key == "r" else "accepted", "seen": answer}
    try:
        if key == "e":
            from nix_trinity.client.editor import rewritten

            message["correction"] = _not_the_same(rewritten(answer), answer)
        _decide(message, as_json=False)
    except Refusal as refusal:
        report(refusal)
        return False
    return True


def _decide(message: dict[str, str], *, as_json: bool) -> None:
    import json

    body = json.dumps(message, ensure_ascii=False).encode()
    show_reply("POST", "/v1/review", as_json=as_json, body=body)


def _edited(exchange: str, text: str | None) -> tuple[str, str]:
    """The whole id, where it is known, and the new answer: as given, as piped in, or from an editor."""
    if text is None and (sys.stdin is None or not sys.stdin.isatty()):
        from nix_trinity.client.piped import piped_text

        text = piped_text()
    if text is None:
        from nix_trinity.client.editor import edited, rewritten

        waiting = [
            one for one in _candidates(f"/v1/review?limit={_MOST}") if str(one.get("exchange_id")).startswith(exchange)
        ]
        if len(waiting) != 1:
            return edited(exchange, f"/v1/history/{quoted(exchange)}")
        answer = str(waiting[0].get("answer"))
        exchange, text = str(waiting[0]["exchange_id"]), _not_the_same(rewritten(answer), answer)
    if not text.strip():
        raise Refusal(1, "The new answer is empty; nothing was sent.", "To drop it: nix-trinity review --reject ID")
    return exchange, text


def _not_the_same(text: str, before: str) -> str:
    if not text.strip() or text.strip() == before.strip():
        raise Refusal(1, "The answer is unchanged or empty; nothing was sent.", "Accept or reject it as it is.")
    return text


def _key() -> str:
    """The next key, without waiting for Enter; 'q' when there is no more input."""
    import os
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        # Drops what was typed ahead: nobody decides on what they have not seen yet.
        tty.setcbreak(descriptor)
        sys.stdout.write(f"{_KEYS}? ")
        sys.stdout.flush()
        key = os.read(descriptor, 1)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
    shown = key.decode("latin-1").lower() if key not in (b"", b"\x04") else "q"
    sys.stdout.write(f"{shown if shown.isprintable() else ''}\n")
    return shown
