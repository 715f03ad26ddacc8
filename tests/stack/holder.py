"""``python -m tests.stack.holder NAME=ADDRESS… -- COMMAND…``: holds sockets as the units of a service do.

Whenever somebody comes to any of them, the command is started with all of them, as sd_listen_fds(3) says, and started again
after it has ended. An address is a path, or address:port.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import sys
from types import FrameType

_OUT_OF_THE_WAY = 100


def main(arguments: list[str]) -> None:
    """Hold the sockets until SIGTERM, which also ends the command."""
    end = arguments.index("--")
    given = [argument.partition("=")[::2] for argument in arguments[:end]]
    listeners = [_listener(address) for _, address in given]
    child = 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if child:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    while True:
        select.select(listeners, [], [])
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            hand_over([one.fileno() for one in listeners], [name for name, _ in given], arguments[end + 1 :])
        os.waitpid(child, 0)
        child = 0


def hand_over(descriptors: list[int], names: list[str], command: list[str]) -> None:
    """Become the command, with these descriptors from 3 on."""
    for number, descriptor in enumerate([fcntl.fcntl(one, fcntl.F_DUPFD, _OUT_OF_THE_WAY) for one in descriptors]):
        os.dup2(descriptor, 3 + number)
        os.close(descriptor)
    os.environ |= {
        "LISTEN_FDS": str(len(descriptors)),
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDNAMES": ":".join(names),
    }
    os.execv(command[0], command)


def _listener(address: str) -> socket.socket:
    if address.startswith("/"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen(128)
        return listener
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family)


if __name__ == "__main__":
    main(sys.argv[1:])
