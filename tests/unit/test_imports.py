"""The import table of docs/explanation/architecture.md, held to."""

from __future__ import annotations

import ast
from pathlib import Path

import nix_trinity

PACKAGE = Path(nix_trinity.__file__).parent
ROOT = {
    "errors",
    "config",
    "config_sections",
    "catalogue",
    "modelfile",
    "roles",
    "role_engines",
    "tokens",
    "atomic_files",
}
MAY_IMPORT = {
    "client": {"client"},
    "api": {"api", "answering", "training", "knowledge", "host", *ROOT},
    "answering": {"answering", "knowledge", "engines", *ROOT},
    "knowledge": {"knowledge", "errors"},
    "training": {"training", "knowledge", "engines", *ROOT},
    "engines": {"engines", "errors", "modelfile", "atomic_files"},
    "host": {"host", "errors"},
    "mcp_server": {"mcp_server", "client"},
}
MAY_USE = {
    "apsw": "knowledge",
    "dbus_next": "host",
    "httpx": "engines",
    "matplotlib": "training",
    "mcp": "mcp_server",
    "ollama": "engines",
    "prometheus_client": "api",
    "pydantic": "mcp_server",
    "rapidfuzz": "knowledge",
    "sdnotify": "host",
    "snowballstemmer": "knowledge",
    "sqlite_vec": "knowledge",
    "starlette": "api",
    "tomli_w": "training",
    "tree_sitter": "answering",
    "tree_sitter_nix": "answering",
    "uvicorn": "api",
}


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module == "nix_trinity":
                found |= {f"nix_trinity.{alias.name}" for alias in node.names}
    return found


def test_each_room_imports_only_what_the_table_allows() -> None:
    wrong = []
    for room, allowed in MAY_IMPORT.items():
        files = list((PACKAGE / room).rglob("*.py"))
        assert files, room
        for file in files:
            for name in imports(file):
                parts = name.split(".")
                if parts[0] == "nix_trinity" and len(parts) > 1 and parts[1] not in allowed | {"__version__"}:
                    wrong.append(f"{file.relative_to(PACKAGE)} imports {name}")
    assert wrong == []


def test_a_library_is_used_in_its_room_alone() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {library}"
        for file in PACKAGE.rglob("*.py")
        for library in MAY_USE
        if library in {name.split(".")[0] for name in imports(file)}
        and file.relative_to(PACKAGE).parts[0] != MAY_USE[library]
    ]
    assert wrong == []


def test_each_library_of_the_table_is_used() -> None:
    used = {name.split(".")[0] for file in PACKAGE.rglob("*.py") for name in imports(file)}
    assert set(MAY_USE) <= used


def test_the_client_needs_nothing_but_the_standard_library() -> None:
    import sys

    for file in (PACKAGE / "client").rglob("*.py"):
        foreign = {name.split(".")[0] for name in imports(file)} - set(sys.stdlib_module_names) - {"nix_trinity"}
        assert foreign == set(), file
