"""``python -m tests.stack``: get the real parts, run Ollama for a developer, or say where all is."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.stack import cache, chat_model, data, embedding_model, ollama_binary
from tests.stack.console import say
from tests.stack.errors import StackError
from tests.stack.parts import State, table
from tests.stack.prepare import prepare
from tests.stack.server import OllamaServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="get every part that is missing and list all parts")
    preparing.add_argument("--keep-going", action="store_true", help="exit with 0 even if a part is missing")
    serving = commands.add_parser("ollama", help="run a private Ollama with the chat model until Ctrl-C")
    serving.add_argument("--folder", type=Path, help="keep its models there instead of in a temporary folder")
    commands.add_parser("paths", help="print, as JSON, where the parts are; gets nothing")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "prepare":
                return _prepare(options.keep_going)
            case "ollama":
                return _ollama(options.folder)
            case _:
                return _paths()
    except StackError as error:
        say(str(error))
        return 1


def _prepare(keep_going: bool) -> int:
    parts = prepare()
    print(table(parts), flush=True)
    return int(not keep_going and any(part.state is State.MISSING for part in parts))


def _ollama(folder: Path | None) -> int:
    binary, model = ollama_binary.obtain(), chat_model.obtain()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with OllamaServer(binary, folder.resolve() if folder else None) as server:
        server.create_from_gguf(chat_model.NAME, model.gguf)
        print(server.url, flush=True)
        say(f"Ollama {binary.version} with {chat_model.NAME}; log: {server.log}; Ctrl-C ends it")
        try:
            while server.running:
                signal.sigtimedwait([], 1)
        except KeyboardInterrupt:
            return 0
        raise StackError(f"Ollama ended by itself:\n{server.log_tail()}")


def _paths() -> int:
    root = cache.cache_root()
    binary, gguf, folder = ollama_binary.find(root), chat_model.location(root), data.data_dir()
    embedding = embedding_model.location(root)
    found = {
        "cache": root,
        "ollama": binary.path if binary else None,
        "chat_model": gguf if gguf.is_file() else None,
        "embedding_model": embedding if embedding.is_dir() else None,
        "data": folder,
    }
    print(json.dumps({name: str(path) if path else None for name, path in found.items()}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
