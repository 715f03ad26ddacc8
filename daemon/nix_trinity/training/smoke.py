"""Whether a model answers at all: a damaged blob is only noticed when the model runs."""

from __future__ import annotations

from contextlib import aclosing

from nix_trinity.engines.protocol import ChatMessage, ChatRequest, Engine
from nix_trinity.errors import EngineBusyError, EngineError, EngineTimeoutError, EngineUnreachableError

_QUESTION = "Say hello."
_TOKENS = 4


async def smoke(engine: Engine, model: str, num_ctx: int) -> None:
    """Let the model say a few words.

    :raises EngineError: ``smoke_failed``: it cannot; the message names the model.
    :raises EngineUnreachableError, EngineBusyError, EngineTimeoutError: the engine itself is away, overloaded or
        too slow, which says nothing of the model store.
    """
    request = ChatRequest(model, (ChatMessage("user", _QUESTION),), num_ctx, _TOKENS, temperature=0.0)
    try:
        async with aclosing(engine.chat(request)) as parts:
            async for _ in parts:
                pass
    except (EngineUnreachableError, EngineBusyError, EngineTimeoutError):
        raise
    except EngineError as error:
        where = engine.of(model)
        at_fault, remedy = _words(where, model)
        raise EngineError(
            f"The model {model} is listed in {where.label} but cannot answer even a greeting "
            f"({error.message.rstrip('.')}). {at_fault}, not a question.",
            remedy,
            code="smoke_failed",
        ) from error


def _words(engine: Engine, model: str) -> tuple[str, str]:
    """What is at fault, and what to do about it."""
    if engine.kind == "ollama":
        return (
            "Ollama's model store is at fault",
            f"Try it by itself: ollama run {model} hello. If its weights are damaged, get the base model again "
            "with ollama pull; Ollama's log: journalctl -u ollama -e",
        )
    return "The server is at fault", f"Ask it by itself: curl {engine.url}/chat/completions; and see its own log."
