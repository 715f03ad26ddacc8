"""Everything that a person does besides asking."""

from __future__ import annotations

import os
import sys

from nix_trinity.client.arguments import quoted, read_arguments
from nix_trinity.client.report import checked, decoded
from nix_trinity.client.wire import Refusal, Reply, request, stranger


def status(given: list[str]) -> int:
    """``nix-trinity status``."""
    options, _ = read_arguments(given, flags=("--json",), most_words=0)
    return _print("/v1/status", options)


def history(given: list[str]) -> int:
    """``nix-trinity history``."""
    options, _ = read_arguments(given, flags=("--json",), values=("--limit", "--session"), most_words=0)
    query = [f"limit={quoted(options.get('--limit', '20'))}"]
    if "--session" in options:
        query.append(f"session={quoted(options['--session'])}")
    return _print(f"/v1/history?{'&'.join(query)}", options)


def options(given: list[str]) -> int:
    """``nix-trinity options``: the search by itself."""
    chosen, words = read_arguments(given, flags=("--json",), values=("--limit",))
    if not " ".join(words).strip():
        raise Refusal(2, "Say what to search for.", "For example: nix-trinity options ssh", "question_empty")
    return _print(f"/v1/options?q={quoted(' '.join(words))}&limit={quoted(chosen.get('--limit', '10'))}", chosen)


def show(given: list[str]) -> int:
    """``nix-trinity show``."""
    options, words = read_arguments(given, flags=("--json",), most_words=1)
    return _print(_exchange_path(words[0] if words else ""), options)


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
        exchange, text = _edited(exchange)
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
    _, words = read_arguments(given, most_words=1)
    if not words or not words[0]:
        raise Refusal(2, "Say where the back-up is to go.", "For example: nix-trinity backup knowledge-backup.db")
    target = words[0]
    if os.path.lexists(target):
        raise Refusal(2, f"{target} is there already.", "Choose another name, or remove it first.")
    reply = checked(request("GET", "/v1/backup", accept="application/vnd.sqlite3"))
    try:
        _write_whole(reply, target)
    except OSError as error:
        raise Refusal(
            1,
            f"The back-up cannot be written to {target}: {error.strerror}.",
            "Choose a place with room that is yours.",
        ) from None
    finally:
        reply.close()
    sys.stdout.write(f"Wrote {target}.\n")
    return 0


def _write_whole(reply: Reply, target: str) -> None:
    """Write the whole body to ``target``, which exists only once all of it is on the disk."""
    partial = f"{target}.partial"
    if os.path.lexists(partial):
        os.unlink(partial)  # noqa: PTH108 (pathlib takes 10 ms to import)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 (see above)
            for block in reply.blocks():
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        os.rename(partial, target)  # noqa: PTH104 (see above)
    except BaseException:
        os.unlink(partial)  # noqa: PTH108 (see above)
        raise
    folder = os.open(os.path.dirname(target) or ".", os.O_RDONLY)  # noqa: PTH120 (see above)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exchange_path(exchange: str) -> str:
    return f"/v1/history/{quoted(exchange or 'last')}"


def _print(path: str, options: dict[str, str]) -> int:
    accept = "application/json" if "--json" in options else "text/plain"
    text = checked(request("GET", path, accept=accept)).body().decode("utf-8", "replace")
    sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


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
    return 0


def _edited(exchange: str) -> tuple[str, str]:
    """The id of the exchange that was shown, and what the person made of its answer."""
    import shlex
    import subprocess
    import tempfile

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise Refusal(2, "No editor is set.", "Set EDITOR, or give the text: nix-trinity correct --text '…'")
    found = decoded(checked(request("GET", _exchange_path(exchange))).body()).get("exchange")
    if not isinstance(found, dict) or not isinstance(found.get("answer"), str):
        raise stranger()
    with tempfile.TemporaryDirectory(prefix="nix-trinity-") as folder:
        name = f"{folder}/answer.md"
        with open(name, "w", encoding="utf-8") as file:  # noqa: PTH123 (pathlib takes 10 ms to import)
            file.write(found["answer"])
        try:
            subprocess.run([*shlex.split(editor), name], check=True)  # noqa: S603 (the person's own editor)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise Refusal(1, f"The editor failed; nothing was sent: {error}.", "See EDITOR and VISUAL.") from None
        with open(name, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (see above)
            text = file.read()
    if text.strip() == found["answer"].strip():
        raise Refusal(1, "The answer is unchanged; nothing was sent.", "Say it is good: nix-trinity good")
    return str(found.get("id", exchange)), text
