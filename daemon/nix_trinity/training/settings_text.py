"""The settings that a text shows, as text: option paths with their values, written one way.

For telling whether two answers set the same. What is valid is the verifier's business; what does not look like
settings is left out here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nix_trinity.knowledge.option_tree import split_name
from nix_trinity.knowledge.options import Path

_BLOCK = re.compile(
    r"^[ \t>]*(?:`{3,}|~{3,})[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t>]*(?:`{3,}|~{3,})|\Z)", re.MULTILINE | re.DOTALL
)
_SPAN = re.compile(r"`([^`\n]{3,400}=[^`\n]{1,400})`")
_NIX_BLOCKS = frozenset({"", "nix", "nixos", "text", "conf"})
_TOKEN = re.compile(r"#[^\n]*|/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|''.*?''|[{}\[\]();=]|[^\s{}\[\]();=\"#]+|\S", re.DOTALL)
_OPENING, _CLOSING = frozenset("{[("), frozenset("}])")
# What says nothing about the value itself.
_FILLER = re.compile(r"\b(?:lib\s*\.\s*)?mk(?:Force|Default)\b|\bwith pkgs ;|\bpkgs\.")
_DEEPEST = 40


def settings_in(text: str) -> list[tuple[Path, str]]:
    """Each option path that code in ``text`` sets, with its value; the elements of a plain list are sorted."""
    found: list[tuple[Path, str]] = []
    for code in _codes(text):
        signs = [sign for sign in _TOKEN.findall(code) if not sign.startswith(("#", "/*"))]
        _Reader(signs, found).read(0, (), 0)
    return found


def _codes(text: str) -> Iterator[str]:
    for block in _BLOCK.finditer(text):
        if block[1].lower() in _NIX_BLOCKS:
            yield block[2]
    for span in _SPAN.finditer(_BLOCK.sub("", text)):
        yield f"{span[1]};"


class _Reader:
    def __init__(self, signs: list[str], found: list[tuple[Path, str]]) -> None:
        self._signs = signs
        self._found = found

    def read(self, at: int, prefix: Path, depth: int) -> int:
        """Read bindings up to the end of their set; returns where it goes on."""
        words: list[str] = []
        while at < len(self._signs):
            sign = self._signs[at]
            at += 1
            if sign == "=":
                path = split_name("".join(words))
                words = []
                at = self._value(at, (*prefix, *path) if path is not None else None, depth)
            elif sign == "{" and depth < _DEEPEST:
                # The braces of a module, or of its arguments.
                words = []
                at = self.read(at, prefix, depth + 1)
            elif sign == "}":
                return at
            elif sign == ";":
                words = []
            else:
                words.append(sign)
        return at

    def _value(self, at: int, path: Path | None, depth: int) -> int:
        if path is not None and self._signs[at : at + 1] == ["{"] and depth < _DEEPEST:
            return self.read(at + 1, path, depth + 1)
        words: list[str] = []
        level, skipped = 0, 0
        while at < len(self._signs):
            sign = self._signs[at]
            level += (sign in _OPENING or sign == "let") - (sign in _CLOSING or sign == "in")
            if level < 0:
                break
            if not level and sign in ("with", "assert"):
                skipped += 1
            if not level and sign == ";":
                if not skipped:
                    break
                skipped -= 1
            words.append(sign)
            at += 1
        if path is not None and len(path) > 1 and words:
            self._found.append((path, _written(" ".join(words))))
        return at


def _written(value: str) -> str:
    value = " ".join(_FILLER.sub("", value).split())
    elements = value[1:-1].split()
    if value.startswith("[") and value.endswith("]") and not _OPENING & set("".join(elements)):
        return f"[ {' '.join(sorted(elements))} ]" if elements else "[ ]"
    return value
