"""What every note in modelfiles/notes promises: its form, real options, triggers that fit real errors, Nix that parses."""

from __future__ import annotations

import json
import lzma
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tree_sitter_nix
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from nix_trinity.catalogue import modelfiles_dir

FOLDER = modelfiles_dir() / "notes"
FRONT = re.compile(r"\A\+\+\+\n(?P<meta>.*?)\n\+\+\+\n(?P<body>.*)\Z", re.DOTALL)
NIX_BLOCK = re.compile(r"^```nix\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
ATTRIBUTE = re.compile(r'"[^"]*"|<[^<>]+>|\*|[A-Za-z_][\w-]*')
NAME = re.compile(rf"(?:{ATTRIBUTE.pattern})(?:\.(?:{ATTRIBUTE.pattern}))*")
# What a module may set beside the options of NixOS itself: module syntax, Home Manager, sops-nix, agenix.
FOREIGN = {"imports", "options", "lib", "home-manager", "sops", "age"}
# Types whose attributes are free, so that options.json does not list them (the trap that the data's README names).
FREE = re.compile(
    r"^((null or )?\(?(lazy )?attribute set of|(JSON|TOML|YAML 1\.1|YAML) value|nixpkgs config)(?!.*of \(submodule\))"
)
PLAIN = re.compile(r"[A-Za-z_][\w'-]*")
MODULE_FUNCTION = re.compile(r"(lib\.)?(mk(If|Force|Default|Merge|Before|After|Override)|optionalAttrs)\b")
PARSER = Parser(Language(tree_sitter_nix.language()))


@dataclass(frozen=True)
class Note:
    name: str
    title: str
    triggers: list[str]
    asked: list[str]
    options: list[str]
    body: str


@dataclass
class Place:
    """A place in the tree of options: an option, a parent of options, or both."""

    option: str = ""
    type: str = ""
    children: dict[str, Place] = field(default_factory=dict)


def load(path: Path) -> Note:
    found = FRONT.match(path.read_text(encoding="utf-8"))
    assert found, f"{path.name} does not start with a +++ block"
    return Note(name=path.stem, body=found["body"].strip(), **tomllib.loads(found["meta"]))


def pattern(trigger: str) -> re.Pattern[str]:
    return re.compile("[^\n]*".join(re.escape(part) for part in trigger.split("*")), re.IGNORECASE)


def best(text: str) -> str | None:
    """The note whose trigger says most about this text: the one with the most literal characters."""
    fits = [(len(t.replace("*", "")), n.name) for n in NOTES for t in n.triggers if pattern(t).search(text)]
    return max(fits)[1] if fits else None


def attributes(name: str) -> list[str]:
    return [part.strip('"') for part in ATTRIBUTE.findall(name)]


def find(place: Place, path: list[str], top: Place, done: str = "") -> str | None:
    """The option's name as options.json writes it; '' for a mere parent of options; None for what does not exist."""
    if not path:
        return place.option
    wild = [key for key in place.children if key == "*" or key.startswith("<")]
    for key in [path[0], *wild]:
        if key in place.children and (found := find(place.children[key], path[1:], top)) is not None:
            return found
    if place.option and FREE.match(place.type):
        return ".".join([place.option, *(part if PLAIN.fullmatch(part) else f'"{part}"' for part in path)])
    if re.fullmatch(r"specialisation\.<name>\.configuration|virtualisation\.vmVariant", place.option):
        return find(top, path, top)
    return None


def parsed(code: str) -> Node:
    """The code as a tree; bare settings are read as the inside of a module."""
    whole = PARSER.parse(code.encode()).root_node
    return PARSER.parse(f"{{\n{code}\n}}".encode()).root_node if whole.has_error else whole


def settings(node: Node, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    """Each attribute path that a module sets, with the value's tree."""
    if node.type in {"source_code", "parenthesized_expression"}:
        yield from settings(node.named_children[-1], prefix)
    elif node.type in {"function_expression", "let_expression"} and not prefix:
        yield from settings(node.named_children[-1])
    elif node.type == "apply_expression" and MODULE_FUNCTION.match((node.text or b"").decode()):
        yield from settings(node.named_children[-1], prefix)
    elif node.type == "list_expression":
        for element in (child for child in node.named_children if child.type == "attrset_expression"):
            yield from settings(element, (*prefix, "*"))
    elif node.type == "attrset_expression":
        for bindings in (child for child in node.named_children if child.type == "binding_set"):
            for binding in (child for child in bindings.named_children if child.type == "binding"):
                path, value = binding.child_by_field_name("attrpath"), binding.child_by_field_name("expression")
                assert path
                assert value
                assert path.text
                here = (*prefix, *attributes(path.text.decode()))
                if value.type != "attrset_expression":
                    yield here, value
                yield from settings(value, here)


def is_module(code: str) -> bool:
    return not re.search(r"\boutputs =|^inputs\.|mkShell|buildFHSEnv", code, re.MULTILINE)


def named_options(note: Note, top: Place) -> tuple[set[str], set[str]]:
    """The options that a note's text and code name, and the names among them that no NixOS has."""
    known: set[str] = set()
    wrong: set[str] = set()
    paths = [
        list(path) for code in NIX_BLOCK.findall(note.body) if is_module(code) for path, _ in settings(parsed(code))
    ]
    for span in SPAN.findall(BLOCK.sub("", note.body)):
        text = span.split(" =")[0].strip()
        path = attributes(text)
        if NAME.fullmatch(text) and path[0] in top.children and not re.search(r"\.(conf|nix|service|target)$", text):
            paths += [path] if len(path) > 1 or top.children[path[0]].option else []
    for path in paths:
        path = path[1:] if path[0] == "config" else path
        if not path or path[0] in FOREIGN:
            continue
        found = find(top, path, top)
        if found is None:
            wrong.add(".".join(path))
        elif found:
            known.add(found)
    return known, wrong


NOTES = [load(path) for path in sorted(FOLDER.glob("*.md"))]
BY_NAME = pytest.mark.parametrize("note", NOTES, ids=lambda note: note.name)


# Real output of Nix 2.8 to 2.31, NixOS modules and tools, after the note that it should find; ↵ is a line end.
SAMPLES = """
infinite-recursion: error: infinite recursion encountered
attribute-missing: error: attribute 'gnome-tweaks' missing
special-args: error: attribute 'inputs' missing
undefined-variable:        error: undefined variable 'pkgs'
called-without-argument: error: function 'anonymous lambda' called with unexpected argument 'enableFoo'
set-expected: error: value is a function while a set was expected
set-expected: error: expected a list but found a set: { type = "derivation"; }
cannot-coerce: error: cannot coerce a set to a string: { a = 1; }
syntax-error: error: syntax error, unexpected '}', expecting ';'
attribute-already-defined: error: attribute 'environment.systemPackages' already defined at /etc/nixos/a.nix:8:3
attribute-already-defined: error: dynamic attribute 'alice' already defined at /etc/nixos/a.nix:8:3
option-does-not-exist: error: The option `services.openssh.enabled' does not exist. Definition values:
option-renamed-or-removed: evaluation warning: The option `hardware.opengl.enable' defined in `/etc/nixos/a.nix' has been renamed to `hardware.graphics.enable'.
option-renamed-or-removed: The option definition `sound' in `/etc/nixos/a.nix' no longer has any effect; please remove it.
option-wrong-type: error: A definition for option `networking.firewall.enable' is not of type `boolean'. Definition values:
conflicting-definitions: error: The option `time.timeZone' has conflicting definition values:
conflicting-definitions: error: The option `networking.hostName' is defined multiple times while it's expected to be unique.
option-has-no-value: error: The option `fileSystems./.device' was accessed but has no value defined. Try setting the option.
unsupported-module-attribute: error: Module `/etc/nixos/a.nix' has an unsupported attribute `services'.
unfree-package: error: Package ‘steam-1.0.0.81’ in /nix/store/x/steam.nix:9 has an unfree license (‘unfreeRedistributable’), refusing to evaluate.
unfree-package: error: Refusing to evaluate package 'steam-1.0' in /nix/store/x/steam.nix:9 because it has an unfree license (‘unfree’)
broken-package: error: Package ‘foo-1.0’ in /nix/store/x.nix:9 is marked as broken, refusing to evaluate.
insecure-package: error: Package ‘openssl-1.1.1w’ in /nix/store/x.nix:9 is marked as insecure, refusing to evaluate.
unsupported-system: error: Package ‘foo-1.0’ in /nix/store/x.nix:9 is not available on the requested hostPlatform:
package-renamed-or-removed: error: 'neofetch' has been renamed to/replaced by 'fastfetch'
package-collision: error: collision between `/nix/store/a-vim/bin/vim' and `/nix/store/b-vim/bin/vim'
package-collision: pkgs.buildEnv error: two given paths contain a conflicting subpath:
hash-mismatch: error: hash mismatch in fixed-output derivation '/nix/store/x-source.drv':
nixpkgs-not-in-search-path: error: file 'nixpkgs' was not found in the Nix search path (add it using $NIX_PATH or -I)
pure-evaluation: error: access to absolute path '/etc/nixos/a.nix' is forbidden in pure evaluation mode (use '--impure' to override)
file-not-tracked-by-git: error: Path 'new.nix' in the repository "/etc/nixos" is not tracked by Git.
file-not-tracked-by-git: error: getting status of '/nix/store/x-source/new.nix': No such file or directory
file-not-tracked-by-git: error: path '/nix/store/x-source/new.nix' does not exist
git-tree-dirty: warning: Git tree '/etc/nixos' is dirty
flake-attribute-not-provided: error: flake 'path:/etc/nixos' does not provide attribute 'nixosConfigurations."laptop"'
cached-failure: error: cached failure of attribute 'nixosConfigurations.laptop'
experimental-feature-disabled: error: experimental Nix feature 'nix-command' is disabled; add '--extra-experimental-features nix-command' to enable it
evaluation-warning: evaluation warning: alice: something will change in 26.05
state-version-not-set: evaluation warning: system.stateVersion is not set, defaulting to 25.05.
failed-assertions:        Failed assertions:
no-root-file-system: Failed assertions: ↵ - The ‘fileSystems’ option does not specify your root file system.
no-boot-loader: Failed assertions: ↵ - You must set the option ‘boot.loader.grub.devices’ or 'boot.loader.grub.mirroredBoots' to make the system bootable.
zfs-host-id: Failed assertions: ↵ - ZFS requires networking.hostId to be set
no-login-possible: Failed assertions: ↵ - Neither the root account nor any wheel user has a password or SSH authorized key.
locale-warning: bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8)
grub-install-failed: grub-install: error: will not proceed with blocklists.
grub-install-failed: cannot find a GRUB drive for /dev/sdb; check your device.map.
systemd-boot-esp: efiSysMountPoint = '/boot' is not a mounted partition. Is the path configured correctly?
boot-partition-full: OSError: [Errno 28] No space left on device: '/nix/store/x' -> '/boot/EFI/nixos/x.efi'
no-space-during-build: error: writing to file: No space left on device
builder-failed: error: builder for '/nix/store/x-foo.drv' failed with exit code 1;
builder-failed: error: Cannot build '/nix/store/x-foo.drv'. ↵        Reason: builder failed with exit code 1.
build-out-of-memory: g++: fatal error: Killed signal terminated program cc1plus
wrong-build-platform: error: a 'aarch64-linux' with features {} is required to build '/nix/store/x.drv', but I am a 'x86_64-linux' with features {kvm}
substituter-unavailable: warning: error: unable to download 'https://cache.nixos.org/x.narinfo': Could not connect to server (7)
ssl-certificate-problem: error: unable to download 'https://cache.nixos.org/nix-cache-info': SSL peer certificate or SSH remote key was not OK (60) SSL certificate problem: unable to get local issuer certificate
untrusted-user: warning: ignoring untrusted substituter 'https://x.cachix.org', you are not a trusted user.
dynamically-linked-program: Could not start dynamically linked executable: ./tool
dynamically-linked-program: bash: ./tool: cannot execute: required file not found
shared-library-missing: ImportError: libstdc++.so.6: cannot open shared object file: No such file or directory
command-not-found: zsh: command not found: rg
command-not-found-in-unit: fetch-start[812]: /nix/store/x-unit-script-fetch-start/bin/fetch-start: line 3: jq: command not found
service-exec-failed: myapp.service: Failed at step EXEC spawning /usr/bin/myapp: No such file or directory
service-exec-failed: Main process exited, code=exited, status=203/EXEC
units-failed-after-switch: warning: the following units failed: nginx.service
activation-script-failed: Activation script snippet 'users' failed (1)
read-only-etc: [ Error writing /etc/hosts: Read-only file system ]
port-blocked-by-firewall: curl: (28) Failed to connect to nas port 8080: Connection timed out
unable-to-resolve-host: sudo: unable to resolve host workshop: Name or service not known
firmware-missing: iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-so-a0-gf-a0-89.ucode failed with error -2
nvidia-driver: Failed to initialize NVML: Driver/library version mismatch
home-manager-clobbered: Existing file '/home/alice/.bashrc' would be clobbered
too-many-open-files: error: opening file '/nix/store/x': Too many open files
ssh-permission-denied: alice@server: Permission denied (publickey,keyboard-interactive).
suspend-and-hibernate: Call to Hibernate failed: Not enough suitable swap space for hibernation available on compatible block devices
postgresql-upgrade: FATAL:  database files are incompatible with server
repository-not-owned: error: repository path '/etc/nixos' is not owned by current user
git-missing-for-flakes: error: executing 'git': No such file or directory
wait-online-failed: warning: the following units failed: NetworkManager-wait-online.service
user-group-assertions: Failed assertions: ↵ - users.users.alice.group is unset. This used to default to
user-group-assertions: - users.users.alice.shell is set to zsh, but programs.zsh.enable is not true. This will cause the zsh
sudo-setuid: sudo: /nix/store/x-sudo/bin/sudo must be owned by uid 0 and have the setuid bit set
kernel-module-not-found: modprobe: FATAL: Module tun not found in directory /run/booted-system/kernel-modules/lib/modules/6.12.10
python-and-npm-packages: error: externally-managed-environment
compile-needs-library: src/main.c:1:10: fatal error: zlib.h: No such file or directory
qt-platform-plugin: qt.qpa.plugin: Could not find the Qt platform plugin "wayland" in ""
dconf-unavailable: GDBus.Error:org.freedesktop.DBus.Error.ServiceUnknown: The name ca.desrt.dconf was not provided by any .service files
gpg-pinentry: gpg: signing failed: No pinentry
store-corrupted: path '/nix/store/x-bash' was modified! expected hash 'sha256:a', got 'sha256:b'
nix-daemon-unreachable: error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused
package-own-program: error: hash '' does not include a type, nor is the type otherwise known from context
wayland-applications: Gtk-WARNING **: 10:00:00.000: cannot open display: :0
pure-evaluation: error: cannot look up '<nixpkgs>' in pure evaluation mode (use '--impure' to override)
git-tree-dirty: warning: Git tree '/etc/nixos' is dirty ↵ building the system configuration...
cannot-coerce: warning: Git tree '/etc/nixos' is dirty ↵ evaluation warning: old name ↵ error: cannot coerce a set to a string
failed-assertions: evaluation warning: old name ↵ error: ↵        Failed assertions: ↵        - a new one
package-collision: error: collision between `/nix/store/a/bin/x' and `/nix/store/b/bin/x' ↵ error: builder for '/nix/store/x.drv' failed with exit code 25;
no-space-during-build: cp: No space left on device ↵ error: builder for '/nix/store/x.drv' failed with exit code 1;
service-exec-failed: warning: the following units failed: a.service ↵ Process: 81 ExecStart=/usr/bin/a (code=exited, status=203/EXEC)
vpn-plugin-missing: The VPN service 'org.freedesktop.NetworkManager.openvpn' was not installed.
containers: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock
"""
ORDINARY = [
    "building the system configuration...\nactivating the configuration...\nsetting up /etc...\nreloading user units for alice...",
    "How do I enable the firewall and open a port for my web server?",
    "warum ist mein Rechner so langsam, und wie räume ich auf?",
    "updating GRUB 2 menu...\nthe following new units were started: sshd.service",
    "unpacking 'https://channels.nixos.org/nixos-25.05/nixexprs.tar.xz'...\ncopying 12 paths...",
    "{ pkgs, ... }: { services.openssh.enable = true; environment.systemPackages = [ pkgs.git ]; }",
    "",
]


@pytest.fixture(scope="module")
def top(data_dir: Path) -> Place:
    """The tree of the options of a real NixOS."""
    root = Place()
    with lzma.open(data_dir / "nixos-options.json.xz") as file:
        for name, option in json.load(file).items():
            place = root
            for part in attributes(name):
                place = place.children.setdefault(part, Place())
            place.option, place.type = name, str(option.get("type", ""))
    return root


def misfit(option_type: str, value: Node) -> str | None:
    """Why a value that is written out cannot be of the option's type; None where it may be."""
    text = (value.text or b"").decode()
    if option_type == "boolean" and value.type in {"string_expression", "list_expression", "integer_expression"}:
        return "is a boolean"
    if option_type == "boolean" and value.type == "variable_expression" and text not in {"true", "false"}:
        return "is a boolean"
    if option_type.startswith("list of") and value.type in {"string_expression", "integer_expression"}:
        return "is a list"
    if option_type in {"string", "package"} and value.type in {"list_expression", "integer_expression"}:
        return f"is a {option_type}"
    choices = re.fullmatch(r"(?:null or )?one of (.+)", option_type)
    if choices and value.type == "string_expression" and text not in choices[1].split(", "):
        return f"is one of {choices[1]}"
    return None


@BY_NAME
def test_a_note_has_the_agreed_form(note: Note) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", note.name)
    assert note.title == note.title.strip() != ""
    for texts in (note.triggers, note.asked, note.options):
        assert all(isinstance(text, str) and text.strip() for text in texts)
        assert len(set(texts)) == len(texts)
    assert len(note.asked) >= 2
    assert 60 <= len(note.body.split()) <= 220


@BY_NAME
def test_code_in_a_note_parses_and_every_block_is_closed(note: Note) -> None:
    assert not [code for code in NIX_BLOCK.findall(note.body) if parsed(code).has_error]
    assert "```" not in BLOCK.sub("", note.body), "a block is not closed"


@BY_NAME
def test_no_note_advises_to_install_imperatively(note: Note) -> None:
    assert not re.search(r"nix-env|\bapt(-get)?\b|nix-channel --upgrade|builtins\.currentSystem", note.body)


@BY_NAME
def test_a_note_names_no_secret_in_the_open(note: Note) -> None:
    """A password, key or token may be given by its file only: the store is readable by everybody."""
    code = "\n".join(NIX_BLOCK.findall(note.body))
    assert not re.search(r"\b(password|hashedPassword|psk|privateKey|token)\s*=\s*\"", code)


def test_titles_and_triggers_belong_to_one_note_each() -> None:
    titles = [note.title.casefold() for note in NOTES]
    triggers = [trigger.casefold() for note in NOTES for trigger in note.triggers]
    assert len(set(titles)) == len(titles) >= 70
    assert len(set(triggers)) == len(triggers)


@BY_NAME
def test_every_option_in_a_note_exists_in_a_real_nixos(note: Note, top: Place) -> None:
    known, wrong = named_options(note, top)
    assert not wrong
    assert set(note.options) == known, "the front matter lists exactly what the answer names"


@BY_NAME
def test_every_value_in_a_note_fits_the_option(note: Note, top: Place) -> None:
    types = {place.option: place.type for place in places(top)}
    for code in filter(is_module, NIX_BLOCK.findall(note.body)):
        for path, value in settings(parsed(code)):
            name = find(top, list(path), top)
            assert misfit(types.get(name or "", ""), value) is None, f"{name} = {(value.text or b'').decode()}"


def places(place: Place) -> Iterator[Place]:
    yield place
    for child in place.children.values():
        yield from places(child)


@pytest.mark.parametrize("sample", SAMPLES.strip().splitlines())
def test_a_pasted_error_finds_its_note(sample: str) -> None:
    name, line = sample.split(": ", 1)
    pasted = line.replace(" ↵ ", "\n")
    assert best(f"building the system configuration...\n{pasted}\n") == name


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_finds_no_note(text: str) -> None:
    assert best(text) is None


@given(st.text(alphabet=st.characters(exclude_characters="\n"), max_size=80), st.integers(min_value=0))
def test_a_star_stands_for_any_run_of_characters_within_one_line(filling: str, pick: int) -> None:
    starred = sorted({trigger for note in NOTES for trigger in note.triggers if trigger.count("*") == 1})
    trigger = starred[pick % len(starred)]
    assert pattern(trigger).search(trigger.replace("*", filling).upper() if filling.isascii() else trigger)
    assert not pattern(trigger).fullmatch(trigger.replace("*", f"{filling}\n{filling}"))
