"""The options of one NixOS, as ``options.json`` lists them."""

from __future__ import annotations

import msgspec

Path = tuple[str, ...]
"""An option's attribute path, one string an attribute; ``<name>`` and ``*`` stand for names of one's own."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option. Texts are as the list has them; '' where it has none."""

    name: str
    """As NixOS writes it: attributes that need quotes have them."""
    path: Path
    type: str
    default: str = ""
    """As a Nix expression."""
    example: str = ""
    """As a Nix expression."""
    description: str = ""
    """In nixpkgs' markdown."""
    declarations: tuple[str, ...] = ()
    """Files, relative to nixpkgs (``nixos/modules/…``) or a URL."""
    read_only: bool = False
    origin: str = "nixos"
    """Which list it came from: ``nixos`` or ``home-manager``."""
