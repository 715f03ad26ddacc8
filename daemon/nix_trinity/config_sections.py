"""The sections of the configuration; each key with its default and, in its name, its unit."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
KeepAlive = Annotated[str, msgspec.Meta(pattern=r"^(-1|0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$")]
EngineKind = Literal["ollama", "openai"]
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


class HttpSection(Section, frozen=True, kw_only=True):
    """``[http]``: the same API on loopback, for programs that cannot talk to a Unix socket."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """0 means none."""
    token_file: str = ""
    """The file with the token that each request has to bring. A name without "/" is one of systemd's credentials."""


class OllamaSection(Section, frozen=True, kw_only=True):
    """``[ollama]``: the engine."""

    enabled: bool = True
    """False: there is no engine, and the search alone answers."""
    url: HttpUrl = "http://127.0.0.1:11434"
    keep_alive: KeepAlive = "10m"
    connect_timeout_seconds: Seconds = 5.0
    first_token_timeout_seconds: Seconds = 300.0
    """Loading a big model from a slow disk is part of it."""
    token_gap_timeout_seconds: Seconds = 60.0


class OpenaiSection(Section, frozen=True, kw_only=True):
    """``[openai]``: a server with OpenAI's API, for the roles whose engine is "openai"."""

    url: HttpUrl | Literal[""] = ""
    """It ends where /chat/completions follows; without a path that is /v1."""
    api_key_file: str = ""
    """The file with the server's key, which is sent to this address alone. A name without "/" is one of systemd's credentials."""
    connect_timeout_seconds: Seconds = 5.0
    first_token_timeout_seconds: Seconds = 300.0
    token_gap_timeout_seconds: Seconds = 60.0


class RoleSection(Section, frozen=True, kw_only=True):
    """``[models.roles.<role>]``: what a person chose otherwise for one role."""

    engine: EngineKind = "ollama"
    url: HttpUrl | Literal[""] = ""
    """The role's own server with OpenAI's API; empty: the one of [openai]."""
    api_key_file: str = ""
    """The file with that server's key; empty: the one of [openai] where it is the same address, else none."""
    model: str | None = None
    modelfile: str | None = None
    num_ctx: Annotated[int, msgspec.Meta(ge=512)] | None = None


class ModelsSection(Section, frozen=True, kw_only=True):
    """``[models]``: the tier and its exceptions."""

    tier: str = "auto"
    modern: bool = False
    fall_back: bool | tuple[str, ...] = False
    """Whether another role's model on another engine answers where a role's engine is away; a list: these, in this order."""
    roles: dict[str, RoleSection] = {}


class PackEntry(Section, frozen=True, kw_only=True):
    """An entry of ``packs``, where more than the folder is to be said: a flake input's revision, or another name."""

    path: Annotated[str, msgspec.Meta(pattern="^/")]
    name: Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?)?(?!\n)$")] = ""
    """Empty: the one of its pack.toml."""
    revision: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._+-]{0,64}(?!\n)$")] = ""
    """Empty: the one of its pack.toml, if it says any."""


class CorpusSection(Section, frozen=True, kw_only=True):
    """``[corpus]``: what answers are grounded in. Empty: none."""

    options: str = "/run/current-system/sw/share/doc/nixos/options.json"
    """The options of this very system; documentation.nixos.enable puts them there."""
    home_manager_options: str = ""
    manual: str = ""
    """A folder of markdown: doc/manual of the nixpkgs in use."""
    notes: tuple[str, ...] = ()
    """Folders with a person's own notes, besides ours."""
    packs: tuple[Annotated[str, msgspec.Meta(pattern="^/")] | PackEntry, ...] = ()
    """Folders of knowledge packs: notes and reviewed exchanges of other people (docs/reference/packs.md)."""
    embedding_model: str = ""
    """A model of the engine that makes vectors; they help with wordings that share no word with an option."""
    embedding_engine: EngineKind | Literal[""] = ""
    """Which engine has that model; empty: Ollama, or the server of [openai] where Ollama is off."""
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


Share = Annotated[float, msgspec.Meta(ge=0, le=0.9)]


class LearningSection(Section, frozen=True, kw_only=True):
    """``[learning]``: what versions are made of, and what makes the daemon build one."""

    consent_by_default: bool = False
    """Whether the exchanges of people who said nothing about it may be learned from; each person's word goes first."""
    examples_share: Annotated[float, msgspec.Meta(ge=0.05, le=0.6)] = 0.3
    """The share of a role's num_ctx that its examples may take, ours and learned ones together."""
    held_out_share: Share = 0.2
    """The share of confirmed exchanges that is kept for evaluation and never becomes an example."""
    evaluation: tuple[str, ...] = ()
    """Further files of evaluation questions, in the form of modelfiles/evaluation.toml."""
    evaluation_questions: NotNegative = 0
    """How many questions a version is evaluated on at most; 0 means all."""
    corrections_for_build: Positive = 5
    """So many corrections since the last build make one at once."""
    bad_for_build: Positive = 10
    """So many bad verdicts since the last build make one at once."""
    unanswered_for_build: Positive = 3
    """So many unanswered questions that are alike make one at once."""
    immediate_unit: str = ""
    """The systemd unit that is started for a build at once; empty: the daemon builds by itself."""
    on_battery: bool = False
    """Whether builds run while the machine is on battery."""
    most_memory_pressure_percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 20.0
    """Builds wait while tasks stall on memory for more of the time than this (PSI, some avg60); 100 means never."""
    beside_nix_builds: bool = False
    """Whether builds run while Nix is building."""
    adapters: dict[str, str] = {}
    """A LoRA adapter for a role, made elsewhere: role = "/path/of/adapter.gguf" or a model that has it."""


class RetentionSection(Section, frozen=True, kw_only=True):
    """``[retention]``: what is kept of versions and exchanges. The deployed version of a role always is."""

    previous: NotNegative = 1
    weekly: NotNegative = 1
    """Versions that were deployed a week or more ago, the newest first."""
    monthly: NotNegative = 1
    """Monthly checkpoints."""
    exchange_days: NotNegative = 365
    """Exchanges that nobody rated and nothing uses are removed after so many days; 0 means never."""
    exchange_megabytes: NotNegative = 1024
    """Above this size of knowledge.db (10^6 bytes) the oldest of them go; 0 means no limit."""
