"""Knowledge packs for tests: written into a folder, whole or with one thing wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MANIFEST = 'name = "team-knowledge"\nlicence = "CC-BY-4.0"\ndescription = "What our team found out."\n'
NOTE = """+++
title = "The humidifier in the server room"
triggers = ["humidifier: no water left*"]
asked = ["how do I refill the humidifier"]
options = ["services.openssh.enable"]
+++
Refill the humidifier xyzzyplugh from the tap. It is reached over SSH:

```nix
services.openssh.enable = true;
```
"""
QUESTION = "How do I enable the SSH server?"
ANSWER = "Set `services.openssh.enable` to true; our team adds quuxfrobnicate, then rebuild."


def exchange(question: str = QUESTION, answer: str = ANSWER, **more: Any) -> dict[str, Any]:
    """One line of a pack's exchanges."""
    types = {"services.openssh.enable": "boolean"}
    return {"question": question, "answer": answer, "options": types, "release": "24.11", "reviewed": "2026-10", **more}


def write_pack(
    folder: Path, *lines: dict[str, Any], manifest: str | None = MANIFEST, notes: dict[str, str] | None = None
) -> Path:
    """A pack in ``folder``, with one note unless told otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    if manifest is not None:
        (folder / "pack.toml").write_text(manifest)
    for name, text in ({"notes/humidifier.md": NOTE} if notes is None else notes).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if lines:
        (folder / "exchanges.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
