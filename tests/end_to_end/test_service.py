"""The daemon as a service: what its manager sees, where it may write, what it leaves behind.

The letter and number in a test's docstring is the row of the list of faults that users of such systems met.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Self

import pytest

from tests.stack.daemon_process import BIN, ActivatedDaemon
from tests.stack.fake_ollama import BASE, FakeOllama, answers
from tests.stack.guarded import GuardedProcess
from tests.stack.waiting import eventually

NOWHERE = "http://127.0.0.1:1"
# A daemon whose event loop can be made to hang: Python runs a signal's handler in the loop's own thread.
HANGS_ON_SIGNAL = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(60))
from nix_trinity.daemon import main
main()
"""
# Neither a user nor a group of this number is known anywhere.
NOBODY_KNOWN = 61_234
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user, and mounting, need root")


class Manager:
    """As much of a service manager as a unit with Type=notify and WatchdogSec= sees (sd_notify(3))."""

    def __init__(self, daemon: ActivatedDaemon, *, watchdog_seconds: float, watchdog_pid: str = "$$") -> None:
        self.daemon = daemon
        self.watchdog_seconds = watchdog_seconds
        self.process: GuardedProcess
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(daemon.folder / "notify"))
        self._command = [
            "sh",
            "-c",
            f'WATCHDOG_PID={watchdog_pid} exec "$@"',
            "sh",
            *(str(BIN / "python"), "-c", HANGS_ON_SIGNAL, "--config", str(daemon.config)),
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        self._socket.close()

    def start(self) -> None:
        """Start the service."""
        told = {
            "NOTIFY_SOCKET": str(self.daemon.folder / "notify"),
            "WATCHDOG_USEC": str(int(self.watchdog_seconds * 1e6)),
        }
        self.process = GuardedProcess(self._command, environment={**os.environ, **told}, log=self.daemon.log)

    def told(self, seconds: float = 20.0) -> str:
        """Return the next thing that the daemon says; nothing when it says nothing for so long."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def pings(self, seconds: float) -> list[float]:
        """Return when the daemon fed the watchdog during the next ``seconds``."""
        until, times = time.monotonic() + seconds, []
        while (left := until - time.monotonic()) > 0:
            if self.told(left) == "WATCHDOG=1":
                times.append(time.monotonic())
        return times

    def restart_when_silent(self) -> None:
        """Wait until the daemon misses the watchdog's limit, end it as systemd does, and start it again."""
        while self.told(self.watchdog_seconds):
            pass
        os.kill(self.process.pid, signal.SIGABRT)
        self.process.stop()
        self.start()


@pytest.fixture
def engine() -> Iterator[FakeOllama]:
    with FakeOllama() as fake:
        yield fake


def test_the_watchdog_is_fed_in_time_also_during_a_long_answer(engine: FakeOllama, tmp_path: Path) -> None:
    """c21: READY when the socket accepts, pings at less than half the limit, STOPPING at the end."""
    daemon = ActivatedDaemon(tmp_path, ollama_url=engine.url, model=BASE)
    with Manager(daemon, watchdog_seconds=2.0) as manager, ThreadPoolExecutor(1) as person:
        while not (said := manager.told()).startswith("READY=1"):
            assert said == "WATCHDOG=1"
        assert daemon.json("GET", "/v1/status")["activated"] is False, "it accepts as soon as it says so"
        engine.chat = answers(*["word "] * 12, pause=0.3)
        answer = person.submit(daemon.ask, "what is a flake")
        times = manager.pings(3.5)
        assert not answer.done() or answer.result()["total_ms"] > 3000, "it took longer than the watchdog's limit"
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert len(gaps) >= 3
        assert max(gaps) < manager.watchdog_seconds / 2
        assert answer.result()["outcome"] == "answered"
        os.kill(manager.process.pid, signal.SIGTERM)
        while not (said := manager.told()).startswith("STOPPING=1"):
            assert said == "WATCHDOG=1"
        eventually(lambda: not manager.process.running)
    assert "Traceback" not in daemon.log.read_text()


def test_a_loop_that_hangs_feeds_no_watchdog_and_is_restarted(tmp_path: Path) -> None:
    """c21: the manager ends what has stopped to answer, and the next one answers."""
    daemon = ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE)
    with Manager(daemon, watchdog_seconds=1.0) as manager:
        eventually(lambda: manager.told() == "WATCHDOG=1")
        hanging = daemon.json("GET", "/v1/status")["pid"]
        assert hanging == manager.process.pid
        os.kill(hanging, signal.SIGUSR1)
        manager.restart_when_silent()
        while not manager.told().startswith("READY=1"):
            pass
        assert daemon.json("GET", "/v1/status")["pid"] == manager.process.pid != hanging


