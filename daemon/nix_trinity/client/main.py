"""``nix-trinity`` and ``ask-nix-guru``.

Exit codes: 0 done; 1 failed; 2 wrong usage or question; 3 no daemon; 4 not allowed; 5 busy; 6 no engine;
7 model missing; 130 cancelled with Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys

USAGE = """usage: nix-trinity COMMAND
  ask WORDS...           ask a question (also: ask-nix-guru)
  options WORDS... [--json]  search the options of this NixOS, without a model
  good|bad [ID]          judge an answer, your last one by default
  correct [ID] [--text T]  say what the answer should have been
  history [--limit N] [--session NAME] [--json]
  show [ID] [--json]     one exchange whole
  status [--json]        the daemon, its engine and models, and whether exchanges are kept
  forget ID              remove an exchange for good
  backup FILE            copy the database (operators)
Exit codes: 0 done, 1 failed, 2 usage, 3 no daemon, 4 not allowed, 5 busy, 6 no engine, 7 model missing, 130 Ctrl-C
"""
_COMMANDS = ("good", "bad", "correct", "history", "options", "show", "status", "forget", "backup")


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
    if command in _COMMANDS:
        if "--help" in rest or "-h" in rest:
            sys.stdout.write(USAGE)
            return 0
        from nix_trinity.client import commands

        run = getattr(commands, command)
        code: int = run(rest)
        return code
    from difflib import get_close_matches

    from nix_trinity.client.wire import Refusal

    close = get_close_matches(command, (*_COMMANDS, "ask"), n=1)
    raise Refusal(
        2, f"There is no command {command!r}.", f"Did you mean {close[0]}?" if close else "See: nix-trinity --help"
    )
