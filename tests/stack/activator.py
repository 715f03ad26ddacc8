"""``python -m tests.stack.activator SOCKET COMMAND…``: holds a socket and starts the command again whenever it ends.

``systemd-socket-activate`` becomes the daemon at the first connection, so it cannot start a second one; a service
manager does. This is sd_listen_fds(3) as one does it, without needing to be process 1.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from types import FrameType


def main(path: str, command: list[str]) -> None:
    """Hold the socket until SIGTERM, which also ends the command."""
    child = 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if child:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    while True:
        select.select([listener], [], [])
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.dup2(listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": "nix-trinity.socket"}
            os.execv(command[0], command)
        os.waitpid(child, 0)
        child = 0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
