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
from nix_trinity.host.activation import Inherited, inherited_sockets, own_listener
from nix_trinity.host.loopback import own_loopback
from nix_trinity.host.token import read_token

BIN = Path(sys.executable).parent
EX_CONFIG = 78
# What a child of the daemon would find: the variables, and whether descriptor 3 is open.
SEEN_BY_A_CHILD = """
import os, subprocess, sys
from nix_trinity.host.activation import inherited_sockets
listener = inherited_sockets(os.environ).unix
print(listener is not None and listener.activated, flush=True)
subprocess.run([sys.executable, "-c", "import os; print([n for n in os.environ if n.startswith('LISTEN_')]);"
    "print(os.path.exists('/proc/self/fd/3'))"], close_fds=False)
"""

# Which descriptors a program takes for what.
TAKEN = """
import os
from nix_trinity.host.activation import inherited_sockets
found = inherited_sockets(os.environ)
print(found.unix and found.unix.socket.fileno(), [one.fileno() for one in found.http])
"""
HANDED_OVER = "import sys; from tests.stack.holder import hand_over; hand_over(eval(sys.argv[1]), sys.argv[2].split(':'), sys.argv[3:])"
ROOT = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef"


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


def handed_over(descriptors: list[int], names: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that has these descriptors from its number 3 on, by these names."""
    return subprocess.run(
        [sys.executable, "-c", HANDED_OVER, repr(descriptors), names, *command],
        pass_fds=descriptors,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def daemon_for(folder: Path, more: str = "") -> list[str]:
    """The daemon with a socket of its own in ``folder``, should it come to that."""
    config = folder / "config.toml"
    config.write_text(f'[daemon]\nsocket = "{folder / "socket"}"\n[state]\ndirectory = "{folder}"\n{more}\n')
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
    assert inherited_sockets(environment) == Inherited()
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("count", ["", "0", "-1", "one", "1.5", "0x1"])
def test_no_descriptors_is_no_socket(count: str) -> None:
    environment = {"LISTEN_FDS": count, "LISTEN_PID": str(os.getpid())}
    assert inherited_sockets(environment) == Inherited()
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


def has_ipv6() -> bool:
    try:
        with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)):
            return True
    except OSError:
        return False


with_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


def listening_on(address: str, family: socket.AddressFamily = socket.AF_INET) -> Callable[[Path], int]:
    return lambda _folder: socket.create_server((address, 0), family=family).detach()


def silent_tcp(_folder: Path) -> int:
    made = socket.socket(socket.AF_INET)
    made.bind(("127.0.0.1", 0))
    return made.detach()


def udp(_folder: Path) -> int:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made.detach()


def token_file(folder: Path) -> str:
    (folder / "token").write_text(TOKEN)
    return f'[http]\ntoken_file = "{folder / "token"}"'


@pytest.mark.parametrize(
    ("make", "names"),
    [
        pytest.param(listening_on("0.0.0.0"), "0.0.0.0:", id="all of IPv4"),
        pytest.param(listening_on("::", socket.AF_INET6), "[::]:", id="all of IPv6", marks=with_ipv6),
        pytest.param(silent_tcp, "listening: False", id="not listening"),
        pytest.param(udp, "SOCK_DGRAM", id="UDP"),
        pytest.param(good, "AF_UNIX", id="a Unix socket"),
        pytest.param(regular_file, "not a socket", id="a file"),
    ],
)
def test_what_is_named_http_and_could_be_reached_by_others_is_refused(
    make: Callable[[Path], int], names: str, tmp_path: Path
) -> None:
    descriptor = make(tmp_path)
    try:
        done = handed_over([descriptor], "http", daemon_for(tmp_path, token_file(tmp_path)))
    finally:
        os.close(descriptor)
    assert_refused(done, names)
    assert "Descriptor 3" in done.stderr
    assert "ListenStream=" in done.stderr


def test_a_port_without_a_token_is_refused(tmp_path: Path) -> None:
    descriptor = over_tcp(tmp_path)
    try:
        done = handed_over([descriptor], "http", daemon_for(tmp_path))
    finally:
        os.close(descriptor)
    assert_refused(done, "http.token_file")
    assert "services.nixTrinity.httpTokenFile" in done.stderr


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ("nix-trinity.socket:http", "3 [4]"),
        ("http:nix-trinity.socket", "4 [3]"),
        ("http:http:nix-trinity.socket", "5 [3, 4]"),
        ("http:http", "None [3, 4]"),
        ("http:unknown", "4 [3]"),
        ("nix-trinity.socket", "3 []"),
    ],
)
def test_each_socket_is_known_by_its_name(names: str, taken: str, tmp_path: Path) -> None:
    """Which units are active varies, and their order with it."""
    unix = good(tmp_path)
    made = [over_tcp(tmp_path) if name == "http" else unix for name in names.split(":")]
    try:
        done = handed_over(made, names, [sys.executable, "-c", TAKEN])
    finally:
        for descriptor in {unix, *made}:
            os.close(descriptor)
    assert done.stdout.strip() == taken, done.stderr


def test_two_sockets_without_a_name_are_refused(tmp_path: Path) -> None:
    made = [good(tmp_path), over_tcp(tmp_path), over_tcp(tmp_path)]
    try:
        done = handed_over(made, "one:two:http", daemon_for(tmp_path))
    finally:
        for descriptor in made:
            os.close(descriptor)
    assert_refused(done, "2 sockets and none is named nix-trinity.socket")


def test_a_name_more_than_there_are_descriptors_is_no_descriptor(tmp_path: Path) -> None:
    unix = good(tmp_path)
    try:
        done = handed_over([unix], "other:nix-trinity.socket:http", [sys.executable, "-c", TAKEN])
    finally:
        os.close(unix)
    assert done.stdout.strip() == "3 []", done.stderr


def written(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        pytest.param(lambda _path: None, "No such file", id="missing"),
        pytest.param(folder_of_ones_own, "no regular file", id="a folder"),
        pytest.param(named_pipe, "no regular file", id="a pipe that nobody writes to"),
        pytest.param(written(b""), "is empty", id="empty"),
        pytest.param(written(b" \n"), "is empty", id="white space"),
        pytest.param(written(b"  hunter2hunter2\n"), "14 characters", id="short"),
        pytest.param(written(b"hunter2 hunter2 hunter2"), "one line of ASCII", id="spaces"),
        pytest.param(written(b"hunter2hunter2\nhunter2hunter2"), "one line of ASCII", id="two lines"),
        pytest.param(written("hünter2hünter2hünter2".encode()), "one line of ASCII", id="not ASCII"),
        pytest.param(written(b"hunter2" * 1000), "4096 bytes", id="a whole file"),
    ],
)
def test_a_token_that_cannot_be_used_is_refused_without_being_shown(
    make: Callable[[Path], object], names: str, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    make(path)
    with pytest.raises(ConfigError) as caught:
        read_token(str(path), {})
    assert names in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert "nter2" not in str(caught.value)


def test_a_token_is_taken_from_its_file_or_from_systemds_credentials(tmp_path: Path) -> None:
    (tmp_path / "http-token").write_text(f"\n {TOKEN}\n")
    assert read_token(str(tmp_path / "http-token"), {}) == TOKEN.encode()
    assert read_token("http-token", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == TOKEN.encode()
    with pytest.raises(ConfigError, match="LoadCredential=http-token"):
        read_token("http-token", {})
    with pytest.raises(ConfigError, match="no regular file"):
        read_token("..", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_a_bad_token_ends_the_daemon_at_its_start(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2")
    more = f'[http]\nport = 1\ntoken_file = "{tmp_path / "token"}"'
    done = started_with(None, daemon_for(tmp_path, more), pid="1")
    assert_refused(done, f"{tmp_path / 'token'} holds a token of 7 characters")
    assert "hunter2" not in done.stderr
    assert not (tmp_path / "socket").exists()


def test_a_port_in_use_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as caught, own_loopback(port):
            pass
    assert f"http.port: port {port} of 127.0.0.1" in caught.value.message
    assert caught.value.keys == ("http.port",)


@with_ipv6
def test_a_port_that_another_has_on_the_other_address_is_not_shared() -> None:
    """A program that tries ::1 first would hand it the token."""
    with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as caught, own_loopback(port):
            pass
    assert f"http.port: port {port} of ::1" in caught.value.message
    with closing(socket.create_server(("127.0.0.1", port))):
        pass
