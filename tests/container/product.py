"""Our module's product on the booted machine, as one configuration has it, and gone again at the end."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomli_w

from tests.container.golden import GOLDEN, Golden
from tests.container.install import install
from tests.container.machine import Machine
from tests.stack.environment import CHECKOUT

STATE = "/var/lib/nix-trinity"
SOCKET = "/run/nix-trinity/socket"
USER = "nix-trinity"
DAEMON = "nix-trinity.service"
TOKEN_FILE = "/run/secrets/nix-trinity-token"
TOKEN = "c2l4dGVlbiBhbmQgbW9yZQ"
"""What is in that file, for configurations that have the TCP port."""

NO_ENGINE: dict[str, dict[str, Any]] = {"ollama": {"url": "http://127.0.0.1:9"}}
"""Changes a configuration to one whose Ollama never answers, whether there is one on the machine or not."""

SAMPLE_OPTIONS = (CHECKOUT / "tests/data/sample-options.json").read_text(encoding="utf-8")
_GIVEN = CHECKOUT / "tests/nix/configurations/files"
# Where a person's own drop-ins of this boot go; a golden's units are in /etc.
_DROP_INS = "/run/systemd/system"


def golden(name: str) -> Golden:
    """What the configuration of this name was rendered to."""
    return Golden(GOLDEN / name)


def changed(original: Golden, folder: Path, sections: Mapping[str, Mapping[str, Any]]) -> Golden:
    """Make a copy of a golden whose daemon's configuration says otherwise in these keys of these sections."""
    copy = folder / original.folder.name
    shutil.copytree(original.folder, copy)
    file = copy / "config.toml"
    config = tomllib.loads(file.read_text(encoding="utf-8"))
    for section, keys in sections.items():
        config.setdefault(section, {}).update(keys)
    file.write_text(tomli_w.dumps(config), encoding="utf-8")
    return Golden(copy)


@contextmanager
def product(
    machine: Machine,
    configuration: Golden,
    *,
    drop_ins: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> Iterator[Machine]:
    """Install a configuration where none is; afterwards its units, its files and what it kept are removed.

    :param drop_ins: what is added to a unit, by its name: what a test has to shorten, or to look from.
    :param files: further files that have to be there first, the text by its place.
    """
    # What other tests left there goes first: a socket, say, is refused while the daemon of before still runs.
    _remove(machine)
    try:
        for unit, text in (drop_ins or {}).items():
            machine.write(f"{_DROP_INS}/{unit}.d/test.conf", text)
        if TOKEN_FILE in (configuration.units()[DAEMON] or ""):
            machine.write(TOKEN_FILE, f"{TOKEN}\n", 0o600)
        install(machine, configuration, {**_named_by(configuration), **(files or {})})
        yield machine
    finally:
        _remove(machine)
        for name, user in configuration.users().items():
            if user["isNormalUser"]:
                machine.succeed(["userdel", name])


@contextmanager
def person(machine: Machine, name: str, group: str, *more: str) -> Iterator[str]:
    """Give somebody an account, with this primary group and these further ones, until the end of the block."""
    machine.succeed(["groupadd", "--force", group])
    machine.succeed(["useradd", "--create-home", "--gid", group, "--groups", ",".join(more), name])
    try:
        yield name
    finally:
        machine.succeed(["userdel", "--remove", name])


def _named_by(configuration: Golden) -> dict[str, str]:
    """What a configuration names and no golden holds: lists of options, and the files beside the configurations."""
    files = {"/etc/nix-trinity-test/options.json": SAMPLE_OPTIONS}
    for path in configuration.store_paths():
        if path.endswith("/options.json"):
            files[path] = SAMPLE_OPTIONS
        elif path.endswith("-nixos-manual-sources"):
            files[f"{path}/index.md"] = "# Manual\n\nA machine is described in configuration.nix.\n"
        elif (given := _GIVEN / path.partition("-")[2]).is_file():
            files[path] = given.read_text(encoding="utf-8")
        elif given.is_dir():
            files |= {f"{path}/{file.name}": file.read_text(encoding="utf-8") for file in given.iterdir()}
    return files


def _remove(machine: Machine) -> None:
    machine.succeed("systemctl stop 'nix-trinity*'")
    machine.succeed(
        f"rm -rf {_DROP_INS}/nix-trinity* /etc/systemd/system/nix-trinity* /etc/systemd/system/*.wants/nix-trinity*"
        f" /etc/nix-trinity /etc/nix-trinity-test {STATE} {Path(SOCKET).parent} {TOKEN_FILE}"
        " /etc/polkit-1/rules.d/*-nixos.rules /etc/tmpfiles.d/*-nixos.conf"
    )
    machine.succeed("systemctl daemon-reload; systemctl reset-failed; systemctl try-restart polkit.service")
