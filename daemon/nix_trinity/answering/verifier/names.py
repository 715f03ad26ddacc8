"""Find option names in prose, and tell them apart from the other dotted things that people write.

Not taken for options: URLs, hosts, e-mail addresses, file names, versions, systemd units and manual pages, kernel
parameters, calls and attributes of programming languages, `pkgs.…`, `lib.…`, flake inputs, D-Bus names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from nix_trinity.knowledge.option_tree import OptionTree, is_placeholder, split_name
from nix_trinity.knowledge.options import Path


def _set_of(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ATTRIBUTE = (
    r'(?:[A-Za-z_][A-Za-z0-9_-]{0,100}|"[^"\n]{1,200}"|<[^<>\n]{1,60}>|\*|\$\{[^{}\n]{1,80}\}|\{[A-Za-z_-]{1,40}\})'
)
_NAME = re.compile(rf"(?<![A-Za-z0-9_./@#$~\\%&+-])[A-Za-z_][A-Za-z0-9_-]{{0,100}}(?:\.{_ATTRIBUTE})+(?![A-Za-z0-9_])")
# Blanked before names are looked for. A name may be followed by a dot, but not by what makes it part of these.
_ELSEWHERE = re.compile(
    r"[a-z][a-z0-9+.-]{1,20}://[^\s<>\"`)\]]{1,2000}|[\w.+-]{1,100}@[\w-]{1,100}(?:\.[\w-]{1,100}){1,8}"
)
_AFTER_OTHERS = re.compile(r"\(|/|@|:\d|://|\\")
_FILES: Final = _set_of(
    "nix lock conf cfg js toml json yaml yml xml ini md txt html htm css ts jsx tsx py sh bash zsh fish rs go c h cpp"
    " hpp java rb pl lua sql db sqlite log pem crt key age gpg asc pub zip gz xz zst tar tgz iso img qcow2 vmdk raw ko"
    " efi png jpg jpeg svg gif webp ico pdf desktop rules d so patch diff drv nar el vim tf csv bin old bak orig rst scr dtb"
)
_UNITS: Final = _set_of(
    "service socket timer target mount automount swap slice scope path device network netdev link nspawn"
)
_DOMAINS: Final = _set_of("com org net io dev edu gov info app sh xyz me de fr uk eu nl it es ch at jp cn ru br us")
_MANUALS: Final = _set_of(
    "exec unit service socket timer target mount automount path slice scope swap device time special directives"
    " resource-control kill preset generator environment-generator syntax net-naming-scheme link netdev network dnssd"
    " journal-fields offline-updates index nspawn negative"
)
# Arguments of the kernel's command line that systemd and NixOS' first stage read.
_KERNEL = re.compile(r"systemd\.[a-z_]+=?\Z|boot\.(?:shell_on_fail|trace|debug\w+|panic_on_fail|persistence)\Z")
# What else begins like an option: (root, second attribute) of JavaScript, Python, git, …
_CODE: Final = frozenset(
    {
        *(("console", word) for word in ("log", "error", "warn", "info", "debug", "table")),
        *(("time", word) for word in ("sleep", "time", "monotonic", "perf_counter", "now")),
        *(("location", word) for word in ("href", "reload", "hash", "search", "pathname")),
        ("systemd", "journal"),
        *(("nixpkgs", word) for word in ("lib", "url", "follows", "legacyPackages", "outPath", "rev")),
        *(("system", word) for word in ("out", "err", "exit")),
    }
)
# Roots that are namespaces or variables elsewhere, when a class or type follows: `time.Duration`.
_NAMESPACES: Final = frozenset({"time", "console", "system", "image", "location", "security", "users", "fonts"})
# Roots that are misspelt in practice; the small ones are too near to common words.
_OFTEN_MISSPELT: Final = frozenset(
    {
        *("services", "programs", "networking", "hardware", "boot", "virtualisation", "environment", "security"),
        *("systemd", "documentation", "fileSystems", "powerManagement", "specialisation"),
    }
)
# Roots that any name may follow, so that `containers.conf` would be a container.
_NAMES_OF_ONES_OWN: Final = frozenset({"containers", "specialisation", "fileSystems", "swapDevices"})
_MOST_NAMES: Final = 400


@dataclass(frozen=True, slots=True)
class NameInText:
    """A name that reads as an option's; ``end`` is where it ends, ``path`` what has to exist."""

    start: int
    end: int
    path: Path


