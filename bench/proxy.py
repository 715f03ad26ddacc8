"""``python -m bench.proxy``: whether the prefix cache is kept by an OpenAI-compatible server, and through LiteLLM's proxy.

Questions in a row to one role whose system text and examples go with each request, timed to the first token: straight
to one Ollama's /v1; through the proxy in front of that one; through the proxy in front of two, between which it
chooses. Beside each, the same with another word at the very beginning each time, so that no cache can help.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, aclosing
from pathlib import Path

from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.engines.definitions import Definition, Definitions
from nix_trinity.engines.openai_compatible import OpenAIEngine
from nix_trinity.engines.protocol import ChatMessage, ChatRequest
from nix_trinity.modelfile.parse import parse_modelfile
from tests.stack import chat_model, litellm_proxy, ollama_binary
from tests.stack.server import OllamaServer

ROLE = "expert"
NUM_CTX = 4096
# With the same beginning, and with another one each time; the first ones of the former fill the engines' caches.
KEPT, LOST = 12, 5
WARM_UP = 5


def main() -> None:
    package = litellm_proxy.obtain()
    binary, gguf = ollama_binary.obtain(), chat_model.obtain().gguf
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        servers = [stack.enter_context(OllamaServer(binary)) for _ in range(2)]
        for server in servers:
            server.create_from_gguf(chat_model.NAME, gguf)
        own = [litellm_proxy.openai_api(f"{server.url}/v1", chat_model.NAME) for server in servers]
        one = stack.enter_context(litellm_proxy.LiteLLMProxy(package, folder / "one", own[:1]))
        two = stack.enter_context(litellm_proxy.LiteLLMProxy(package, folder / "two", own))
        places = {
            "one Ollama's /v1": (f"{servers[0].url}/v1", chat_model.NAME, None),
            "LiteLLM before one": (one.url, litellm_proxy.SERVED, lambda: litellm_proxy.KEY),
            "LiteLLM before two": (two.url, litellm_proxy.SERVED, lambda: litellm_proxy.KEY),
        }
        asyncio.run(_measure(folder, places))


async def _measure(folder: Path, places: Mapping[str, tuple[str, str, Callable[[], str] | None]]) -> None:
    path = modelfiles_dir() / f"{ROLE}.Modelfile"
    own = parse_modelfile(path.read_text(encoding="utf-8"), origin=path.name)
    messages = tuple(ChatMessage(one.role, one.content) for one in own.messages)
    for number, (name, (url, model, key)) in enumerate(places.items()):
        definitions = Definitions(folder / f"definitions-{number}")
        engine = OpenAIEngine(url, definitions, key=key)
        times: list[float] = []
        # One after the other: an engine that serves one at a time has one cache.
        for question in range(KEPT + LOST):
            mark = "" if question < KEPT else f"{time.monotonic_ns()} "
            definition = Definition(base=model, server=url, system=f"{mark}{own.system}", messages=messages)
            await definitions.put("nix-expert", definition)
            times.append(await _first_token(engine, f"What is option number {question}?"))
        await engine.close()
        kept, lost = (statistics.median(some) * 1000 for some in (times[WARM_UP:KEPT], times[KEPT:]))
        print(
            f"{name:20} first token after {kept:.0f} ms with the same beginning, {lost:.0f} ms with another one "
            f"each time: {kept / lost:.2f} of it",
            flush=True,
        )


async def _first_token(engine: OpenAIEngine, question: str) -> float:
    request = ChatRequest("nix-expert", (ChatMessage("user", question),), NUM_CTX, 4, temperature=0.0)
    began = time.monotonic()
    first = 0.0
    async with aclosing(engine.chat(request)) as chunks:
        async for chunk in chunks:
            first = first or (time.monotonic() - began if chunk.text else 0.0)
    return first


if __name__ == "__main__":
    main()
