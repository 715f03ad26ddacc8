"""docs/reference/options.md, from the options as the module declares them: ``python -m tests.nix.options_page``.

It reads what ``make golden`` recorded of them (golden/options.json), which needs nixpkgs' lib; the page itself needs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.nix.evaluation import CHECKOUT
from tests.nix.sources import GOLDEN, PAGE

HEAD = """# Options

<!-- Made from nix/module and nix/home-manager by `make golden`; change the descriptions there. -->

`services.nixTrinity` is the NixOS module's: the daemon, its models and its timers. `programs.nixTrinity` is Home Manager's:
what one person sets for themselves. What they are for is told in [how-to](../how-to/).
"""


def plain(options: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Keep what the page shows of nixpkgs' list, sorted by name, with paths from the top of the checkout."""
    kept = []
    for option in sorted(options, key=lambda option: option["name"]):
        entry = {key: option[key] for key in ("name", "type", "description", "readOnly")}
        entry |= {key: option[key] for key in ("default", "example") if key in option}
        entry["declarations"] = [str(Path(path).relative_to(CHECKOUT)) for path in option["declarations"]]
        kept.append(entry)
    return kept


def page(options: Iterable[Mapping[str, Any]]) -> str:
    """The page's text."""
    return HEAD + "".join(_entry(option) for option in options)


def write() -> None:
    """Write the page from the recorded options."""
    options = json.loads((GOLDEN / "options.json").read_text(encoding="utf-8"))
    PAGE.write_text(page(options), encoding="utf-8")


def _entry(option: Mapping[str, Any]) -> str:
    parts = [f"\n## {option['name']}\n", f"{_markdown(option['description'])}\n", f"Type: {option['type']}\n"]
    parts += [
        _value(label, option[key]) for label, key in (("Default", "default"), ("Example", "example")) if key in option
    ]
    declared = ", ".join(f"[{path}](../../{path})" for path in option["declarations"])
    return "\n".join([*parts, f"Declared in {declared}\n"])


def _value(label: str, value: Mapping[str, str]) -> str:
    """A default or an example: code, or words where it cannot be written as code."""
    text = value["text"].rstrip()
    if value["_type"] == "literalMD":
        return f"{label}: {_markdown(text)}\n"
    if "\n" in text:
        return f"{label}:\n\n```nix\n{text}\n```\n"
    return f"{label}: {_code(text)}\n"


def _code(text: str) -> str:
    """Code in a line, within more back-quotes than it has itself."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}"


def _markdown(text: object) -> str:
    """nixpkgs' Markdown without its roles, such as {option}`…`."""
    source = text["text"] if isinstance(text, dict) else str(text)
    return re.sub(r"\{(option|manpage|env|file|command|var)\}(?=`)", "", source).strip()


if __name__ == "__main__":
    write()
