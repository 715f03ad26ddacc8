"""What the refusals and faults of a server with OpenAI's API mean for a person. No key is ever in them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from nix_trinity.errors import (
    ContextTooLongError,
    EngineAuthError,
    EngineBusyError,
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    ModelMissingError,
)

OPTIONAL_FIELDS: Final = (
    *("response_format", "stream_options", "max_completion_tokens", "max_tokens", "temperature", "top_p", "stop"),
    *("seed", "frequency_penalty", "presence_penalty", "encoding_format"),
)
"""What a server may refuse without the question being at fault: it is asked again without."""
SYSTEM_ROLE: Final = "system"
"""In place of a field: the model's chat template has no system text."""

_MOST_SHOWN = 300
_KEY_SHAPED = re.compile(r"\b(sk|pk|key|Bearer)[-_ ][^\s\"',;]{6,}|[^\s\"',;]*\*{3,}[^\s\"',;]*")
_SCHEMA_WORDS = ("response_format", "json_schema", "json schema", "structured output", "grammar", "guided")
_CONTEXT_WORDS = ("length", "exceed", "window", "size", "long")
_UPSTREAM_WORDS = ("connection error", "apiconnectionerror", "cannot connect", "connection refused")


class FieldRefusedError(EngineError):
    """The server does not take one of :data:`OPTIONAL_FIELDS`, or the system's role."""

    def __init__(self, message: str, hint: str, *, field: str) -> None:
        super().__init__(message, hint)
        self.field = field


def translate(error: Exception, url: str) -> EngineError:
    """Turn what httpx raised, or an answer of another form, into one of our errors."""
    label = label_of(url)
    if isinstance(error, httpx.ConnectError) and "SSL" in str(error):
        return EngineUnreachableError(
            f"{label} can be reached, and no encrypted connection be made: {_short(str(error)).rstrip('.')}.",
            "See that the address begins as that server speaks (http:// or https://), and that its certificate is valid.",
        )
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError)):
        return EngineUnreachableError(
            f"{label} does not answer.",
            "Start that server, or correct its address: services.nixTrinity.openai.url or "
            "services.nixTrinity.roles.<role>.url; on NixOS, else url in [openai] or [models.roles.<role>].",
        )
    broken = isinstance(error, httpx.RemoteProtocolError) and not any(
        words in str(error) for words in ("Server disconnected", "peer closed")
    )
    if isinstance(error, httpx.HTTPError) and not broken and not isinstance(error, httpx.DecodingError):
        return EngineUnreachableError(
            f"{label} went away in the middle of its answer.", "See why in its own log, and ask again when it runs."
        )
    return EngineProtocolError(
        f"What answers at {url} does not speak OpenAI's protocol: {_short(str(error)) or 'nothing that is one'}.",
        "See which program listens there. The address ends where /chat/completions follows, mostly in /v1.",
    )