def test_a_disk_that_hangs_feeds_no_watchdog(tmp_path: Path) -> None:
    """c21: a ping says that the database answers too."""
    daemon = ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE)
    with Manager(daemon, watchdog_seconds=1.0) as manager:
        eventually(lambda: manager.told() == "WATCHDOG=1")
        syncing = "fsync,fdatasync"
        slow = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={syncing}"]
        slow += ["-e", f"inject={syncing}:delay_enter=3000000", "-p", str(manager.process.pid)]
        question = b'{"question": "what is a flake"}'
        head = f"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: {len(question)}\r\n\r\n"
        with subprocess.Popen(slow, stderr=subprocess.DEVNULL) as tracer, socket.socket(socket.AF_UNIX) as person:
            try:
                assert manager.pings(1.0), "being watched does not silence it"
                person.connect(str(daemon.socket))
                person.sendall(head.encode() + question)
                manager.pings(0.5)
                assert manager.pings(1.5) == []
            finally:
                tracer.kill()


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(tmp_path: Path) -> None:
    """c21: WATCHDOG_PID."""
    daemon = ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE)
    with Manager(daemon, watchdog_seconds=0.3, watchdog_pid="1") as manager:
        assert manager.told().startswith("READY=1")
        assert manager.pings(1.0) == []


def test_a_daemon_that_cannot_listen_does_not_say_that_it_is_ready(tmp_path: Path) -> None:
    """c21: READY only when the socket accepts."""
    daemon = ActivatedDaemon(tmp_path, ollama_url=NOWHERE, model=BASE)
    daemon.socket.write_text("mine")
    with Manager(daemon, watchdog_seconds=0.3) as manager:
        eventually(lambda: not manager.process.running)
        assert manager.told(0.2) == ""
    assert daemon.socket.read_text() == "mine"


# Runs a command as someone without an account, on a root that is read-only but for the given folders. The
# capability lets it read the interpreter and the product wherever a developer has them; it allows no writing.
NARROW = """
set -e
for folder in "$RUNTIME" "$STATE" "$TRACES"; do mount --bind "$folder" "$folder"; done
mount -o remount,bind,ro /
exec strace -f -y -qq --seccomp-bpf -o "$TRACES/trace" -e trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,\
unlink,unlinkat,link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,chown,fchownat,bind \
setpriv --reuid "$WHO" --regid "$WHO" --clear-groups --inh-caps=+dac_read_search --ambient-caps=+dac_read_search \
env -i PATH="$PATH" PYTHONDONTWRITEBYTECODE=1 "$@"
"""
WRITING = re.compile(r"^\d+ +(?!open)(\w+)\(|^\d+ +(open\w*)\(.*O_(?:WRONLY|RDWR|CREAT|TRUNC)")
PATHS = re.compile(r'(?:<([^>"]*)>, )?"([^"]+)"')


def written(trace: str) -> set[str]:
    """The paths that a process made, changed or opened for writing, or tried to."""
    paths: set[str] = set()
    for line in trace.splitlines():
        if WRITING.match(line):
            paths |= {os.path.normpath(Path(folder, name)) for folder, name in PATHS.findall(line.rpartition(" = ")[0])}
    return paths


@as_root
def test_it_needs_no_home_no_account_and_writes_only_its_own_folders(engine: FakeOllama) -> None:
    """c12: read-only root, HOME and XDG_* unset, a user id that nobody knows."""
    # Not pytest's own folder, into which only the developer may look.
    with tempfile.TemporaryDirectory(prefix="nt-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        daemon = ActivatedDaemon(folder, ollama_url=engine.url, model=BASE)
        runtime, traces = folder / "run", folder / "traces"
        runtime.mkdir()
        traces.mkdir()
        for own in (runtime, daemon.state):
            os.chown(own, NOBODY_KNOWN, NOBODY_KNOWN)
        daemon.config.write_text(daemon.config.read_text().replace(str(daemon.socket), str(runtime / "socket")))
        daemon.socket = runtime / "socket"
        places = {"RUNTIME": str(runtime), "STATE": str(daemon.state), "TRACES": str(traces), "WHO": str(NOBODY_KNOWN)}
        command = ["unshare", "--mount", "sh", "-c", NARROW, "sh", str(BIN / "nix-trinityd"), "--config"]
        service = GuardedProcess(
            [*command, str(daemon.config)],
            environment={"PATH": os.environ["PATH"], **places},
            log=daemon.log,
        )
        try:
            eventually(daemon.socket.exists)
            status = daemon.json("GET", "/v1/status")
            assert status["logging"]["state"] == "on"
            assert Path(f"/proc/{status['pid']}").stat().st_uid == NOBODY_KNOWN
            assert daemon.ask("what is a flake")["outcome"] == "answered"
            with daemon.request("GET", "/v1/backup") as backup:
                assert backup.read().startswith(b"SQLite format 3")
            os.kill(status["pid"], signal.SIGTERM)
            eventually(lambda: not service.running)
        finally:
            service.kill()
        assert "Traceback" not in daemon.log.read_text()
        paths = written((traces / "trace").read_text())
        assert str(daemon.state / "knowledge.db") in paths, "the tracer saw the daemon's own files"
        own_folders = (f"{daemon.state}/", f"{runtime}/", "/dev/null")
        assert {path for path in paths if not path.startswith(own_folders)} == set()


def test_a_daemon_does_not_outlive_a_test_run_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tests.stack.daemon_process import ActivatedDaemon\n"
        f"with ActivatedDaemon(Path({str(tmp_path)!r}), ollama_url={NOWHERE!r}, model='none', restarts=True) as d:\n"
        "    print(d.json('GET', '/v1/status')['pid'], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        run.kill()
    eventually(lambda: not Path(f"/proc/{pid}").exists())
