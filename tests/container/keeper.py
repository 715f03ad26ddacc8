"""A process between the tests and the container that leaves nothing behind, however either of them ends.

Run as ``python -m tests.container.keeper FOLDER COMMAND…``. It starts the command (boot.sh and its arguments) in
namespaces of its own under the stack's guardian: when the command ends, or when standard input closes, which the
kernel does for us when our parent dies in whatever way, all processes are ended. Then it removes the container's
control groups, which have its folder's name, and the folder. ``{cgroups}`` in the command becomes the folders of these groups.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.container.cgroups import own_groups
from tests.stack.errors import StackError
from tests.stack.guardian import guard

# --kill-child: the first process inside dies with unshare, and with it all others there.
NAMESPACES = ("unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
CGROUPS = "{cgroups}"


def keep(folder: Path, command: Sequence[str]) -> None:
    """Run the command to its end, or to ours."""
    try:
        with own_groups(folder.name) as groups:
            named = " ".join(map(str, groups))
            guard([*NAMESPACES, *(named if part == CGROUPS else part for part in command)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    try:
        keep(Path(sys.argv[1]), sys.argv[2:])
    except StackError as problem:
        sys.exit(str(problem))
