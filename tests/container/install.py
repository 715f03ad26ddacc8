"""What a switch to a NixOS configuration with our module does, on the booted machine: from a golden folder."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tests.container.golden import Golden
from tests.container.machine import Machine
from tests.stack.container_python import STORE
from tests.stack.errors import StackError

UNITS = "/etc/systemd/system"
_POLKIT = "/etc/polkit-1/rules.d/10-nixos.rules"
_TMPFILES = "/etc/tmpfiles.d/00-nixos.conf"
_STATIC = f"/{STORE}-etc"
# What every NixOS has.
_GROUPS = ("users", "wheel")
# Data of NixOS alone, which nothing here reads.
_NOT_READ = "/lib/locale/locale-archive"
_STARTED_BY_BOOT = ("sockets.target", "timers.target", "paths.target", "multi-user.target")


def install(machine: Machine, golden: Golden, files: Mapping[str, str] | None = None) -> None:
    """Bring a configuration onto the machine and start what a boot would start; may be repeated with another one.

    :param files: files that the configuration refers to and that no golden holds, such as the list of options:
        the text by its place.
    :raises StackError: something is refused, or the configuration names a place in the store with nothing there.
    """
    for path, text in (files or {}).items():
        machine.write(path, text)
    for path, file in golden.store():
        machine.write(path, file.text, file.mode)
    _stand_in(machine, golden)
    _check(machine, golden)
    _accounts(machine, golden)
    _etc(machine, golden)
    _units(machine, golden)
    machine.write(_TMPFILES, golden.tmpfiles())
    machine.write(_POLKIT, golden.polkit())
    # Tests install more often than systemd lets a service be started in a moment; a machine does so once a switch.
    machine.succeed("systemctl reset-failed polkit.service; systemctl try-restart polkit.service")
    machine.succeed(["systemd-tmpfiles", "--create", _TMPFILES])
    machine.succeed(["systemctl", "daemon-reload"])
    start = [unit for target in _STARTED_BY_BOOT for unit in golden.links().get(f"{target}.wants", [])]
    if start:
        machine.succeed(["systemctl", "start", *start])


def _stand_in(machine: Machine, golden: Golden) -> None:
    """Let packages of nixpkgs that Debian has as well be found where the golden expects them."""
    packages = {parts[:4] for path in golden.store_paths() if len(parts := PurePosixPath(path).parts) > 4}
    for package in sorted(str(PurePosixPath(*parts)) for parts in packages):
        link = f"mkdir {package} && ln -s /usr/bin /usr/sbin /usr/share {package}"
        machine.succeed(f"[ -e {package} ] || {{ {link}; }}")


def _check(machine: Machine, golden: Golden) -> None:
    paths = sorted(path for path in golden.store_paths() if not path.endswith(_NOT_READ))
    missing = machine.succeed(f"for path in {shlex.join(paths)}; do [ -e $path ] || echo $path; done").split()
    if missing:
        raise StackError(f"{golden.folder.name} refers to what is not on the machine:\n    " + "\n    ".join(missing))


def _accounts(machine: Machine, golden: Golden) -> None:
    lines = [f"g {group}" for group in _GROUPS]
    for name, group in golden.groups().items():
        lines.append(f"g {name} {_or_dash(group.get('gid'))}")
        lines += [f"m {member} {name}" for member in group["members"]]
    for name, user in golden.users().items():
        shell = "/bin/bash" if user["isNormalUser"] else "/usr/sbin/nologin"
        account = f"{_or_dash(user.get('uid'))}:{user['group'] or 'users'}"
        lines.append(f'u {name} {account} "{user["description"]}" {user["home"]} {shell}')
        lines += [f"m {name} {extra}" for extra in user["extraGroups"]]
    machine.succeed(["systemd-sysusers", "-"], input="".join(f"{line}\n" for line in lines))
    for name, user in golden.users().items():
        if user["createHome"]:
            machine.succeed(["install", "--directory", f"--mode={user['homeMode']}", f"--owner={name}", user["home"]])


def _or_dash(number: Any) -> str:
    return "-" if number is None else str(number)


def _etc(machine: Machine, golden: Golden) -> None:
    """As NixOS does: the files in a folder that is swapped as a whole, and a link to each, made anew every time."""
    files = golden.etc()
    generation = f"{_STATIC}-{machine.succeed('cat /proc/sys/kernel/random/uuid').strip()}"
    for path, file in files.items():
        machine.write(f"{generation}{path.removeprefix('/etc')}", file.text)
    machine.succeed(["mkdir", "-p", generation])
    _link(machine, generation, "/etc/static")
    for path, file in files.items():
        if file.mode == 0o644:
            _link(machine, f"/etc/static{path.removeprefix('/etc')}", path)
        else:
            machine.write(path, file.text, file.mode)


def _link(machine: Machine, target: str, path: str) -> None:
    machine.succeed(["mkdir", "-p", str(Path(path).parent)])
    machine.succeed(f"ln -sfn {target} {path}.tmp && mv -T {path}.tmp {path}")


def _units(machine: Machine, golden: Golden) -> None:
    """Put the units in place; ours of a configuration before go."""
    machine.succeed(f"find {UNITS} -name 'nix-trinity*' -delete")
    for name, text in golden.units().items():
        if text is None:
            machine.succeed(["ln", "-s", "/dev/null", f"{UNITS}/{name}"])
        else:
            machine.write(f"{UNITS}/{name}", text)
    for folder, units in golden.links().items():
        machine.succeed(["mkdir", "-p", f"{UNITS}/{folder}"])
        for unit in units:
            machine.succeed(["ln", "-sfn", f"../{unit}", f"{UNITS}/{folder}/{unit}"])
