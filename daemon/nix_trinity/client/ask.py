"""``ask-nix-guru``: the question out, the answer in as it comes."""

from __future__ import annotations

import os
import sys
import time

from nix_trinity.client.arguments import read_arguments
from nix_trinity.client.piped import piped_text
from nix_trinity.client.report import checked, decoded, events, exit_code_of, harmless, tell
from nix_trinity.client.wire import Refusal, request, stranger

TYPE_CHECKING = False  # typing itself takes 4 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

USAGE = """usage: ask-nix-guru [options] WORDS...
  --role ROLE      expert, empathy, coder or quick (else NIX_TRINITY_ROLE);
                   auto lets it be chosen, as it is without both
  --level LEVEL    beginner, intermediate or expert (else USER_LEVEL)
  -c, --continue   go on with your last session;  --session NAME  with a named one
  --fresh          ask the model, also where a confirmed answer is known
  --no-log         keep nothing of this exchange
  --explain-error  pass on what is piped in, and explain the error in it if there is one; or, with -- COMMAND...,
                   run the command, explain it when it fails, and exit with its code;  --offer  ask before that
  --json           one JSON object at the end, also for errors
  --               what follows are words, even if they begin with - (after --explain-error: a command)
  --help, --version
What is piped in is what the question is about: journalctl -b -p err | ask-nix-guru why
A rebuild and its error: ask-nix-guru --explain-error -- sudo nixos-rebuild switch
Exit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not allowed, 5 busy, 6 no engine, 7 model missing, 130 Ctrl-C
With 6 and 7 the answer comes from the search alone, where there are options to search.
"""
QUESTION_ABOUT_INPUT = "What does this say, and what should I do?"
FLAGS = (
    "--json", "--fresh", "--no-log", "--continue", "-c", "--explain-error", "--offer", "--help", "-h", "--version",
)  # fmt: skip
VALUES = ("--role", "--level", "--session")
_SOURCES_SHOWN = 4
_LEVELS = ("beginner", "intermediate", "expert")
# The role that is no role: so that one question can be left to the router though NIX_TRINITY_ROLE is set.
_CHOSEN_BY_ROUTER = "auto"
_ROLES = ("expert", "empathy", "coder", "quick", _CHOSEN_BY_ROUTER)


def ask(given: list[str]) -> int:
    """Run the command and return its exit code.

    :raises Refusal: what went wrong.
    """
    as_json = "--json" in (given[: given.index("--")] if "--" in given else given)
    try:
        return _ask(given)
    except Refusal as refusal:
        if not as_json:
            raise
        import json

        error = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
        sys.stdout.write(json.dumps({"error": error}, ensure_ascii=False) + "\n")
        return refusal.exit_code


def _ask(given: list[str]) -> int:
    own = given[: given.index("--")] if "--" in given else given
    explains = "--explain-error" in own
    # To --explain-error, what follows -- is no words but a command.
    options, words = read_arguments(own if explains else given, flags=FLAGS, values=VALUES)
    if "--help" in options or "-h" in options:
        sys.stdout.write(USAGE)
        return 0
    if "--version" in options:
        from nix_trinity import __version__

        sys.stdout.write(f"ask-nix-guru {__version__}\n")
        return 0
    if explains:
        from nix_trinity.client.explain import explain

        return explain(options, words, given[len(own) + 1 :] if len(own) < len(given) else None)
    if "--offer" in options:
        raise Refusal(2, "--offer goes with --explain-error alone.", "See: ask-nix-guru --help")
    message = message_of(options)
    if words and not " ".join(words).strip():
        raise Refusal(2, "The question is empty.", "Ask in words: ask-nix-guru how do I enable SSH", "question_empty")
    attachment = piped_text()
    if not words and not attachment.strip():
        sys.stderr.write(USAGE)
        return 2
    return send({**message, "question": " ".join(words).strip() or QUESTION_ABOUT_INPUT, "attachment": attachment})


def message_of(options: dict[str, str]) -> dict[str, Any]:
    """What is sent along with a question, as the options and the environment say.

    :raises Refusal: there is no such role or level.
    """
    level = _one_of("level", _LEVELS, "--level", "USER_LEVEL", options)
    role = _one_of("role", _ROLES, "--role", "NIX_TRINITY_ROLE", options, "unknown_role")
    message = {
        "role": None if role == _CHOSEN_BY_ROUTER else role,
        "level": level,
        "session": options.get("--session"),
        "continue": "--continue" in options or "-c" in options,
        "log": "--no-log" not in options,
        "stream": "--json" not in options,
        "local_time": time.strftime("%Y-%m-%dT%H:%M%z"),
    }
    if "--fresh" in options:
        message["fresh"] = True
    return message


def send(message: dict[str, Any]) -> int:
    """Ask, show the answer as it comes, and return the exit code.

    :raises Refusal: what went wrong.
    """
    import json

    reply = request("POST", "/v1/ask", body=json.dumps(message, ensure_ascii=False).encode())
    try:
        if not message["stream"]:
            body = checked(reply).body()
            answer = decoded(body)
            sys.stdout.write(body.decode("utf-8", "replace").rstrip("\n") + "\n")
            return exit_code_of(answer.get("degraded"))
        return _show(checked(reply).blocks())
    finally:
        reply.close()


def _show(blocks: Iterator[bytes]) -> int:
    for_terminal = sys.stdout.isatty()
    last = "\n"
    code = 0
    try:
        for event in events(blocks):
            kind = event.get("event")
            if kind == "text":
                text = str(event.get("text", ""))
                last = text or last
                sys.stdout.write(harmless(text) if for_terminal else text)
                sys.stdout.flush()
                continue
            if kind == "ended" and not last.endswith("\n"):
                sys.stdout.write("\n")
                last = "\n"
            _tell_about(event)
            if kind == "ended":
                code = exit_code_of(event.get("degraded"))
                break
    except Refusal:
        if not last.endswith("\n"):
            sys.stdout.write("\n")
        raise
    return code


def _tell_about(event: dict[str, Any]) -> None:
    kind = event.get("event")
    dim = sys.stderr.isatty()
    try:
        if kind == "queued":
            tell(f"waiting: position {event['position']}")
        elif kind == "started" and dim:
            tell(f"{event['model'] or 'no model'} ({event['role_reason']})", dim=True)
        for notice in event.get("notices", ()):
            tell(f"note: {notice}")
        if kind == "ended":
            tell(_grounds(event), dim=dim)
        if kind == "ended" and dim:
            seconds = f"{event['total_ms'] / 1000:.1f} s"
            tell(f"id {event['id']} · {seconds} · keep/judge with: nix-trinity good|bad|correct", dim=True)
    except (KeyError, TypeError):
        raise stranger() from None


def _grounds(event: dict[str, Any]) -> str:
    """What the check came to, by which release, and the sources, in a line."""
    by = f" by the options of NixOS {event['options_release']}" if event["options_release"] else ""
    named = ", ".join(
        f"{source['name']} ({source['where']})" if source["where"] else source["name"]
        for source in event["sources"][:_SOURCES_SHOWN]
    )
    return f"{event['verdict']}{by}" + (f"; sources: {named}" if named else "")


def _one_of(
    what: str, known: tuple[str, ...], option: str, variable: str, options: dict[str, str], code: str = ""
) -> str | None:
    """What the option says, else the environment; None where neither does."""
    where = option if option in options else variable
    value = options[option] if option in options else os.environ.get(variable) or None
    if value is not None and value not in known:
        raise Refusal(2, f"{where} is {value!r}, which is no {what}.", f"{what.title()}s: {', '.join(known)}.", code)
    return value
