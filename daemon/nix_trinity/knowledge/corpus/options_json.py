"""Read ``options.json``, as ``config.system.build.manual.optionsJSON`` and Home Manager's docs make it.

NixOS lists declarations as strings, Home Manager as ``{name, url}``; defaults and examples are
``{_type, text}``, or plain JSON values in older files. An option's name is the file's key: joining ``loc``
with dots loses the quotes of attributes such as ``"foo.bar"``.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from nix_trinity.errors import CorpusError
from nix_trinity.knowledge.options import Option

# A real list has 10 MB; a text of hundreds of megabytes is not one.
MOST_BYTES = 200 << 20
_LONGEST_TEXT = 20_000
_RELEASE = re.compile(r'"([^"]{1,40})"')


class _Text(msgspec.Struct):
    text: str = ""


class _Declaration(msgspec.Struct):
    name: str = ""
    url: str = ""


class _Entry(msgspec.Struct):
    loc: list[str]
    type: str = ""
    description: str | _Text | None = None
    default: Any = None
    example: Any = None
    declarations: list[str | _Declaration] = []
    read_only: bool = msgspec.field(default=False, name="readOnly")
    internal: bool = False
    visible: bool | str = True


_decoder = msgspec.json.Decoder(dict[str, _Entry])


def parse_options(data: bytes, *, file: str, origin: str) -> list[Option]:
    """The options in ``data``, by name. ``file`` is what errors show; ``origin`` is nixos or home-manager.

    :raises CorpusError: ``corpus_invalid``, the file is broken, cut off, empty or something else.
    """
    remedy = (
        "Build it anew (on NixOS: nixos-rebuild switch with documentation.nixos.enable = true), or point "
        "corpus.options at the right file. Answers go on with the last good index."
    )
    if len(data) > MOST_BYTES:
        raise CorpusError(f"{file}: {len(data) >> 20} MB are too many for a list of options.", remedy)
    try:
        entries = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorpusError(f"{file}: not a list of options as options.json has them: {error}.", remedy) from error
    options = [_option(name, entry, origin) for name, entry in entries.items() if _is_shown(name, entry)]
    if not options:
        raise CorpusError(f"{file}: there is no option in it.", remedy)
    options.sort(key=lambda option: option.name)
    return options


def release_of(options: list[Option]) -> str | None:
    """The release that the list itself names, by the default of ``system.nixos.release``; None without one."""
    found = next((option.default for option in options if option.name == "system.nixos.release"), "")
    match = _RELEASE.fullmatch(found.strip())
    return match[1] if match else None


def _is_shown(name: str, entry: _Entry) -> bool:
    return bool(name.strip()) and bool(entry.loc) and not entry.internal and entry.visible is not False


def _option(name: str, entry: _Entry, origin: str) -> Option:
    described = entry.description
    return Option(
        name=name,
        path=tuple(entry.loc),
        type=entry.type,
        default=_expression(entry.default),
        example=_expression(entry.example),
        description=(described.text if isinstance(described, _Text) else described or "")[:_LONGEST_TEXT],
        declarations=tuple(d if isinstance(d, str) else d.url or d.name for d in entry.declarations),
        read_only=entry.read_only,
        origin=origin,
    )


def _expression(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        return str(value["text"])[:_LONGEST_TEXT]
    return msgspec.json.encode(value).decode()[:_LONGEST_TEXT]
