"""What a question is about, in a word or two that many questions share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from nix_trinity.knowledge.corpus.words import folded

OTHER: Final = "other"
_ATTRIBUTE = re.compile(r"\"[^\"]*\"|[^.\"]+")
# The more special first: "error when building my flake" is about the error.
_TOPICS: Final = tuple(
    (topic, re.compile(rf"\b(?:{words})"))
    for topic, words in (
        ("errors", r"error\b|errors\b|infinite recursion|hash mismatch|failed\b|fehler|erreur"),
        ("home-manager", r"home[ -]?manager"),
        ("flakes", r"flakes?\b"),
        ("rollback", r"roll(?:ed|ing)?[ -]?back|generations?\b|previous version|zuruckroll"),
        ("upgrades", r"upgrad|update|channels?\b|aktualisier"),
        ("boot", r"boot|grub\b|efi\b|initrd\b|initramfs|secure ?boot|dual"),
        ("disk space", r"garbage|disk space|store is full|optimi[sz]e the store|no space"),
        ("secrets", r"secrets?\b|sops|agenix|passwords?\b|passwort"),
        ("hardware", r"nvidia|gpu\b|graphics|driver|firmware|bluetooth|sound|audio|printer|webcam|touchpad"),
        ("network", r"wi-?fi|wlan|network|netzwerk|reseau|firewall|dns\b|vpn\b|ssh\b|ports?\b"),
        ("desktop", r"gnome|kde\b|plasma|wayland|x11|hyprland|sway\b|desktop|keyboard|tastatur|fonts?\b|screen"),
        (
            "nix language",
            r"nix language|derivations?\b|attr(?:ibute )?sets?\b|mkif|mkdefault|mkforce|let in\b|lambda|function",
        ),
        ("packaging", r"overlays?\b|overrid|mkderivation|callpackage|buildinputs|stdenv"),
        ("development", r"nix[ -]shell|nix develop|direnv|dev(?:elopment)? ?(?:shell|environment)"),
        ("services", r"systemd|services?\b|timers?\b|daemon"),
        ("users", r"users?\b|groups?\b|sudo|login|benutzer"),
        ("packages", r"packages?\b|install|paket|paquet|programs?\b"),
    )
)


def topic_of(question: str, option_names: Iterable[str]) -> str:
    """The topic of an exchange: the namespace that most of its options are in (its first two parts), else by words.

    Of namespaces that are named as often, the first counts.
    """
    namespaces = Counter(".".join(_ATTRIBUTE.findall(name)[:2]) for name in option_names if name.strip("."))
    if namespaces:
        return namespaces.most_common(1)[0][0]
    text = folded(question)
    return next((topic for topic, pattern in _TOPICS if pattern.search(text)), OTHER)