def find_names(text: str, tree: OptionTree, extra_roots: frozenset[str] = frozenset()) -> list[NameInText]:
    """Find the names that read as options, in prose or in a code span, in the order of the text.

    ``extra_roots`` are first attributes that no option has any more.
    """
    return list(_names(text, tree, extra_roots))[:_MOST_NAMES]


def _names(text: str, tree: OptionTree, extra_roots: frozenset[str]) -> Iterator[NameInText]:
    clear = _ELSEWHERE.sub(lambda found: " " * len(found[0]), text)
    for found in _NAME.finditer(clear):
        written = (
            re.sub(r"\{([A-Za-z_-]+)\}", r"<\1>", found[0]) if "{" in found[0] and "${" not in found[0] else found[0]
        )
        written = written.rstrip("-")
        whole = split_name(written)
        path = without_prefix(whole) if whole else ()
        if len(path) < 2 or _AFTER_OTHERS.match(clear, found.end()):
            continue
        if path[0] not in tree.roots | extra_roots and not _is_misspelt_root(path, tree):
            continue
        if len(path) == 2 and path[0] in _NAMES_OF_ONES_OWN and path[1] in _FILES:
            continue
        if tree.look_up(path).status == "unknown" and _is_something_else(path, clear[found.end() : found.end() + 1]):
            continue
        yield NameInText(found.start(), found.start() + len(written), path)


def without_prefix(path: Path) -> Path:
    """Leave out what stands before an option's name in Nix code: ``config``, ``options``, a flake's configuration."""
    if path[0] in {"config", "options", "osConfig"}:
        return path[1:]
    if path[0] == "nixosConfigurations" and path[2:3] in {("config",), ("options",)}:
        return path[3:]
    return path


def near_root(root: str, roots: frozenset[str]) -> str | None:
    """The first attribute that a misspelt one means (``service``, ``network``, ``virtualization``)."""
    return None if root in roots or len(root) < 6 else _near_root(root, roots & _OFTEN_MISSPELT)


@lru_cache(maxsize=1024)
def _near_root(root: str, roots: frozenset[str]) -> str | None:
    longer = sorted(name for name in roots if name.startswith(root) and len(name) - len(root) <= 3)
    close = difflib.get_close_matches(root, sorted(roots), n=1, cutoff=0.85)
    return next(iter([*longer, *close]), None)


def _is_misspelt_root(path: Path, tree: OptionTree) -> bool:
    if len(path) < 3 and path[-1] not in {"enable", "enabled", "package"}:
        return False
    return near_root(path[0], tree.roots) is not None and not tree.is_tail(path)


def _is_something_else(path: Path, after: str) -> bool:
    """Whether a name that no option has is a file, a unit, a host, a manual page or a bit of another language."""
    last = path[-1]
    name = ".".join(path)
    if path[0] == "lib" or path[:2] in _CODE or is_placeholder(path[0]):
        return True
    if len(path) == 2 and (last in _UNITS or (path[0] == "systemd" and last in _MANUALS)):
        return True
    if len(path) == 2 and path[0] in _NAMESPACES and re.fullmatch(r"[A-Z][a-z]\w*", last):
        return True
    if len(path) == 2 and _KERNEL.match(name) and (after == "=" or path[0] == "boot" or "_" in last):
        return True
    return len(path) <= 4 and (last in _DOMAINS or (len(path) == 2 and last in _FILES))
