"""Which engine each role is on, as the configuration says it: Ollama, or a server with OpenAI's API."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from nix_trinity.catalogue import ROLES
from nix_trinity.config import Config
from nix_trinity.config_sections import RoleSection
from nix_trinity.errors import ConfigError

OLLAMA, OPENAI = "ollama", "openai"


class EnginePlace(NamedTuple):
    """An engine that is used, and the roles that it is for."""

    kind: str
    url: str
    roles: tuple[str, ...]
    api_key_file: str = ""


def role_engine(config: Config, role: str) -> tuple[str, str]:
    """The role's kind of engine, and its address."""
    chosen = config.models.roles.get(role, RoleSection())
    if chosen.engine == OPENAI:
        return OPENAI, api_url(chosen.url or config.openai.url)
    return OLLAMA, config.ollama.url


def engine_places(config: Config) -> tuple[EnginePlace, ...]:
    """The engines that are used, those of the first roles first; none where there is to be no engine."""
    places: dict[tuple[str, str], EnginePlace] = {}
    for role in ROLES:
        kind, url = role_engine(config, role)
        if kind == OPENAI or config.ollama.enabled:
            before = places.get((kind, url), EnginePlace(kind, url, ()))
            key = before.api_key_file or (_key_file(config, role, url) if kind == OPENAI else "")
            places[kind, url] = EnginePlace(kind, url, (*before.roles, role), key)
    embedding = embedding_place(config)
    if places and embedding is not None:
        places.setdefault((embedding.kind, embedding.url), embedding)
    return tuple(places.values())


def embedding_place(config: Config) -> EnginePlace | None:
    """The engine that makes vectors; None where none is to."""
    corpus = config.corpus
    if not corpus.embedding_model:
        return None
    if corpus.embedding_engine == OPENAI or (not corpus.embedding_engine and not config.ollama.enabled):
        if not config.openai.url:
            return None
        return EnginePlace(OPENAI, api_url(config.openai.url), (), config.openai.api_key_file)
    return EnginePlace(OLLAMA, config.ollama.url, ()) if config.ollama.enabled else None


def fall_back_order(config: Config) -> tuple[str, ...]:
    """The roles whose models may answer for another one whose engine is away, in this order."""
    wanted = config.models.fall_back
    return wanted if isinstance(wanted, tuple) else ROLES if wanted else ()


def api_url(url: str) -> str:
    """The address as it is used: it ends where ``/chat/completions`` follows, and that is /v1 unless it says more."""
    url = url.rstrip("/")
    return f"{url}/v1" if url and not urlsplit(url).path else url


def check_engines(config: Config) -> None:
    """See that each role can be asked of its engine.

    :raises ConfigError: it cannot; says which keys to set.
    """
    roles = config.models.roles
    for role in ROLES:
        chosen = roles.get(role, RoleSection())
        if chosen.engine == OPENAI:
            _check_openai(config, role, chosen)
        elif chosen.url or chosen.api_key_file:
            name = "url" if chosen.url else "api_key_file"
            raise _error(
                f"models.roles.{role}.{name}",
                f'it is set, and the role is on Ollama, which has one address for all roles ("{config.ollama.url}").',
                f'Set engine = "openai" for the role, or take {name} out; Ollama\'s address is ollama.url.',
            )
    on_ollama = [role for role in ROLES if roles.get(role, RoleSection()).engine != OPENAI]
    if not config.ollama.enabled and on_ollama and len(on_ollama) < len(ROLES):
        raise _error(
            f"models.roles.{on_ollama[0]}.engine",
            f"{', '.join(on_ollama)} would be on Ollama, which is off (ollama.enabled is false), and other roles are not.",
            'Give all roles engine = "openai" and a model, or set ollama.enabled = true.',
        )
    _check_url(config.openai.url, "openai.url")
    _check_key_file(config.openai.api_key_file, "openai.api_key_file")
    if config.corpus.embedding_engine == OPENAI and config.corpus.embedding_model and not config.openai.url:
        raise _error(
            "openai.url", 'it is not set, and corpus.embedding_engine is "openai".', "Give the server's address."
        )
    unknown = [role for role in fall_back_order(config) if role not in ROLES]
    if unknown:
        raise _error(
            "models.fall_back", f"there is no role {unknown[0]!r}.", f"The roles are {', '.join(ROLES)}; or write true."
        )


def _check_openai(config: Config, role: str, chosen: RoleSection) -> None:
    if not (chosen.url or config.openai.url):
        raise _error(
            f"models.roles.{role}.url",
            'it is not set, nor is openai.url, and the role\'s engine is "openai".',
            'Give the server\'s address, such as url = "http://127.0.0.1:8000/v1", in [openai] for all roles or for this one.',
            "openai.url",
        )
    _check_url(chosen.url, f"models.roles.{role}.url")
    _check_key_file(chosen.api_key_file, f"models.roles.{role}.api_key_file")
    if role in config.learning.adapters:
        raise adapter_error(role, f"learning.adapters.{role}")
    url = api_url(chosen.url or config.openai.url)
    for other in ROLES:
        if other == role or role_engine(config, other) != (OPENAI, url):
            continue
        if _key_file(config, role, url) != _key_file(config, other, url):
            raise _error(
                f"models.roles.{role}.api_key_file",
                f"the roles {role} and {other} are on one server ({url}) with different keys.",
                "Name one file for both, or set it in [openai] and take it out of both.",
                f"models.roles.{other}.api_key_file",
            )


def adapter_error(role: str, key: str) -> ConfigError:
    """The error for an adapter of a role whose server takes none."""
    return _error(
        key,
        f"the role {role} is on a server with OpenAI's API, which takes no adapter from us.",
        f"Serve the model with its adapter there (vLLM: --lora-modules) and set models.roles.{role}.model to that name; "
        'or give the role engine = "ollama".',
    )


def no_model_error(role: str) -> ConfigError:
    """The error for a role on a server with OpenAI's API of which nobody said which model it is."""
    return _error(
        f"models.roles.{role}.model",
        'it is not set, and the role\'s engine is "openai": our tiers name models of Ollama only.',
        "Name one that the server lists: curl URL/models",
    )


def _key_file(config: Config, role: str, url: str) -> str:
    """The file with the key for a role's server: the one of [openai] is for that address alone."""
    own = config.models.roles.get(role, RoleSection()).api_key_file
    return own or (config.openai.api_key_file if url == api_url(config.openai.url) else "")


def _check_url(url: str, key: str) -> None:
    try:
        parts = urlsplit(url)
        usable = not url or (bool(parts.hostname) and parts.port != 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise _error(
            key,
            "it is no address of a server: host, port and path are all that it may have.",
            'Write it as in "http://127.0.0.1:8000/v1"; a key goes into a file (api_key_file).',
        )


def _check_key_file(given: str, key: str) -> None:
    if re.match(r"(sk|pk|gsk|hf|Bearer)[-_ ]", given):
        # Not shown: it would be in whatever log this ends up in.
        raise _error(
            key,
            "it looks like a key, and is to be the name of the file that has it: everybody may read this configuration.",
            "Take another key from now on, since this one is no secret any more, and write it to a file.",
        )
    if "/" in given and not given.startswith("/"):
        raise _error(
            key,
            # Not shown either: keys and tokens in base64 have slashes too.
            "it is neither an absolute path nor a name without a slash.",
            "Write it from the root on; of one of systemd's credentials (LoadCredential=) write the name alone.",
        )


def _error(key: str, message: str, hint: str, *more_keys: str) -> ConfigError:
    return ConfigError(f"{key}: {message}", hint, keys=(key, *more_keys))
