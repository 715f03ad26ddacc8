"""The listening socket: inherited as sd_listen_fds(3) says, or made, and never anyone else's."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nix_trinity.errors import ConfigError
from nix_trinity.host.activation import inherited_listener, own_listener

BIN = Path(sys.executable).parent
EX_CONFIG = 78
# What a child of the daemon would find: the variables, and whether descriptor 3 is open.
SEEN_BY_A_CHILD = """
import os, subprocess, sys
from nix_trinity.host.activation import inherited_listener
listener = inherited_listener(os.environ)
print(listener is not None and listener.activated, flush=True)
subprocess.run([sys.executable, "-c", "import os; print([n for n in os.environ if n.startswith('LISTEN_')]);"
    "print(os.path.exists('/proc/self/fd/3'))"], close_fds=False)
"""


def started_with(
    descriptor: int | None, command: list[str], *, count: str = "1", pid: str = "$$", seconds: float = 30
) -> subprocess.CompletedProcess[str]:
    """Run a command that has the descriptor as its number 3, as a service manager passes it."""
    # By way of standard input, since a shell need not know descriptors of two digits.
    passing = "3<&-" if descriptor is None else "3<&0 0</dev/null"
    return subprocess.run(
        ["sh", "-c", f'LISTEN_FDS={count} LISTEN_PID={pid} exec "$@" {passing}', "sh", *command],
        stdin=subprocess.DEVNULL if descriptor is None else descriptor,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def daemon_for(folder: Path) -> list[str]:
    """The daemon with a socket of its own in ``folder``, should it come to that."""
    config = folder / "config.toml"
    config.write_text(f'[daemon]\nsocket = "{folder / "socket"}"\n[state]\ndirectory = "{folder}"\n')
    return [str(BIN / "nix-trinityd"), "--config", str(config)]


def assert_refused(done: subprocess.CompletedProcess[str], names: str) -> None:
    assert done.returncode == EX_CONFIG, done.stderr
    problem, remedy = done.stderr.splitlines()
    assert problem.startswith("error: ")
    assert names in problem
    assert remedy.strip()


def regular_file(folder: Path) -> int:
    return os.open(folder / "file", os.O_RDWR | os.O_CREAT)


def pipe_end(_folder: Path) -> int:
    read, write = os.pipe()
    os.close(write)
    return read


def datagram(folder: Path) -> int:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(folder / "datagram"))
    return made.detach()


def of_packets(folder: Path) -> int:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.bind(str(folder / "packets"))
    made.listen()
    return made.detach()


def not_listening(folder: Path) -> int:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(folder / "silent"))
    return made.detach()


def over_tcp(_folder: Path) -> int:
    made = socket.create_server(("127.0.0.1", 0))
    return made.detach()


def good(folder: Path) -> int:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(folder / "given"))
    made.listen()
    return made.detach()


@pytest.mark.parametrize("make", [regular_file, pipe_end, datagram, of_packets, not_listening, over_tcp])
def test_a_descriptor_that_is_not_the_daemons_socket_is_refused(make: Callable[[Path], int], tmp_path: Path) -> None:
    descriptor = make(tmp_path)
    try:
        assert_refused(started_with(descriptor, daemon_for(tmp_path)), "Descriptor 3")
    finally:
        os.close(descriptor)
    assert not (tmp_path / "socket").exists()


@pytest.mark.parametrize("make", [None, good], ids=["none at all", "fewer than promised"])
def test_a_descriptor_that_is_not_open_is_refused(make: Callable[[Path], int] | None, tmp_path: Path) -> None:
    descriptor = make(tmp_path) if make else None
    try:
        assert_refused(started_with(descriptor, daemon_for(tmp_path), count="2" if make else "1"), "escriptor")
    finally:
        if descriptor is not None:
            os.close(descriptor)


def test_a_child_inherits_neither_the_variables_nor_the_socket(tmp_path: Path) -> None:
    """c22: what is the daemon's is not its children's."""
    descriptor = good(tmp_path)
    try:
        done = started_with(descriptor, [sys.executable, "-c", SEEN_BY_A_CHILD])
        other = started_with(descriptor, [sys.executable, "-c", SEEN_BY_A_CHILD], pid="1")
    finally:
        os.close(descriptor)
    assert done.stdout.splitlines() == ["True", "[]", "False"], done.stderr
    adopted, variables, _ = other.stdout.splitlines()
    assert (adopted, variables) == ("False", "[]"), "what is meant for another process is not adopted"


@given(st.text(), st.text(), st.text())
def test_variables_for_another_process_are_dropped_unread(count: str, pid: str, names: str) -> None:
    if pid == str(os.getpid()):
        return
    environment = {"LISTEN_FDS": count, "LISTEN_PID": pid, "LISTEN_FDNAMES": names, "HOME": "/"}
    assert inherited_listener(environment) is None
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("count", ["", "0", "-1", "one", "1.5", "0x1"])
def test_no_descriptors_is_no_socket(count: str) -> None:
    environment = {"LISTEN_FDS": count, "LISTEN_PID": str(os.getpid())}
    assert inherited_listener(environment) is None
    assert environment == {}


def test_a_stale_socket_is_replaced_and_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    with own_listener(str(path)) as listener:
        assert not listener.activated
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.connect(str(path))
    assert not path.exists()


def test_a_socket_in_use_is_left_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with closing(socket.socket(socket.AF_UNIX)) as owner, closing(socket.socket(socket.AF_UNIX)) as client:
        owner.bind(str(path))
        owner.listen()
        inode = path.stat().st_ino
        assert_refused(started_with(None, daemon_for(tmp_path), pid="1"), str(path))
        assert path.stat().st_ino == inode
        client.connect(str(path))


def test_a_socket_whose_owner_hangs_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with closing(socket.socket(socket.AF_UNIX)) as owner, closing(socket.socket(socket.AF_UNIX)) as client:
        owner.bind(str(path))
        owner.listen(0)
        client.connect(str(path))
        assert_refused(started_with(None, daemon_for(tmp_path), pid="1", seconds=3), str(path))


def file_of_ones_own(path: Path) -> None:
    path.write_text("mine")


def link_to_a_file(path: Path) -> None:
    (path.parent / "mine").write_text("mine")
    path.symlink_to(path.parent / "mine")


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


def folder_of_ones_own(path: Path) -> None:
    path.mkdir()


def named_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    "make",
    [file_of_ones_own, link_to_a_file, link_to_nothing, folder_of_ones_own, named_pipe],
)
def test_what_is_not_a_socket_is_never_removed(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "socket"
    make(path)
    before = path.lstat()
    with pytest.raises(ConfigError) as caught, own_listener(str(path)):
        pass
    assert str(path) in caught.value.message
    assert caught.value.hint
    after = path.lstat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    if make in {file_of_ones_own, link_to_a_file}:
        assert path.read_text() == "mine"


def test_a_socket_that_another_put_in_our_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with closing(socket.socket(socket.AF_UNIX)) as other:
        with own_listener(str(path)):
            path.unlink()
            other.bind(str(path))
        assert path.is_socket()


@pytest.mark.parametrize(
    ("path", "group", "names"),
    [("missing/socket", "", "cannot be made"), ("socket", "no-such-group", "no-such-group")],
)
def test_a_socket_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path, path: str, group: str, names: str) -> None:
    with pytest.raises(ConfigError) as caught, own_listener(str(tmp_path / path), group=group):
        pass
    assert names in caught.value.message
    assert list(tmp_path.iterdir()) == []
