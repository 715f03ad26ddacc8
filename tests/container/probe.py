"""Run by a unit's own ExecStartPre=, so in its very sandbox: what can be done there, as one line of JSON.

It stands by itself, since the machine has it without the rest of this folder.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

MARK = "what-the-probe-wrote"
_CLONE_NEWUSER = 0x10000000


def writable() -> list[str]:
    """Return the topmost folders in which something can be made; /proc and /sys hold no files of anybody's."""
    found = []
    for folder, below, _ in os.walk("/"):
        if folder in {"/proc", "/sys"}:
            below.clear()
        elif os.access(folder, os.W_OK):
            found.append(folder)
            below.clear()
    return sorted(found)


def outcome(act: Callable[[], object]) -> str:
    """Return "done", or the name of the error's number."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def new_namespace() -> None:
    """Become root of a namespace of one's own. Python has it from 3.12 on, and this is checked for an older one too."""
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def write_and_run(folder: str) -> None:
    """Write a program into a folder and run it; it stays there."""
    program = Path(folder, MARK)
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o700)
    child = os.fork()
    if child == 0:
        try:
            os.execv(program, [str(program)])
        except OSError as error:
            os._exit(error.errno or 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def send_to(address: str) -> Callable[[], object]:
    """Send a datagram, which nobody need receive."""

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"x", (address, 9))

    return send


def main(arguments: list[str]) -> None:
    """Print what came of each attempt; the arguments are addresses to send to."""
    folders = writable()
    print(
        "PROBE",
        json.dumps(
            {
                "writable": folders,
                "run": {folder: outcome(partial(write_and_run, folder)) for folder in folders},
                "send": {address: outcome(send_to(address)) for address in arguments},
                "home": outcome(lambda: list(Path("/home").iterdir())),
                "root's home": outcome(lambda: list(Path("/root").iterdir())),
                "other processes": Path("/proc/1").exists(),
                "a new namespace": outcome(new_namespace),
                "raw packets": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()),
                "system bus": outcome(lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket")),
                "memory": outcome(lambda: Path("/proc/meminfo").read_bytes()),
                "pressure": outcome(lambda: Path("/proc/pressure/memory").read_bytes()),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
