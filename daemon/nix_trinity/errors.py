"""The errors a person can meet, each with a stable code, a message and the next thing to do.

::

    TrinityError
    ├── ConfigError              config_invalid        the configuration file
    ├── CatalogueError           catalogue_invalid     modelfiles/catalogue.toml
    ├── ModelfileError           modelfile_invalid     a Modelfile, ours or a person's own
    ├── RequestError             bad_request, …        what a client sent
    ├── AccessError              forbidden             who sent it
    ├── NotFoundError            not_found             what it is about
    ├── BusyError                busy                  too many questions at once
    ├── StorageError             storage_unavailable   knowledge.db
    ├── CorpusError              corpus_invalid        options, manual or notes to be indexed
    ├── HostError                host_unavailable      the machine underneath: systemd over D-Bus
    ├── InternalError            internal              a fault of ours
    └── EngineError              engine_failed         the server that runs the models
        ├── EngineUnreachableError   engine_unreachable
        │   ├── EngineOffError       engine_off            there is to be no engine
        │   └── EngineAuthError      engine_unauthorized   it does not let us in
        ├── ModelMissingError        model_missing
        ├── EngineTimeoutError       engine_timeout
        ├── EngineBusyError          engine_busy
        ├── EngineProtocolError      engine_garbage
        ├── ContextTooLongError      context_too_long
        └── SettingsError            settings_invalid      (answering/: a choice that was not offered)

``message`` says what happened and why; ``hint`` says what to do next, as a command or an option where
there is one. Codes are part of the protocol (docs/reference/protocol.md): they are never renamed.
"""

from __future__ import annotations

from typing import ClassVar


class TrinityError(Exception):
    """Root of all errors that are meant for a person to read."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str, *, code: str | None = None, keys: tuple[str, ...] = ()) -> None:
        """``keys``: the paths of the configuration's keys that it is about, such as models.roles.expert.modelfile."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.stable_code = code or type(self).code
        self.keys = keys

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ConfigError(TrinityError):
    """The configuration file cannot be used; names file, key path and the fix."""

    code = "config_invalid"


class CatalogueError(TrinityError):
    """The catalogue of tiers, roles and models cannot be used."""

    code = "catalogue_invalid"


class ModelfileError(TrinityError):
    """A Modelfile does not parse; names file and line."""

    code = "modelfile_invalid"


class RequestError(TrinityError):
    """What a client sent cannot be acted on. ``code`` narrows it (question_empty, too_large, …)."""

    code = "bad_request"


class AccessError(TrinityError):
    """The peer may not do this."""

    code = "forbidden"


class NotFoundError(TrinityError):
    """There is no such exchange, session or resource for this person."""

    code = "not_found"


class BusyError(TrinityError):
    """As many questions as allowed are running and waiting."""

    code = "busy"

    def __init__(self, message: str, hint: str, *, retry_after_seconds: int) -> None:
        super().__init__(message, hint)
        self.retry_after_seconds = retry_after_seconds


class StorageError(TrinityError):
    """The knowledge database cannot be read or written."""

    code = "storage_unavailable"


class CorpusError(TrinityError):
    """A file of options, manual or notes cannot be used; the last good index stays."""

    code = "corpus_invalid"


class HostError(TrinityError):
    """The machine underneath (systemd and its like, over D-Bus) did not do what it was asked."""

    code = "host_unavailable"


class InternalError(TrinityError):
    """A fault of NixTrinity's own."""

    code = "internal"


class EngineError(TrinityError):
    """The engine answered with an error."""

    code = "engine_failed"


class EngineUnreachableError(EngineError):
    """The engine does not answer at all, or went away in the middle of an answer."""

    code = "engine_unreachable"


class EngineOffError(EngineUnreachableError):
    """The configuration says that there is no engine; nothing is wrong with that."""

    code = "engine_off"


class EngineAuthError(EngineUnreachableError):
    """The engine is there and refuses the key, or the key's file cannot be read: nobody can be asked."""

    code = "engine_unauthorized"


class ModelMissingError(EngineError):
    """The engine is there, but a model is not."""

    code = "model_missing"


class EngineTimeoutError(EngineError):
    """The engine accepted a request and then stayed silent for too long."""

    code = "engine_timeout"


class EngineBusyError(EngineError):
    """The engine says that it is overloaded; trying again later helps."""

    code = "engine_busy"

    def __init__(self, message: str, hint: str, *, retry_after_seconds: float | None = None) -> None:
        """``retry_after_seconds``: when to try again, where the engine said so."""
        super().__init__(message, hint)
        self.retry_after_seconds = retry_after_seconds


class EngineProtocolError(EngineError):
    """The engine sent something that is not its protocol."""

    code = "engine_garbage"


class ContextTooLongError(EngineError):
    """The engine refused the prompt as longer than the model's context window."""

    code = "context_too_long"
