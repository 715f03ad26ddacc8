"""``ask-nix-guru``: the question out, the answer in as it comes."""

from __future__ import annotations

import os
import sys
import time

from nix_trinity.client.arguments import read_arguments
from nix_trinity.client.report import checked, refusal_of, tell
from nix_trinity.client.wire import Refusal, request

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = """usage: ask-nix-guru [options] WORDS...
  --role ROLE      expert, empathy, coder or quick, instead of letting it be chosen
  --level LEVEL    beginner, intermediate or expert (else USER_LEVEL)
  -c, --continue   go on with your last session;  --session NAME  with a named one
  --no-log         keep nothing of this exchange
  --json           one JSON object at the end
What is piped in is what the question is about: journalctl -b -p err | ask-nix-guru why
"""
_MOST_ATTACHED = 2_000_000
_LEVELS = ("beginner", "intermediate", "expert")


def ask(given: list[str]) -> int:
    """Run the command and return its exit code.

    :raises Refusal: what went wrong.
    """
    options, words = read_arguments(
        given,
        flags=("--json", "--no-log", "--continue", "-c", "--help", "-h"),
        values=("--role", "--level", "--session"),
    )
    if "--help" in options or "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    attachment = _piped()
    question = " ".join(words).strip()
    if not question and attachment.strip():
        question = "What does this say, and what should I do?"
    if not question:
        sys.stderr.write(USAGE)
        return 2
    import json

    message = {
        "question": question,
        "attachment": attachment,
        "role": options.get("--role"),
        "level": _level(options),
        "session": options.get("--session"),
        "continue": "--continue" in options or "-c" in options,
        "log": "--no-log" not in options,
        "stream": "--json" not in options,
        "local_time": time.strftime("%Y-%m-%dT%H:%M%z"),
    }
    reply = request("POST", "/v1/ask", body=json.dumps(message).encode())
    try:
        if "--json" in options:
            body = reply.body()
            sys.stdout.write(body.decode())
            return 0 if reply.status < 400 else refusal_of(json.loads(body)["error"]).exit_code
        return _show(checked(reply).blocks())
    finally:
        reply.close()


def _show(blocks: Iterator[bytes]) -> int:
    import json

    buffer = b""
    last = "\n"
    for block in blocks:
        buffer += block
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            event = json.loads(line)
            kind = event["event"]
            if kind == "text":
                last = event["text"]
                sys.stdout.write(last)
                sys.stdout.flush()
                continue
            if kind in ("ended", "error") and not last.endswith("\n"):
                sys.stdout.write("\n")
            if kind == "error":
                raise refusal_of(event["error"])
            _tell_about(kind, event)
            if kind == "ended":
                return 0
    raise Refusal(1, "The daemon stopped in the middle of the answer.", "Ask again; see journalctl -u nix-trinity -e")


def _tell_about(kind: str, event: dict) -> None:  # type: ignore[type-arg]
    if kind == "queued":
        tell(f"waiting: position {event['position']}")
    elif kind == "started" and sys.stderr.isatty():
        tell(f"\033[2m{event['model']}: {event['role_reason']}\033[0m")
    for notice in event.get("notices", ()):
        tell(f"note: {notice}")
    if kind == "ended" and sys.stderr.isatty():
        tell(f"\033[2m{event['id']} · {event['total_ms'] / 1000:.1f} s · judge it: nix-trinity good|bad|correct\033[0m")


def _level(options: dict[str, str]) -> str | None:
    where = "--level" if "--level" in options else "USER_LEVEL"
    level = options.get("--level") or os.environ.get("USER_LEVEL") or None
    if level is not None and level not in _LEVELS:
        raise Refusal(2, f"{where} is {level!r}, which is no level.", f"Levels: {', '.join(_LEVELS)}.")
    return level


def _piped() -> str:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    raw = sys.stdin.buffer.read()
    text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    if len(text) > _MOST_ATTACHED:
        head = _MOST_ATTACHED // 3
        tell(f"note: {len(text) - _MOST_ATTACHED} characters from the middle of the input were left out.")
        text = f"{text[:head]}\n[…]\n{text[head - _MOST_ATTACHED :]}"
    return text
