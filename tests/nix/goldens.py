"""One configuration's golden folder, from what its evaluation came to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from tests.nix.evaluation import Evaluation, RenderError

CONFIG = "/etc/nix-trinity/config.toml"


def write_configuration(folder: Path, evaluation: Evaluation) -> None:
    """Write what NixOS would make of a configuration.

    :raises RenderError: the evaluation stopped, or what it made cannot be written.
    """
    if evaluation.error:
        raise RenderError(f"{folder.name} does not evaluate:\n{evaluation.error}")
    if evaluation.value["assertions"]:
        raise RenderError(f"{folder.name} fails:\n" + "\n".join(evaluation.value["assertions"]))
    write_judgement(folder, evaluation)
    rendered = evaluation.value["rendered"]
    _write_units(folder, rendered["units"])
    for name in ("users", "groups", "ollama", "shells"):
        _write_json(folder / f"{name}.json", rendered[name])
    _write(folder / "tmpfiles.conf", "".join(f"{rule}\n" for rule in rendered["tmpfiles"]))
    polkit = rendered["polkit"]
    # NixOS writes no rules where polkit is off.
    _write(folder / "polkit.rules", polkit["rules"] if polkit["enable"] else "")
    _write_json(folder / "etc.json", {path: _etc(file) for path, file in rendered["etc"].items()})
    _write_json(folder / "packages.json", rendered["packages"])
    settings = [file for file in evaluation.files if file["kind"] == "toml"]
    if CONFIG in rendered["etc"] and len(settings) != 1:
        raise RenderError(f"{folder.name}: {CONFIG} is there, but {len(settings)} TOML files are generated and not one")
    for file in settings:
        _write(folder / "config.toml", _toml(file))
    for file in evaluation.files:
        _write_generated(folder / "store", file)


def write_failure(folder: Path, evaluation: Evaluation) -> None:
    """Write how a configuration that is meant to fail does so.

    :raises RenderError: it does not fail.
    """
    if evaluation.error:
        _write(folder / "evaluation-error.txt", evaluation.error)
    elif evaluation.value["assertions"]:
        write_judgement(folder, evaluation)
    else:
        raise RenderError(f"failures/{folder.name} is meant to be refused, and is not")


def write_judgement(folder: Path, evaluation: Evaluation) -> None:
    """Write the failed assertions' messages, and the warnings."""
    _write_json(folder / "assertions.json", evaluation.value["assertions"])
    _write_json(folder / "warnings.json", evaluation.value["warnings"])


def write_json(path: Path, value: object) -> None:
    """Write JSON as a person reads it, the same on each run."""
    _write_json(path, value)


def _write_units(folder: Path, units: Mapping[str, Any]) -> None:
    links: dict[str, list[str]] = {}
    for name, unit in sorted(units.items()):
        path = folder / "units" / name
        if unit["enable"]:
            _write(path, unit["text"])
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(os.devnull)
        for kind, targets in unit["links"].items():
            for target in targets:
                links.setdefault(f"{target}.{kind}", []).append(name)
    _write_json(folder / "links.json", links)


def _etc(file: Mapping[str, Any]) -> object:
    content = file["source"] if file["text"] is None else file["text"]
    return content if file["mode"] == "symlink" else {"content": content, "mode": file["mode"]}


def _write_generated(store: Path, file: Mapping[str, Any]) -> None:
    """Write a file that Nix would generate; of a command its variables, and which script it would run."""
    path = store / file["name"]
    match file["kind"]:
        case "toml":
            _write(path, _toml(file))
        case "text":
            _write(path, file["text"])
        case "script":
            _write(path, file["text"]).chmod(0o755)
        case "program":
            _write(path / "bin" / file["name"], file["text"]).chmod(0o755)
        case "command":
            checksum = hashlib.sha256(file["text"].encode()).hexdigest()
            command = {"environment": file["environment"], "script_sha256": checksum}
            _write_json(path.with_name(f"{path.name}.command.json"), command)
        case kind:
            raise RenderError(f"{file['name']}: no kind of generated file is {kind!r}")


def _toml(file: Mapping[str, Any]) -> str:
    try:
        return tomli_w.dumps(file["value"])
    except TypeError as error:
        raise RenderError(f"{file['name']}: {error}; TOML has no null: leave the key out") from error


def _write_json(path: Path, value: object) -> None:
    _write(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
