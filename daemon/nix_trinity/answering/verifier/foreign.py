"""Names that are no options of NixOS' own list and yet are right: other projects' modules, hidden options."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

# Home Manager's own top-level names. Its `programs`, `services`, `systemd`, `xdg`, … it shares with NixOS.
HOME_MANAGER_ROOTS: Final = frozenset(
    {
        *("home", "xdg", "wayland", "accounts", "dconf", "gtk", "qt", "editorconfig", "manual", "news", "pam"),
        *("targets", "xsession", "xresources", "submoduleSupport", "uninstall"),
    }
)
# Modules that people add to NixOS: home-manager, agenix, sops-nix, disko, stylix, simple-nixos-mailserver, colmena, …
_ROOTS: Final = frozenset(
    {
        *("home-manager", "home", "hjem", "age", "sops", "disko", "stylix", "catppuccin", "mailserver", "deployment"),
        *("microvm", "wsl", "jovian", "mobile", "raspberry-pi", "proxmox", "nixos-shell", "homebrew", "launchd"),
        *("lollypops", "facter", "garuda", "chaotic", "vscode-server", "nixvim", "terraform", "resource", "oci"),
        *("accounts", "dconf", "wayland", "xsession", "xresources", "targets", "editorconfig"),
    }
)
_PREFIXES: Final = frozenset(
    {
        ("boot", "lanzaboote"),
        ("environment", "persistence"),
        ("programs", "nixvim"),
        ("programs", "nvf"),
        ("programs", "nix-index-database"),
        ("programs", "spicetify"),
        ("programs", "hyprpanel"),
        ("services", "vscode-server"),
        ("services", "home-manager"),
        ("hardware", "raspberry-pi"),
        ("hardware", "facter"),
        ("nixpkgs", "lib"),
    }
)
# `internal = true` keeps these out of options.json, though every module may set or read them.
_HIDDEN: Final = frozenset(
    {
        ("assertions",),
        ("warnings",),
        ("passthru",),
        ("meta",),
        ("_module",),
        ("system", "nixos"),
        ("security", "wrapperDir"),
        ("system", "path"),
        ("system", "checks"),
        ("system", "modulesTree"),
        ("system", "systemBuilderCommands"),
        ("system", "systemBuilderArgs"),
        ("system", "activationScripts"),
        ("boot", "isContainer"),
        ("networking", "nftables", "tables"),
        ("ids",),
    }
)


def is_foreign(path: Sequence[str], roots: Container[str] = ()) -> bool:
    """Whether a name belongs to a module that an option list with these ``roots`` does not know."""
    return bool(path) and ((path[0] in _ROOTS and path[0] not in roots) or tuple(path[:2]) in _PREFIXES)


def is_hidden(path: Sequence[str]) -> bool:
    """Whether a name is an internal option, or below one."""
    return any(tuple(path[:size]) in _HIDDEN for size in range(1, 4))
