"""``ask-nix-guru --explain-error``: a build's output passed on as it comes, and its error explained at the end."""

from __future__ import annotations

import os
import sys

from nix_trinity.client.ask import message_of, send
from nix_trinity.client.build_errors import failure_in, tail_of, was_interrupted
from nix_trinity.client.report import report, tell
from nix_trinity.client.wire import Refusal

_QUESTION = "This rebuild of NixOS failed. What is the cause, and what do I change to fix it?"
# An error stands at the end of the output; what is further from it than this is no part of it.
_KEPT_BYTES = 1 << 20
_BETWEEN_LOOKS_SECONDS = 0.2
_INTERRUPTED = 130


def explain(options: dict[str, str], words: list[str], command: list[str] | None) -> int:
    """Explain what is piped in, or what ``command`` says when it fails.

    The exit code is the command's; of what was piped in it is 1 when an error is in it, whether it could be explained
    or not: a pipe has lost the code that the build itself ended with.

    :raises Refusal: it cannot be begun.
    """
    if "--json" in options:
        raise Refusal(2, "--explain-error writes the build's output, which is no JSON.", "Leave out --json.")
    # A build's error wants the one who knows most, whoever else is usually asked.
    message = message_of({"--role": "expert", **options})
    if command is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise _nothing_to_explain()
        output = _passed_on()
        failure = failure_in(output)
        code = 0 if failure is None else 1
    elif not command:
        raise _nothing_to_explain()
    else:
        code, output = _run(command)
        stopped = code in (0, _INTERRUPTED) or was_interrupted(output)
        failure = None if stopped else failure_in(output) or tail_of(output)
    if failure and ("--offer" not in options or _is_wanted()):
        _ask(
            {**message, "question": " ".join(words).strip() or _QUESTION, "attachment": failure},
            beside=command is not None,
        )
    return code


def _ask(message: dict[str, object], *, beside: bool) -> None:
    """Show the explanation: on standard error where standard output is the command's."""
    output = sys.stdout
    try:
        sys.stdout.flush()
        if beside:
            sys.stdout = sys.stderr
        tell("", dim=False)
        send(message)
    except Refusal as refusal:
        report(refusal)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
    finally:
        sys.stdout = output


def _passed_on() -> str:
    """All of standard input, written on at once; the end of it as text."""
    kept = bytearray()
    while block := os.read(0, 1 << 16):
        _keep(block, kept, 1)
    return kept.decode("utf-8", "replace")


def _run(command: list[str]) -> tuple[int, str]:
    """Run a command as it is, but for its standard error, which passes through here; its exit code and that text."""
    import select
    import signal
    import subprocess

    ours, theirs = _like_a_terminal() if os.isatty(2) else os.pipe()
    try:
        child = subprocess.Popen(command, stderr=theirs)  # noqa: S603 (the person's own command)
    except OSError as error:
        os.close(ours)
        code = 127 if isinstance(error, FileNotFoundError) else 126
        raise Refusal(code, f"{command[0]} cannot be run: {error.strerror}.", "Check the command after --.") from None
    finally:
        os.close(theirs)
    # Ctrl-C is for the command: how it ends tells what it made of it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = bytearray()
    try:
        while True:
            patience = _BETWEEN_LOOKS_SECONDS if child.poll() is None else 0
            if select.select([ours], [], [], patience)[0]:
                if not (block := _read(ours)):
                    break
                _keep(block, kept, 2)
            elif child.returncode is not None:
                break  # what it left running in the background may hold its end for ever
        code = child.wait()
    finally:
        os.close(ours)
        signal.signal(signal.SIGINT, before)
    return (128 - code if code < 0 else code), kept.decode("utf-8", "replace")


def _like_a_terminal() -> tuple[int, int]:
    """Two ends of a terminal of the size of ours, so that a command shows its progress as it would without us."""
    import termios

    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # our own terminal does that to what comes out of it
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    size = os.get_terminal_size(2)
    termios.tcsetwinsize(theirs, (size.lines, size.columns))
    return ours, theirs


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""  # how a terminal tells that the other end is closed


def _keep(block: bytes, kept: bytearray, target: int) -> None:
    """Write a block on, and keep the end of all blocks."""
    kept += block
    if len(kept) > 2 * _KEPT_BYTES:
        del kept[:-_KEPT_BYTES]
    while block:
        block = block[os.write(target, block) :]


def _is_wanted() -> bool:
    """Ask the person at the terminal; where nobody sits at one, or reads along, the answer is no."""
    if not os.isatty(2):
        return False
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal:  # noqa: PTH123 (pathlib takes 10 ms to import)
            terminal.write(b"Explain this error? [Y/n] ")
            said = terminal.readline()
    except OSError:
        return False
    except KeyboardInterrupt:
        said = b""
    if not said.endswith(b"\n"):  # Ctrl-C or Ctrl-D
        sys.stderr.write("\n")
        return False
    return said.strip().lower() in (b"", b"y", b"yes")


def _nothing_to_explain() -> Refusal:
    return Refusal(
        2,
        "Nothing is piped in, and no command is named.",
        "For example: ask-nix-guru --explain-error -- sudo nixos-rebuild switch",
    )
