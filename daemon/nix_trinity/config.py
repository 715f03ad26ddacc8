"""The typed configuration, read once from a TOML file.

Every key has a default, so that an empty file is a valid configuration. An unknown key, a wrong type or a
value out of range is a :class:`ConfigError` that names the file, the key path and the fix. Units are part
of the key's name; ``keep_alive`` alone has Ollama's own form, since it is passed on as it is.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from nix_trinity.config_sections import (
    AccessSection,
    AnsweringSection,
    CorpusSection,
    DaemonSection,
    HttpSection,
    LearningSection,
    LoggingSection,
    ModelsSection,
    OllamaSection,
    OpenaiSection,
    PackEntry,
    RetentionSection,
    RoleSection,
    Section,
    StateSection,
)
from nix_trinity.errors import ConfigError

DEFAULT_CONFIG_PATH = Path("/etc/nix-trinity/config.toml")

# sun_path holds 108 bytes with its closing NUL (unix(7)).
MAX_SOCKET_PATH_BYTES = 107


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    daemon: DaemonSection = msgspec.field(default_factory=DaemonSection)
    state: StateSection = msgspec.field(default_factory=StateSection)
    access: AccessSection = msgspec.field(default_factory=AccessSection)
    logging: LoggingSection = msgspec.field(default_factory=LoggingSection)
    http: HttpSection = msgspec.field(default_factory=HttpSection)
    ollama: OllamaSection = msgspec.field(default_factory=OllamaSection)
    openai: OpenaiSection = msgspec.field(default_factory=OpenaiSection)
    models: ModelsSection = msgspec.field(default_factory=ModelsSection)
    corpus: CorpusSection = msgspec.field(default_factory=CorpusSection)
    answering: AnsweringSection = msgspec.field(default_factory=AnsweringSection)
    learning: LearningSection = msgspec.field(default_factory=LearningSection)
    retention: RetentionSection = msgspec.field(default_factory=RetentionSection)


def load_config(path: Path) -> Config:
    """Read and check the configuration file; what a file does not say has its default.

    :raises ConfigError: the file cannot be read, is not TOML, or says something that cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file.",
            "Give the right path with --config, or create the file: an empty one is valid.",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: byte {error.start} is not UTF-8.", "Save the file as UTF-8; TOML allows nothing else."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.", f"Check it with: ls -l {path}") from error
    return parse_config(text, origin=str(path))


def parse_config(text: str, *, origin: str) -> Config:
    """Check a configuration's text. ``origin`` is the file name that errors show.

    :raises ConfigError: see :func:`load_config`.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{origin}: not valid TOML: {error}.", "Mend that line; strings need quotes in TOML."
        ) from error
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise _explain(error, raw, origin) from error
    _check_socket_path(config.daemon.socket, origin)
    _check_http(config.http, origin)
    return config


def _check_socket_path(socket_path: str, origin: str) -> None:
    length = len(socket_path.encode())
    if length > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"{origin}: daemon.socket: the path has {length} bytes; the kernel takes at most {MAX_SOCKET_PATH_BYTES}.",
            "Choose a shorter path, such as /run/nix-trinity/socket.",
            keys=("daemon.socket",),
        )
    if not socket_path.startswith("/"):
        raise ConfigError(
            f"{origin}: daemon.socket: {socket_path!r} is not an absolute path.",
            "Write it from the root on, such as /run/nix-trinity/socket.",
            keys=("daemon.socket",),
        )


def _check_http(http: HttpSection, origin: str) -> None:
    """Whether the token is there is seen when the daemon starts: where a system is built, it is not."""
    if http.port and not http.token_file:
        raise ConfigError(
            f"{origin}: http.token_file: it is not set and http.port is, so that every program on this machine could ask.",
            "Write a token of 16 characters or more to a file (head -c 32 /dev/urandom | base64 > FILE) and name it: "
            'services.nixTrinity.httpTokenFile = "FILE"; on NixOS, else token_file in [http].',
            keys=("http.token_file",),
        )
    if "/" in http.token_file and not http.token_file.startswith("/"):
        raise ConfigError(
            # It is not shown: a token in base64, written here in place of its file, may have a slash too.
            f"{origin}: http.token_file: it is neither an absolute path nor a name without a slash.",
            "Write it from the root on; of one of systemd's credentials (LoadCredential=) write the name alone.",
            keys=("http.token_file",),
        )


def _explain(error: msgspec.ValidationError, raw: dict[str, Any], origin: str) -> ConfigError:
    """Turn msgspec's message into one that names the key the way a person wrote it, and the fix."""
    text = str(error)
    what, _, where = text.partition(" - at `$")
    # msgspec writes the key of a table of one's own names as "[...]".
    if "[...]" in where:
        where = where.replace("[...]", f".{_bad_name(raw, where.partition('[...]')[0])}")
    path = [part for part in re.split(r"\.", where.rstrip("`")) if part]
    key = ".".join(path)
    unknown = re.search(r"unknown field `(.+?)`", what)
    if unknown:
        name = unknown[1]
        known = _known_keys(path)
        full = f"{key}.{name}" if key else name
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        fix = f"Did you mean {close[0]!r}? " if close else ""
        return ConfigError(
            f"{origin}: {full}: there is no such setting.",
            f"{fix}Settings here are: {', '.join(sorted(known))}.",
            keys=(full,),
        )
    value: Any = raw
    for part in path:
        value = value.get(part, value) if isinstance(value, dict) else value
    return ConfigError(
        f"{origin}: {key or 'the file'}: {what[0].lower()}{what[1:]}; found {value!r}.",
        f"Correct the value of {key or 'the file'}, then check with: nix-trinityd check-config {origin}",
        keys=(key,) if key else (),
    )


def _bad_name(raw: dict[str, Any], table: str) -> str:
    """The first name in a table of one's own names (".models.roles" or ".learning.adapters") that has a bad value."""
    values: dict[str, Any] = raw
    for part in table.strip(".").split("."):
        values = values[part]
    kind: Any = RoleSection if table.startswith(".models") else str
    for name, value in values.items():
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError:
            return str(name)
    return "<name>"


def _known_keys(path: list[str]) -> list[str]:
    sections: dict[tuple[str, ...], type[Section]] = {
        (): Config,
        ("daemon",): DaemonSection,
        ("state",): StateSection,
        ("access",): AccessSection,
        ("logging",): LoggingSection,
        ("http",): HttpSection,
        ("ollama",): OllamaSection,
        ("openai",): OpenaiSection,
        ("models",): ModelsSection,
        ("corpus",): CorpusSection,
        ("answering",): AnsweringSection,
        ("learning",): LearningSection,
        ("retention",): RetentionSection,
    }
    in_pack = len(path) == 2 and path[1].startswith("packs[")
    section = sections.get(tuple(path), PackEntry if in_pack else RoleSection)
    return [field.name for field in msgspec.structs.fields(section)]
