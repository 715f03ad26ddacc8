"""``python -m bench.prefix``: what it is worth to put what was found after the examples, and not before them.

Ten questions in a row to one role, twice: as the daemon asks them, where all that stands before the finds is the same
each time and stays in Ollama's prefix cache; and with the finds before the examples, where nothing after them does.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from bench.corpora import indexed, own_questions, retriever
from nix_trinity.answering.passages import passages
from nix_trinity.answering.prompt import Budget, Situation, build_prompt
from nix_trinity.catalogue import modelfiles_dir
from nix_trinity.config_sections import AnsweringSection
from nix_trinity.modelfile.parse import parse_modelfile
from tests.stack import chat_model, ollama_binary
from tests.stack.server import OllamaServer

BASE = "smollm2:135m"
NUM_CTX = 4096
QUESTIONS = 10


def main() -> None:
    asyncio.run(_measure())


async def _measure() -> None:
    binary, gguf = ollama_binary.obtain(), chat_model.obtain().gguf
    search = retriever()
    questions = [one.question for one in own_questions() if one.kind == "howto" and one.lang == "en"][:QUESTIONS]
    budget = Budget(NUM_CTX, 1100, 256, 0, AnsweringSection().passages_tokens)
    with tempfile.TemporaryDirectory() as folder, OllamaServer(binary) as server:
        server.create_from_gguf(BASE, gguf)
        async with indexed(Path(folder)) as corpus:
            found = [
                passages(await corpus.read(lambda index, text=text: search.retrieve(index, text)))  # type: ignore[misc]
                for text in questions
            ]
        for role in ("expert", "empathy", "coder", "quick"):
            path = modelfiles_dir() / f"{role}.Modelfile"
            own = parse_modelfile(path.read_text(encoding="utf-8"), origin=path.name)
            examples = [{"role": one.role, "content": one.content} for one in own.messages]
            _post(
                server.url, "create", model=role, **{"from": BASE}, system=own.system, messages=examples, stream=False
            )
            after, before = [], []
            for text, known in zip(questions, found, strict=True):
                prompt = build_prompt(
                    text,
                    attachment="",
                    situation=Situation(None, None, "25.05"),
                    history=(),
                    budget=budget,
                    marker="data-0123456789ab",
                    passages=known,
                )
                after.append([{"role": "user", "content": prompt.messages[-1].content}])
                finds, _, question = prompt.messages[-1].content.rpartition("\n\n")
                system = {"role": "system", "content": f"{own.system}\n\n{finds}"}
                before.append([system, *examples, {"role": "user", "content": question}])
            ours = [_evaluated(server.url, role, messages) for messages in after][1:]
            other = [_evaluated(server.url, BASE, messages) for messages in before][1:]
            ratio = statistics.median(ours) / statistics.median(other)
            print(
                f"{role:8} prompt evaluation a question: {statistics.median(ours):.0f} ms, with the finds before the "
                f"examples {statistics.median(other):.0f} ms: {ratio:.2f} of it",
                flush=True,
            )


def _evaluated(url: str, model: str, messages: list[dict[str, str]]) -> float:
    """Milliseconds that Ollama took to evaluate the prompt."""
    options = {"num_ctx": NUM_CTX, "num_predict": 1}
    reply = _post(url, "chat", model=model, messages=messages, stream=False, options=options)
    return float(reply["prompt_eval_duration"]) / 1e6


def _post(url: str, what: str, **body: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{url}/api/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


if __name__ == "__main__":
    main()
