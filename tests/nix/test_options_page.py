"""Each option tells a person what it is for, what it takes and what it is when left out."""

from __future__ import annotations

import json
from typing import Any

from tests.nix import options_page
from tests.nix.sources import GOLDEN, PAGE

OPTIONS: list[dict[str, Any]] = json.loads((GOLDEN / "options.json").read_text(encoding="utf-8"))
NAMESPACE = "services.nixTrinity."

# What the issue asks for, by name.
WANTED = [
    *("enable", "package", "tier", "ramGiB", "modern", "learnFrom", "idleTimeout", "users", "operators", "settings"),
    *("httpPort", "httpTokenFile", "logging.exchanges", "logging.level"),
    *(f"roles.<name>.{name}" for name in ("model", "modelfile", "adapter", "numCtx")),
    *(f"ollama.{name}" for name in ("enable", "package", "host", "port", "createLocally", "allowedAddresses")),
    *(
        f"timers.{timer}.{name}"
        for timer in ("weekly", "monthly", "prune")
        for name in ("enable", "onCalendar", "randomizedDelaySec")
    ),
    *(f"retention.{name}" for name in ("previous", "weekly", "monthly", "exchangeDays", "exchangeMegabytes")),
    *(f"corpus.{name}" for name in ("options", "manual", "homeManager", "notes")),
]


def test_all_that_were_asked_for_are_there() -> None:
    names = {option["name"] for option in OPTIONS}
    assert {NAMESPACE + name for name in WANTED} <= names


def test_each_has_a_description_a_type_and_a_default() -> None:
    for option in OPTIONS:
        name, description = option["name"], option["description"]
        assert description, f"{name} has no description"
        assert description.strip()[0].isupper(), f"{name}: {description!r} is no sentence"
        assert description.strip().endswith((".", "?")), f"{name}: {description!r} is no sentence"
        assert option["type"] not in {"", "unspecified"}, f"{name} has no type"
        assert "default" in option, f"{name} has no default"


def test_the_page_has_each_of_them_once_and_in_order() -> None:
    headings = [line.removeprefix("## ") for line in PAGE.read_text().splitlines() if line.startswith("## ")]
    assert headings == sorted(option["name"] for option in OPTIONS)


def test_the_page_shows_values_as_nix_and_words_as_words() -> None:
    option = {
        "name": "services.x.a",
        "type": "string",
        "description": "What {option}`services.x.b` is, see {manpage}`x(5)`.",
        "declarations": ["nix/module/x.nix"],
        "default": {"_type": "literalExpression", "text": '"`"'},
        "example": {"_type": "literalMD", "text": "as many as there are"},
    }
    text = options_page.page([option])
    assert "What `services.x.b` is, see `x(5)`." in text
    assert 'Default: ``"`"``' in text
    assert "Example: as many as there are" in text
    assert "[nix/module/x.nix](../../nix/module/x.nix)" in text


def test_a_value_of_several_lines_is_a_block() -> None:
    entry = {"_type": "literalExpression", "text": "{\n  a = 1;\n}"}
    option = {"name": "n", "type": "t", "description": "D.", "declarations": [], "default": entry}
    assert "Default:\n\n```nix\n{\n  a = 1;\n}\n```\n" in options_page.page([option])
