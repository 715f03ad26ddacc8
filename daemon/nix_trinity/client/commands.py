"""Everything that a person does besides asking."""

from __future__ import annotations

import sys

from nix_trinity.client.arguments import quoted, read_arguments
from nix_trinity.client.report import checked, decoded, show_reply, tell
from nix_trinity.client.wire import Refusal, request, stranger


def status(given: list[str]) -> int:
    """``nix-trinity status``."""
    options, _ = read_arguments(given, flags=("--json",), most_words=0)
    show_reply("GET", "/v1/status", as_json="--json" in options)
    return 0


def history(given: list[str]) -> int:
    """``nix-trinity history``."""
    options, _ = read_arguments(given, flags=("--json",), values=("--limit", "--session"), most_words=0)
    query = [f"limit={quoted(options.get('--limit', '20'))}"]
    if "--session" in options:
        query.append(f"session={quoted(options['--session'])}")
    show_reply("GET", f"/v1/history?{'&'.join(query)}", as_json="--json" in options)
    return 0


def options(given: list[str]) -> int:
    """``nix-trinity options``: the search by itself."""
    chosen, words = read_arguments(given, flags=("--json",), values=("--limit",))
    if not " ".join(words).strip():
        raise Refusal(2, "Say what to search for.", "For example: nix-trinity options ssh", "question_empty")
    show_reply(
        "GET",
        f"/v1/options?q={quoted(' '.join(words))}&limit={quoted(chosen.get('--limit', '10'))}",
        as_json="--json" in chosen,
    )
    return 0


def show(given: list[str]) -> int:
    """``nix-trinity show``."""
    options, words = read_arguments(given, flags=("--json",), most_words=1)
    show_reply("GET", _exchange_path(words[0] if words else ""), as_json="--json" in options)
    return 0


def good(given: list[str]) -> int:
    """``nix-trinity good``."""
    return _judge(given, "good")


def bad(given: list[str]) -> int:
    """``nix-trinity bad``."""
    return _judge(given, "bad")


def correct(given: list[str]) -> int:
    """``nix-trinity correct``: the text from --text, from standard input, or from an editor."""
    options, words = read_arguments(given, values=("--text",), most_words=1)
    exchange = words[0] if words else ""
    if "--text" in options:
        text = options["--text"]
    elif sys.stdin is None or not sys.stdin.isatty():
        from nix_trinity.client.piped import piped_text

        text = piped_text()
    else:
        from nix_trinity.client.editor import edited

        exchange, text = edited(exchange, _exchange_path(exchange))
    if not text.strip():
        raise Refusal(1, "The correction is empty; nothing was sent.", "For example: nix-trinity correct --text '…'")
    return _send_verdict({"id": exchange, "verdict": "corrected", "correction": text})


def forget(given: list[str]) -> int:
    """``nix-trinity forget``."""
    _, words = read_arguments(given, most_words=1)
    if not words or not words[0]:
        raise Refusal(2, "Say which exchange to forget.", "List them with: nix-trinity history")
    reply = decoded(checked(request("DELETE", _exchange_path(words[0]))).body())
    sys.stdout.write(f"Forgot {reply.get('id', words[0])} for good.\n")
    return 0


def backup(given: list[str]) -> int:
    """``nix-trinity backup``: a consistent copy of the database, made while the daemon goes on."""
    from nix_trinity.client.backup import write_backup

    _, words = read_arguments(given, most_words=1)
    if not words or not words[0]:
        raise Refusal(2, "Say where the back-up is to go.", "For example: nix-trinity backup knowledge-backup.db")
    write_backup(words[0])
    sys.stdout.write(f"Wrote {words[0]}.\n")
    return 0


def _exchange_path(exchange: str) -> str:
    return f"/v1/history/{quoted(exchange or 'last')}"


def _judge(given: list[str], verdict: str) -> int:
    _, words = read_arguments(given, most_words=1)
    return _send_verdict({"id": words[0] if words else "", "verdict": verdict})


def _send_verdict(message: dict[str, str]) -> int:
    import json

    body = json.dumps(message, ensure_ascii=False).encode()
    reply = decoded(checked(request("POST", "/v1/feedback", body=body)).body())
    try:
        sys.stdout.write(f"Marked {reply['id']} as {reply['verdict']}.\n")
    except KeyError:
        raise stranger() from None
    for notice in reply.get("notices") or ():
        tell(f"note: {notice}")
    return 0
