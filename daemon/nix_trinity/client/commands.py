"""Everything that a person does besides asking."""

from __future__ import annotations

import os
import sys

from nix_trinity.client.arguments import quoted, read_arguments
from nix_trinity.client.report import checked
from nix_trinity.client.wire import Refusal, request


def status(given: list[str]) -> int:
    """``nix-trinity status``."""
    options, _ = read_arguments(given, flags=("--json",))
    return _print("/v1/status", options)


def history(given: list[str]) -> int:
    """``nix-trinity history``."""
    options, _ = read_arguments(given, flags=("--json",), values=("--limit", "--session"))
    query = [f"limit={quoted(options.get('--limit', '20'))}"]
    if "--session" in options:
        query.append(f"session={quoted(options['--session'])}")
    return _print(f"/v1/history?{'&'.join(query)}", options)


def show(given: list[str]) -> int:
    """``nix-trinity show``."""
    options, words = read_arguments(given, flags=("--json",))
    return _print(f"/v1/history/{quoted(words[0] if words else 'last')}", options)


def good(given: list[str]) -> int:
    """``nix-trinity good``."""
    return _judge(given, "good")


def bad(given: list[str]) -> int:
    """``nix-trinity bad``."""
    return _judge(given, "bad")


def correct(given: list[str]) -> int:
    """``nix-trinity correct``: the text from --text, from standard input, or from an editor."""
    options, words = read_arguments(given, values=("--text",))
    exchange = words[0] if words else ""
    if "--text" in options:
        text = options["--text"]
    elif not sys.stdin.isatty():
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    else:
        text = _edited(exchange)
    if not text.strip():
        raise Refusal(1, "The correction is empty; nothing was sent.", "For example: nix-trinity correct --text '…'")
    return _send_verdict({"id": exchange, "verdict": "corrected", "correction": text})


def forget(given: list[str]) -> int:
    """``nix-trinity forget``."""
    _, words = read_arguments(given)
    if len(words) != 1:
        raise Refusal(2, "Say which exchange to forget.", "List them with: nix-trinity history")
    checked(request("DELETE", f"/v1/history/{quoted(words[0])}")).body()
    sys.stdout.write(f"Forgot {words[0]} for good.\n")
    return 0


def backup(given: list[str]) -> int:
    """``nix-trinity backup``: a consistent copy of the database, made while the daemon goes on."""
    _, words = read_arguments(given)
    if len(words) != 1:
        raise Refusal(2, "Say where the back-up is to go.", "For example: nix-trinity backup knowledge-backup.db")
    target = words[0]
    if os.path.exists(target):  # noqa: PTH110 (pathlib takes 10 ms to import)
        raise Refusal(2, f"{target} is there already.", "Choose another name, or remove it first.")
    reply = checked(request("GET", "/v1/backup", accept="application/vnd.sqlite3"))
    partial = f"{target}.partial"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 (see above)
        for block in reply.blocks():
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    os.rename(partial, target)  # noqa: PTH104 (see above)
    sys.stdout.write(f"Wrote {target}.\n")
    return 0


def _print(path: str, options: dict[str, str]) -> int:
    accept = "application/json" if "--json" in options else "text/plain"
    sys.stdout.write(checked(request("GET", path, accept=accept)).body().decode())
    return 0


def _judge(given: list[str], verdict: str) -> int:
    _, words = read_arguments(given)
    return _send_verdict({"id": words[0] if words else "", "verdict": verdict})


def _send_verdict(message: dict[str, str]) -> int:
    import json

    reply = json.loads(checked(request("POST", "/v1/feedback", body=json.dumps(message).encode())).body())
    sys.stdout.write(f"Marked {reply['id']} as {reply['verdict']}.\n")
    return 0


def _edited(exchange: str) -> str:
    import json
    import shlex
    import subprocess
    import tempfile

    found = json.loads(checked(request("GET", f"/v1/history/{quoted(exchange or 'last')}")).body())["exchange"]
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "nano"
    with tempfile.NamedTemporaryFile("w+", suffix=".md", encoding="utf-8") as file:
        file.write(found["answer"])
        file.flush()
        subprocess.run([*shlex.split(editor), file.name], check=True)  # noqa: S603 (the person's own editor)
        with open(file.name, encoding="utf-8") as changed:  # noqa: PTH123 (pathlib takes 10 ms to import)
            text = changed.read()
    return "" if text == found["answer"] else text
