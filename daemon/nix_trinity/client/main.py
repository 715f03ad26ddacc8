"""``nix-trinity`` and ``ask-nix-guru``.

Exit codes: 0 done; 1 failed; 2 wrong usage or question; 3 no daemon; 4 not allowed; 5 busy; 6 no engine;
7 model missing; 75 a build was put off; 130 cancelled with Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys

USAGE = """usage: nix-trinity COMMAND
Asking
  ask WORDS...           ask a question (also: ask-nix-guru)
  options WORDS... [--json]  search the options of this NixOS, without a model
  option NAME [--json]   one option whole: type, default, example, description
  changes [--since RELEASE] [--under NAME] [--json]
                         options that came, went and were renamed with the last upgrade
  check FILE|-... [--json]  check Nix code, or a text with code blocks; exits with 1 if something is wrong
  mcp                    serve all this to other programs (Model Context Protocol, on standard input and output)
  history [--limit N] [--session NAME] [--json]
  show [ID] [--json]     one exchange whole
  status [--json]        the daemon, its engine and models, and whether exchanges are kept
Judging
  good|bad [ID]          judge an answer, your last one by default
  correct [ID] [--text T]  say what the answer should have been
  forget ID              remove an exchange for good
  consent [yes|no]       whether models may learn from your exchanges
Learning (operators)
  review [--limit N] [--json | --accept ID | --reject ID | --edit ID [--text T]]
                         what waits for your word before it is learned; keys on a terminal
  build [--kind weekly|monthly|immediate|manual] [--role R]... [--force] [--reason T] [--json]
                         build versions, evaluate them, and deploy those that are better
  builds [--limit N] [--json]  what builds came to
  versions [ROLE] [--json]  the versions: state, scores, why
  diff OLDER NEWER [--json]  what was learned and dropped from one version to another
  rollback ROLE [VERSION] [--json]  deploy an older version again, the previous one by default
  prune [--dry-run] [--json]  remove old versions and exchanges, as configured
  stats [--weeks N] [--json]  accuracy, speed, helpfulness, corrections
  report [YYYY-MM] [--json]  write a month's report and show it
Keeping
  export FILE [--form exchanges|chat] [--all]  your exchanges as JSON lines, or everybody's (operators)
  import FILE|FOLDER [--good-from SCORE] [--json]
                         JSON lines, question|answer lines, or a folder with questions/ answers/ meta/
  backup FILE            copy the database (operators)
  pack DIR [--name N] [--licence L] [--description T] [--all] [--json]
                         accepted exchanges as a knowledge pack, or everybody's (operators)
  pack check DIR [--json]  whether a pack is fit to be used: form, options, secrets
Exit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not allowed, 5 busy, 6 no engine, 7 model missing,
  75 a build was put off (battery, memory, Nix building): try again later, 130 Ctrl-C
"""
_FACTS = ("option", "changes", "check")
_PLAIN = ("good", "bad", "correct", "history", "options", "show", "status", "forget", "backup")
_LEARNING = (
    "build", "builds", "versions", "diff", "rollback", "prune", "review", "stats", "report", "export", "import", "consent",
)  # fmt: skip
COMMANDS = ("ask", "mcp", "pack", *_FACTS, *_PLAIN, *_LEARNING)


def main() -> None:
    """The program ``nix-trinity``."""
    sys.exit(_guarded(sys.argv[1:]))


def ask_nix_guru() -> None:
    """The program ``ask-nix-guru``."""
    sys.exit(_guarded(["ask", *sys.argv[1:]]))


def _guarded(given: list[str]) -> int:
    # Imported in here, and in what is called from here, so that a Ctrl-C meanwhile ends as silently as a later one.
    try:
        from nix_trinity.client.report import report
        from nix_trinity.client.wire import Refusal

        try:
            return _finished(_run(given))
        except Refusal as refusal:
            report(refusal)
            return refusal.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    except BrokenPipeError:
        _discard_output()
        return 1
    except OSError as error:
        _discard_output()
        sys.stderr.write(f"error: The output cannot be written: {error.strerror}.\n")
        return 1


def _finished(code: int) -> int:
    # Here, not at Python's exit, so that an error in it is still ours to report.
    sys.stdout.flush()
    return code


def _discard_output() -> None:
    # Whoever read our output has left; Python must not try to flush to it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _run(given: list[str]) -> int:
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (closed by whoever started us)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack a character
    if not given:
        sys.stderr.write(USAGE)
        return 2
    command, rest = given[0], given[1:]
    if command in ("--help", "-h", "help"):
        sys.stdout.write(USAGE)
        return 0
    if command == "--version":
        from nix_trinity import __version__

        sys.stdout.write(f"nix-trinity {__version__}\n")
        return 0
    if command == "ask":
        from nix_trinity.client.ask import ask

        return ask(rest)
    if command in COMMANDS:
        if "--help" in rest or "-h" in rest:
            sys.stdout.write(USAGE)
            return 0
        return _do(command, rest)
    from difflib import get_close_matches

    from nix_trinity.client.wire import Refusal

    close = get_close_matches(command, COMMANDS)
    # The same letters in another order, as in statsu, are more likely a slip than one letter more.
    close.sort(key=lambda one: sorted(one) != sorted(command))
    raise Refusal(
        2, f"There is no command {command!r}.", f"Did you mean {close[0]}?" if close else "See: nix-trinity --help"
    )


def _do(command: str, rest: list[str]) -> int:
    code: int
    if command in _PLAIN:
        from nix_trinity.client import commands

        code = getattr(commands, command)(rest)
    elif command in _FACTS:
        from nix_trinity.client import facts

        code = getattr(facts, command)(rest)
    elif command == "pack":
        from nix_trinity.client import packs

        code = packs.pack(rest)
    elif command == "mcp":
        import importlib

        # A room of its own, with a library of its own: nothing else of the client may need it.
        code = importlib.import_module("nix_trinity.mcp_server.start").serve(rest)
    else:
        from nix_trinity.client import learning

        code = getattr(learning, "take_in" if command == "import" else command)(rest)
    return code