def read_refusal(
    url: str,
    status: int,
    text: str,
    *,
    headers: Mapping[str, str],
    model: str | None = None,
    sent: Collection[str] = (),
) -> EngineError:
    """Turn an HTTP refusal into one of our errors. ``sent``: the request's fields."""
    label, (reason, param, code) = label_of(url), _reason(text)
    lower = f"{reason} {code}".lower()
    # LiteLLM without a database says the latter of a key that is not its own.
    if status in (401, 403) or code == "insufficient_quota" or (status == 400 and "no connected db" in lower):
        return EngineAuthError(
            f"{label} does not let us in (status {status}): {reason}.",
            "Put the right key into the file that services.nixTrinity.openai.apiKeyFile names (of a role with a server of "
            "its own: services.nixTrinity.roles.<role>.apiKeyFile); on NixOS, else api_key_file in [openai] or "
            "[models.roles.<role>]. The file is read at each question; of a credential, after a restart.",
        )
    if status == 429:
        return _busy(label, reason, headers)
    if status != 404 and "context" in lower and any(word in lower for word in _CONTEXT_WORDS):
        return ContextTooLongError(
            f"The question and what belongs to it do not fit into the model's context window ({label} says: {reason}).",
            "Ask with less attached text, or set services.nixTrinity.roles.<role>.numCtx to what that server gives.",
        )
    if status in range(300, 400):
        return EngineProtocolError(
            f"{label} sends us elsewhere (status {status}: {_short(headers.get('location', ''))}), and no key is sent there.",
            "Give the address that it names as url, if it is the right one.",
        )
    no_model = "model" in lower and any(
        words in lower for words in ("not found", "not exist", "invalid model", "no such")
    )
    if status == 404 or code == "model_not_found" or (no_model and status in (400, 422, 500)):
        return missing(url, model or "the model", ())
    refused = _refused_field(lower, param, sent) if status in (400, 422) else None
    if refused is not None:
        return FieldRefusedError(
            f"{label} does not take {refused}: {reason}.",
            "See which fields it takes in its documentation.",
            field=refused,
        )
    if status in (503, 529):
        return _busy(label, reason, headers)
    if status in (408, 504):
        return EngineTimeoutError(
            f"{label} gave up waiting for the model: {reason}.", "See what it is busy with in its log."
        )
    if status == 502 or any(words in lower for words in _UPSTREAM_WORDS):
        return EngineUnreachableError(f"{label} answers, and what is behind it does not: {reason}.", "See its own log.")
    named = f" about {model}" if model else ""
    return EngineError(
        f"{label} answered with status {status}{named}: {reason}.",
        "Ask that server by itself (curl), and see its own log.",
    )


def missing(url: str, model: str, served: Collection[str]) -> ModelMissingError:
    """A model is not served there; ``served``: those that are, as far as it is known."""
    named = f" Served there: {', '.join(sorted(served)[:30])}." if served else ""
    return ModelMissingError(f"{label_of(url)} has no model {model!r}.{named}", f"{remedy(model)}.")


def remedy(model: str) -> str:
    """What brings a model to such a server."""
    return f"Serve {model} there, or name one that is served: services.nixTrinity.roles.<role>.model"


def label_of(url: str) -> str:
    """What such a server is called in a sentence."""
    return f"{url} (OpenAI's API)"


def without_key(text: str, key: str) -> str:
    """The text without the key, whole or shortened as some servers write it."""
    if key:
        text = text.replace(key, "[key]")
    return _KEY_SHAPED.sub("[key]", text)


def _busy(label: str, reason: str, headers: Mapping[str, str]) -> EngineBusyError:
    after = retry_after(headers)
    when = f"in {after:.0f} s" if after is not None and after >= 1 else "in a few seconds"
    return EngineBusyError(
        f"{label} has too much to do at present: {reason}.", f"Ask again {when}.", retry_after_seconds=after
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """When to ask again, in seconds; None where the server does not say so in a form that it may."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _refused_field(lower: str, param: str, sent: Collection[str]) -> str | None:
    if SYSTEM_ROLE in lower and "role" in lower:
        return SYSTEM_ROLE
    named = [
        field for field in OPTIONAL_FIELDS if field in sent and (field in param or re.search(rf"\b{field}\b", lower))
    ]
    if named:
        return named[0]
    return "response_format" if "response_format" in sent and any(word in lower for word in _SCHEMA_WORDS) else None


def _reason(text: str) -> tuple[str, str, str]:
    """Words, parameter and code of ``{"error": {"message", "param", "code"}}``, or of what else servers write."""
    param = code = ""
    try:
        parsed: Any = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        inner = parsed.get("error", parsed)
        if isinstance(inner, dict):
            param, code = str(inner.get("param") or ""), str(inner.get("code") or "")
            inner = inner.get("message", inner.get("detail", inner))
        text = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
    return _short(without_key(text, "")).rstrip(".") or "no reason given", param, code


def _short(text: str) -> str:
    return " ".join(text.split())[:_MOST_SHOWN]
