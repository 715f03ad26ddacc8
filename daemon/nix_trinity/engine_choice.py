"""Make the engine that the configuration names: none, Ollama, or each role's own behind one door.

Its libraries take a fifth of a second to load, so that this is called when an engine is needed, in a thread.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path

from nix_trinity.config import Config
from nix_trinity.engines.deadlines import Deadlines
from nix_trinity.engines.protocol import Engine
from nix_trinity.role_engines import OLLAMA, EnginePlace, embedding_place, engine_places

_LEFT = b'weights = "sha256'
_REMOVED = b"removed = true"


def make_engine(config: Config) -> Engine:
    """The engine; ``state.directory`` has the definitions of models that servers with OpenAI's API do not make."""
    places = engine_places(config)
    if not places:
        off: Engine = importlib.import_module("nix_trinity.engines.off").OffEngine()
        return off
    state = Path(config.state.directory)
    folder = state / "definitions"
    if all(place.kind == OLLAMA for place in places) and not folder.is_dir():
        return _ollama(config)
    by_role = importlib.import_module("nix_trinity.engines.by_role")
    definitions = importlib.import_module("nix_trinity.engines.definitions").Definitions(folder)
    engines = {(place.kind, place.url): _made(config, place, definitions) for place in places}
    parts = [by_role.Part(engines[place.kind, place.url], place.roles) for place in places]
    if config.ollama.enabled and (OLLAMA, config.ollama.url) not in engines and _left_on_ollama(state / "versions"):
        # What people deleted has to go from versions of before, too.
        parts.append(by_role.Part(_ollama(config), ()))
    embedding = embedding_place(config)
    several: Engine = by_role.ByRole(
        parts,
        definitions,
        embedding_model=config.corpus.embedding_model,
        embedding=engines[embedding.kind, embedding.url] if embedding is not None else None,
    )
    return several


def _made(config: Config, place: EnginePlace, definitions: object) -> Engine:
    if place.kind == OLLAMA:
        return _ollama(config)
    section = config.openai
    engine: Engine = importlib.import_module("nix_trinity.engines.openai_compatible").OpenAIEngine(
        place.url,
        definitions,
        key=_key_source(config, place) if place.api_key_file else None,
        deadlines=Deadlines(
            connect=section.connect_timeout_seconds,
            first_token=section.first_token_timeout_seconds,
            token_gap=section.token_gap_timeout_seconds,
        ),
    )
    return engine


def _ollama(config: Config) -> Engine:
    section = config.ollama
    engine: Engine = importlib.import_module("nix_trinity.engines.ollama").OllamaEngine(
        section.url,
        keep_alive=section.keep_alive,
        deadlines=Deadlines(
            connect=section.connect_timeout_seconds,
            first_token=section.first_token_timeout_seconds,
            token_gap=section.token_gap_timeout_seconds,
        ),
    )
    return engine


def _key_source(config: Config, place: EnginePlace) -> Callable[[], str]:
    module = importlib.import_module("nix_trinity.host.secret_file")
    roles = config.models.roles
    own = [f"models.roles.{role}.api_key_file" for role in place.roles if role in roles and roles[role].api_key_file]
    key = own[0] if own else "openai.api_key_file"
    kind = module.SecretKind(key, "key", 1, "Put the key that the server was given into the file")

    def read() -> str:
        secret: bytes = module.read_secret(place.api_key_file, os.environ, kind)
        return secret.decode("ascii")

    return read


def _left_on_ollama(versions: Path) -> bool:
    """Whether a version that Ollama made is still there, by its manifest: its weights are a blob."""
    for path in versions.glob("*.toml"):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if _LEFT in content and _REMOVED not in content:
            return True
    return False
