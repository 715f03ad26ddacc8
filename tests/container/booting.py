"""A container with a real systemd as PID 1, from its boot to its end, after which nothing of it is left.

It lives in namespaces of its own (mounts, processes, a network with loopback alone) and in memory; a keeper, which
outlives the tests if need be, sees to its end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.container.keeper import CGROUPS
from tests.container.processes import leader_below
from tests.stack.container import Container
from tests.stack.container_project import InstalledProject, lay_out
from tests.stack.environment import CHECKOUT
from tests.stack.errors import StackError, closing_lines

BOOT_SECONDS = 60.0
POWEROFF_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.05
_POWER_OFF, _REBOOT = 4, 5
"""What systemd takes the real-time signals of these numbers for."""

_NSPAWN = (
    "--boot",
    "--machine=machine",
    "--register=no",
    "--keep-unit",
    "--private-network",
    "--console=read-only",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    # So that IPAddressDeny= and DeviceAllow= are more than words: systemd loads programs into the kernel for them.
    "--capability=CAP_BPF,CAP_PERFMON",
    "--system-call-filter=bpf",
)
# What is shown while it boots is all there is to see when it does not come up.
_INIT = ("systemd.show_status=yes", "systemd.log_color=no")
_ENTER = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/")


class BootedContainer:
    """The container, from ``with`` to the end of its block.

    :param container: what it is made of.
    :param read_only: files and folders of this machine to be seen inside: where they are here, and there.
    """

    def __init__(self, container: Container, read_only: Mapping[Path, str] | None = None) -> None:
        self.container = container
        self.project: InstalledProject
        self.folder: Path
        """Where the container is on this machine while it is there; its control groups have the same name."""
        self.boot_seconds = 0.0
        self.leader = 0
        """The container's PID 1, as this machine numbers it."""
        self._read_only = dict(read_only or {})
        self._keeper: subprocess.Popen[str] | None = None
        self._console: IO[bytes] | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the container is there."""
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> None:
        """Boot, and return when systemd says that all that is to be started has been.

        :raises StackError: it does not come up; the end of its console is in the text.
        """
        if self.running:
            raise self.error("the container is already running")
        started = time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix="nix-trinity-container-"))
        try:
            (self.folder / "files").mkdir()
            self.project = lay_out(self.folder / "files")
            self._start_keeper()
            self._wait_until_booted()
        except BaseException:
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        self.boot_seconds = time.monotonic() - started

    def reboot(self) -> None:
        """Restart the machine: memory of this boot is lost, the file system stays.

        :raises StackError: it does not come up again.
        """
        before = self.leader
        os.kill(before, signal.SIGRTMIN + _REBOOT)
        deadline = time.monotonic() + POWEROFF_SECONDS
        while Path(f"/proc/{before}").exists():
            if time.monotonic() > deadline:
                raise self.error(f"the container does not go down within {POWEROFF_SECONDS:.0f} s", 40)
            time.sleep(LOOK_AGAIN_SECONDS)
        self._wait_until_booted()

    def stop(self) -> None:
        """Power off, or end it when that takes too long; may be called at any time and more than once."""
        if self.running and self.leader:
            with suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGRTMIN + _POWER_OFF)
            deadline = time.monotonic() + POWEROFF_SECONDS
            while self.running and time.monotonic() < deadline:
                time.sleep(LOOK_AGAIN_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the container at once, as a power failure would, and all that belongs to it."""
        self.leader = 0
        if self._keeper is not None:
            # The end of its standard input is what the keeper waits for.
            self._keeper.communicate()
            self._keeper = None
        if self._console is not None:
            self._console.close()
            self._console = None

    def enter(self) -> list[str]:
        """Return what a command is put behind to run inside.

        :raises StackError: the container is not there.
        """
        if not self.running or not self.leader:
            raise self.error("the container is not running")
        return ["nsenter", f"--target={self.leader}", *_ENTER, "--"]

    def console_tail(self, lines: int = 40) -> str:
        """Return the end of what was written to the container's console."""
        if self._console is None:
            return ""
        self._console.seek(0)
        return closing_lines(self._console.read().decode(errors="replace").replace("\r", "").rstrip(), lines)

    def error(self, text: str, lines: int = 10) -> StackError:
        """Return an error to raise, with so many lines from the end of the console."""
        tail = self.console_tail(lines)
        return StackError(f"{text.rstrip()}\nThe end of the container's console:\n{tail}" if tail else text.rstrip())

    def _start_keeper(self) -> None:
        """Start the process that owns the container; from here on it is the one to remove the folder."""
        nspawn = [*_NSPAWN, *(f"--bind-ro={here}:{there}" for here, there in self._read_only.items()), *_INIT]
        boot = ["/bin/sh", str(Path(__file__).with_name("boot.sh")), str(self.folder)]
        boot += [str(self.container.system.tar), str(self.container.python.tar), CGROUPS]
        log = self.folder / "console.log"
        with log.open("wb") as output:
            self._console = log.open("rb")
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "tests.container.keeper", str(self.folder), *boot, *nspawn],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                cwd=CHECKOUT,
                env={"PATH": os.environ.get("PATH", os.defpath), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                start_new_session=True,
            )
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        if not line:
            self._keeper.wait()
            raise self.error("the container cannot be started")
        self._pid = int(line)

    def _wait_until_booted(self) -> None:
        self.leader = 0
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise self.error("the container ended while it booted", 40)
            if leader := leader_below(self._pid):
                self.leader = leader
                state = self._systemctl("is-system-running", "--wait")
                if state == "running":
                    return
                if state in {"degraded", "maintenance"}:
                    failed = self._systemctl("list-units", "--failed", "--no-legend", "--plain")
                    raise self.error(f"the container is up, but {state}:\n{failed}", 40)
            time.sleep(LOOK_AGAIN_SECONDS)
        raise self.error(f"the container does not come up within {BOOT_SECONDS:.0f} s", 40)

    def _systemctl(self, *arguments: str) -> str:
        """Return what systemctl prints: nothing while there is no systemd yet to ask."""
        command = [*self.enter(), "systemctl", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=BOOT_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise self.error(f"the container does not come up within {BOOT_SECONDS:.0f} s", 40) from None
        return done.stdout.strip()
