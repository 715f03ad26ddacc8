"""What Ollama's refusals and faults mean for a person."""

from __future__ import annotations

import json

import httpx
import ollama

from nix_trinity.errors import (
    ContextTooLongError,
    EngineBusyError,
    EngineError,
    EngineProtocolError,
    EngineUnreachableError,
    ModelMissingError,
)

_LOG = "journalctl -u ollama -e"
_MOST_SHOWN = 300


def translate(error: Exception, url: str, model: str | None) -> EngineError:
    """Turn what the client library or httpx raised into one of our errors."""
    if isinstance(error, ollama.ResponseError):
        return read_refusal(url, model, error.status_code, error.error)
    if isinstance(error, httpx.HTTPStatusError):
        return read_refusal(url, model, error.response.status_code, error.response.text)
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError)):
        return EngineUnreachableError(
            f"Ollama does not answer at {url}.",
            "Start it with: sudo systemctl start ollama. On NixOS: services.ollama.enable = true; or set "
            "services.nixTrinity.ollama.host when it runs elsewhere.",
        )
    if (
        isinstance(error, httpx.RemoteProtocolError)
        and "Server disconnected" not in str(error)
        and ("peer closed" not in str(error))
    ):
        return _garbage(url, str(error))
    if isinstance(error, httpx.HTTPError):
        return EngineUnreachableError(
            f"Ollama at {url} went away in the middle of its answer.",
            f"See why it stopped ({_LOG}), and ask again when it runs.",
        )
    return _garbage(url, str(error))


def read_refusal(url: str, model: str | None, status: int, text: str) -> EngineError:
    """Turn an HTTP refusal, or an error line in a stream, into one of our errors."""
    reason = _reason(text)
    lower = reason.lower()
    if status == 404 or ("not found" in lower and "model" in lower):
        name = model or "the model"
        return ModelMissingError(
            f"Ollama at {url} has no model {name!r}.",
            f'Get it with: ollama pull {name}. On NixOS: services.ollama.loadModels = [ "{name}" ];',
        )
    if status in (429, 503) or "server busy" in lower:
        return EngineBusyError(
            f"Ollama at {url} has too much to do at present: {reason}.", "Ask again in a few seconds."
        )
    if (
        status in (400, 413, 500)
        and "context" in lower
        and any(word in lower for word in ("length", "exceed", "window", "size", "long"))
    ):
        return ContextTooLongError(
            f"The question and what belongs to it do not fit into the model's context window (Ollama says: {reason}).",
            "Ask with less attached text, or raise services.nixTrinity.roles.<role>.numCtx.",
        )
    if "system memory" in lower or "out of memory" in lower:
        return EngineError(
            f"Ollama at {url} has not enough memory for {model or 'the model'}: {reason}.",
            "Choose a smaller tier (services.nixTrinity.tier), or close what needs much memory.",
        )
    named = f" about {model}" if model else ""
    return EngineError(
        f"Ollama at {url} answered with status {status}{named}: {reason}.",
        f"Its model store may be damaged: try the model by itself (ollama run {model or 'NAME'} hello), and see {_LOG}",
    )


def _garbage(url: str, what: str) -> EngineProtocolError:
    return EngineProtocolError(
        f"What answers at {url} does not speak Ollama's protocol: {what[:_MOST_SHOWN]}.",
        "See which program listens there, and set services.nixTrinity.ollama.host to Ollama's address.",
    )


def _reason(text: str) -> str:
    """The words of ``{"error": "…"}``, or the beginning of whatever else was sent."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and "error" in parsed:
        inner = parsed["error"]
        text = str(inner.get("message", inner)) if isinstance(inner, dict) else str(inner)
    return " ".join(text.split())[:_MOST_SHOWN].rstrip(".") or "no reason given"
