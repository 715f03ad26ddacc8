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
from typing import Annotated, Any

import msgspec

from nix_trinity.errors import ConfigError

DEFAULT_CONFIG_PATH = Path("/etc/nix-trinity/config.toml")

# sun_path holds 108 bytes with its closing NUL (unix(7)).
MAX_SOCKET_PATH_BYTES = 107

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
KeepAlive = Annotated[str, msgspec.Meta(pattern=r"^(-1|0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$")]
HttpUrl = Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s/]+")]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all sections have in common: no key is accepted that nothing reads."""


class DaemonSection(Section, frozen=True, kw_only=True):
    """``[daemon]``: the process itself."""

    socket: str = "/run/nix-trinity/socket"
    idle_timeout_seconds: Annotated[float, msgspec.Meta(ge=0)] = 600.0
    """Exit after this long without a request or job when socket-activated; 0 means never."""
    shutdown_grace_seconds: Seconds = 30.0
    """How long running answers may take to finish after SIGTERM."""
    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"


class StateSection(Section, frozen=True, kw_only=True):
    """``[state]``: where what is kept lies."""

    directory: str = "/var/lib/nix-trinity"


class AccessSection(Section, frozen=True, kw_only=True):
    """``[access]``: who may ask, and who sees everyone's exchanges. Empty: the socket's mode decides."""

    users_group: str = ""
    operators_group: str = ""


class LoggingSection(Section, frozen=True, kw_only=True):
    """``[logging]``: whether exchanges are kept at all."""

    exchanges: bool = True


class OllamaSection(Section, frozen=True, kw_only=True):
    """``[ollama]``: the engine."""

    url: HttpUrl = "http://127.0.0.1:11434"
    keep_alive: KeepAlive = "10m"
    connect_timeout_seconds: Seconds = 5.0
    first_token_timeout_seconds: Seconds = 300.0
    """Loading a big model from a slow disk is part of it."""
    token_gap_timeout_seconds: Seconds = 60.0


class RoleSection(Section, frozen=True, kw_only=True):
    """``[models.roles.<role>]``: what a person chose otherwise for one role."""

    model: str | None = None
    modelfile: str | None = None
    num_ctx: Annotated[int, msgspec.Meta(ge=512)] | None = None


class ModelsSection(Section, frozen=True, kw_only=True):
    """``[models]``: the tier and its exceptions."""

    tier: str = "auto"
    modern: bool = False
    roles: dict[str, RoleSection] = {}


class CorpusSection(Section, frozen=True, kw_only=True):
    """``[corpus]``: what answers are grounded in. Empty: none."""

    options: str = "/run/current-system/sw/share/doc/nixos/options.json"
    """The options of this very system; documentation.nixos.enable puts them there."""
    home_manager_options: str = ""
    manual: str = ""
    """A folder of markdown: doc/manual of the nixpkgs in use."""
    notes: tuple[str, ...] = ()
    """Folders with a person's own notes, besides ours."""
    embedding_model: str = ""
    """A model of the engine that makes vectors; they help with wordings that share no word with an option."""
    nix_instantiate: str = ""
    """The program that has the last word on an answer's Nix syntax; empty: the one on PATH, if any."""


class AnsweringSection(Section, frozen=True, kw_only=True):
    """``[answering]``: limits of the line from question to answer."""

    max_running: Positive = 2
    max_waiting: NotNegative = 8
    history_tokens: NotNegative = 1024
    passages_tokens: NotNegative = 1000
    """What was found for a question; more helps a good model a little and costs each model time."""
    answer_tokens: Annotated[int, msgspec.Meta(ge=16)] = 1024


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    daemon: DaemonSection = msgspec.field(default_factory=DaemonSection)
    state: StateSection = msgspec.field(default_factory=StateSection)
    access: AccessSection = msgspec.field(default_factory=AccessSection)
    logging: LoggingSection = msgspec.field(default_factory=LoggingSection)
    ollama: OllamaSection = msgspec.field(default_factory=OllamaSection)
    models: ModelsSection = msgspec.field(default_factory=ModelsSection)
    corpus: CorpusSection = msgspec.field(default_factory=CorpusSection)
    answering: AnsweringSection = msgspec.field(default_factory=AnsweringSection)


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
    return config


def _check_socket_path(socket_path: str, origin: str) -> None:
    length = len(socket_path.encode())
    if length > MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"{origin}: daemon.socket: the path has {length} bytes; the kernel takes at most {MAX_SOCKET_PATH_BYTES}.",
            "Choose a shorter path, such as /run/nix-trinity/socket.",
        )
    if not socket_path.startswith("/"):
        raise ConfigError(
            f"{origin}: daemon.socket: {socket_path!r} is not an absolute path.",
            "Write it from the root on, such as /run/nix-trinity/socket.",
        )


def _explain(error: msgspec.ValidationError, raw: dict[str, Any], origin: str) -> ConfigError:
    """Turn msgspec's message into one that names the key the way a person wrote it, and the fix."""
    text = str(error)
    what, _, where = text.partition(" - at `$")
    # msgspec writes the key of a table of one's own names as "[...]".
    where = where.replace("[...]", f".{_bad_role(raw)}") if "[...]" in where else where
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
        )
    value: Any = raw
    for part in path:
        value = value.get(part, value) if isinstance(value, dict) else value
    return ConfigError(
        f"{origin}: {key or 'the file'}: {what[0].lower()}{what[1:]}; found {value!r}.",
        f"Correct the value of {key or 'the file'}, then check with: nix-trinityd check-config {origin}",
    )


def _bad_role(raw: dict[str, Any]) -> str:
    for name, section in raw["models"]["roles"].items():
        try:
            msgspec.convert(section, RoleSection)
        except msgspec.ValidationError:
            return str(name)
    return "<role>"


def _known_keys(path: list[str]) -> list[str]:
    sections: dict[tuple[str, ...], type[Section]] = {
        (): Config,
        ("daemon",): DaemonSection,
        ("state",): StateSection,
        ("access",): AccessSection,
        ("logging",): LoggingSection,
        ("ollama",): OllamaSection,
        ("models",): ModelsSection,
        ("corpus",): CorpusSection,
        ("answering",): AnsweringSection,
    }
    section = sections.get(tuple(path), RoleSection)
    return [field.name for field in msgspec.structs.fields(section)]
