"""Which NixOS option sets which key of the configuration file: what ``check-config --nixos`` adds to its messages."""

from __future__ import annotations

import re

NAMESPACE = "services.nixTrinity"

# By pattern, since roles have names; whatever is not here is set by the freeform settings.
_OPTIONS = {
    r"models\.(tier|modern)": r"\1",
    r"models\.roles": "roles",
    r"models\.roles\.([^.]+)": r"roles.\1",
    r"models\.roles\.([^.]+)\.(model|modelfile|engine|url)": r"roles.\1.\2",
    r"models\.roles\.([^.]+)\.api_key_file": r"roles.\1.apiKeyFile",
    r"models\.roles\.([^.]+)\.num_ctx": r"roles.\1.numCtx",
    r"learning\.adapters\.([^.]+)": r"roles.\1.adapter",
    r"learning\.consent_by_default": "learnFrom",
    r"retention\.(previous|weekly|monthly)": r"retention.\1",
    r"retention\.exchange_days": "retention.exchangeDays",
    r"retention\.exchange_megabytes": "retention.exchangeMegabytes",
    r"ollama\.enabled": "ollama.enable",
    r"ollama\.url": "ollama.host",
    r"openai\.url": "openai.url",
    r"openai\.api_key_file": "openai.apiKeyFile",
    r"models\.fall_back": "fallBack",
    r"corpus\.(options|manual|notes)": r"corpus.\1",
    r"corpus\.packs": "packs",
    r"corpus\.home_manager_options": "corpus.homeManager",
    r"access\.users_group": "users",
    r"access\.operators_group": "operators",
    r"daemon\.idle_timeout_seconds": "idleTimeout",
    r"daemon\.log_level": "logging.level",
    r"logging\.exchanges": "logging.exchanges",
    r"http\.port": "httpPort",
    r"http\.token_file": "httpTokenFile",
}


def option_of(key: str) -> str:
    """The option that sets the key; ``key`` may name an element of a list (corpus.notes[0])."""
    whole = key.partition("[")[0]
    for pattern, option in _OPTIONS.items():
        found = re.fullmatch(pattern, whole)
        if found:
            return f"{NAMESPACE}.{found.expand(option)}"
    return f"{NAMESPACE}.settings.{whole}"


def set_by(keys: tuple[str, ...]) -> str:
    """Each key with its option behind it; the whole module for what is about no key."""
    return ", ".join(f"{key} ({option_of(key)})" for key in keys) or f"the whole file ({NAMESPACE})"
